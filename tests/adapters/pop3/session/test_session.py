"""Greeting, TLS, login: what happens before a mailbox is open."""

import ssl
from base64 import b64encode
from dataclasses import replace
from hashlib import md5
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.accounts.credentials import Credentials, SecretKind
from service.accounts.servers import Security
from service.adapters.pop3.session.login import require_sendable
from service.mail.errors import (
    InUse,
    InvalidRequest,
    LoginRefused,
    MailError,
    TooManyRequests,
    UpstreamError,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamTls,
    UpstreamUnavailable,
)
from service.mail.search.filter import ListQuery
from tests.adapters.pop3.conftest import FAST, Mailboxes
from tests.adapters.pop3.server import CHALLENGE, CREDENTIALS, GREETING, SECRET, USER, Act, Pop3Server, Twist, letters


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (b"unable to lock maildrop: maildrop already locked", InUse),
        (b"Can't get lock. Mailbox in use", InUse),
        (b"[ALERT] mailbox is being accessed by another POP3 session", InUse),
        (b"Too many connections from your host", TooManyRequests),
        (b"login rate limit exceeded", TooManyRequests),
        (b"Server Unavailable. 21", UpstreamUnavailable),
        (b"Temporary problem, please try again later", UpstreamUnavailable),
        (b"[AUTH] password wrong, try again later", LoginRefused),
        (b"authentication failed", LoginRefused),
    ],
)
async def test_a_login_refused_for_now_is_not_a_wrong_password(
    mailboxes: Mailboxes, words: bytes, error: type[MailError]
) -> None:
    """R-IMAP-52: by text alone, as many servers say it; a code that names the credentials decides."""
    backend = await mailboxes.open(Pop3Server(twists={"PASS": b"-ERR " + words + b"\r\n"}))
    with pytest.raises(error) as caught:
        await backend.check()
    assert type(caught.value) is error
    assert error is LoginRefused or caught.value.retry_after
    assert words.decode() not in caught.value.detail


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (b"-ERR [IN-USE] locked\r\n", InUse, None),
        (b"-ERR [LOGIN-DELAY] wait\r\n", TooManyRequests, None),
        (b"-ERR [SYS/TEMP] later\r\n", UpstreamUnavailable, "SYS/TEMP"),
        (b"-ERR [SYS/PERM] never\r\n", UpstreamError, "SYS/PERM"),
        (b"-ERR [AUTH] no\r\n", LoginRefused, None),
        (b"-ERR [auth] no\r\n", LoginRefused, None),
        (b"-ERR [UNHEARD-OF] no\r\n", LoginRefused, None),
        (b"-ERR no\r\n", LoginRefused, None),
        (b"-ERR\r\n", LoginRefused, None),
    ],
)
async def test_a_refused_login_says_why(
    mailboxes: Mailboxes, answer: bytes, error: type[MailError], code: str | None
) -> None:
    """R-POP-05: every response code to PASS has its error, and a refused password is never tried twice."""
    server = Pop3Server(twists={"PASS": answer})
    backend = await mailboxes.open(server)
    with pytest.raises(error) as caught:
        await backend.check()
    assert type(caught.value) is error
    assert getattr(caught.value, "code", None) == code
    assert "never" not in caught.value.detail
    assert server.verbs.count("PASS") == (4 if error is InUse else 1)
    if error in {InUse, TooManyRequests, UpstreamUnavailable}:
        assert caught.value.retry_after


async def test_a_maildrop_in_use_is_tried_again(mailboxes: Mailboxes) -> None:
    """R-POP-05: [IN-USE] passes by itself when the other client leaves."""
    server = Pop3Server(letters(1), twists={"PASS": [b"-ERR [IN-USE] x\r\n", b"-ERR [IN-USE] x\r\n"]})
    backend = await mailboxes.open(server)
    assert (await backend.list_folders())[0].total_messages == 1
    assert server.connections == 3


async def test_the_login_delay_announced_is_passed_on(mailboxes: Mailboxes) -> None:
    """R-POP-05: LOGIN-DELAY's seconds become Retry-After."""
    server = Pop3Server(capabilities=("USER", "LOGIN-DELAY 17"), twists={"PASS": b"-ERR [LOGIN-DELAY] x\r\n"})
    backend = await mailboxes.open(server)
    with pytest.raises(TooManyRequests) as caught:
        await backend.check()
    assert caught.value.retry_after == 17


@pytest.mark.parametrize(
    "greeting",
    [
        b"HTTP/1.1 200 OK\r\n",
        b"220 smtp\r\n",
        b"SSH-2.0-x\r\n",
        b"\x16\x03\x01\x00\x05\r\n",
        b"* OK imap\r\n",
        b"+OKAY\r\n",
        b"OK\r\n",
        b"+ok\r\n",
        b"\r\n",
        b"+OK x\n",
        b"x" * 9000,
        b"+OK " + b"x" * 9000 + b"\r\n",
        b"+OK\r\n+OK\r\n",
    ],
)
async def test_a_greeting_that_is_none_is_a_protocol_error(mailboxes: Mailboxes, greeting: bytes) -> None:
    """R-POP-03, R-POP-09: not POP3, or lines that end by LF alone, or too much said: no login is sent."""
    server = Pop3Server(twists={GREETING: greeting})
    backend = await mailboxes.open(server)
    with pytest.raises(UpstreamProtocol) as caught:
        await backend.check()
    assert caught.value.protocol == "pop3"
    assert server.heard == []


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("CAPA", b"+OK\nUIDL\nTOP\n.\n"),
        ("USER", b"+OK\n"),
        ("LIST", b"+OK\n1 50\n2 50\n.\n"),
        ("RETR", b"+OK\nSubject: x\n\nbody\n.\n"),
    ],
)
async def test_a_server_without_crlf_is_a_protocol_error(mailboxes: Mailboxes, command: str, answer: bytes) -> None:
    """R-POP-03: who takes LF for a line's end takes one message for two; the session is over before it comes to that."""
    server = Pop3Server(letters(2), twists={command: [answer]})
    backend = await mailboxes.open(server)
    with pytest.raises(UpstreamProtocol):
        for row in (await backend.list_messages("inbox", ListQuery())).items:
            await backend.get_message(row.id)
    assert server.verbs[-1] == command
    newest, _ = (await backend.list_messages("inbox", ListQuery())).items
    assert (await backend.get_message(newest.id)).subject == "Letter uid-2"


async def test_an_err_greeting_is_not_a_refused_login(mailboxes: Mailboxes) -> None:
    backend = await mailboxes.open(Pop3Server(twists={GREETING: b"-ERR too many connections\r\n"}))
    with pytest.raises(UpstreamUnavailable) as caught:
        await backend.check()
    assert "too many" not in caught.value.detail


@pytest.mark.parametrize("silent", [GREETING, "CAPA", "USER", "PASS", "UIDL"])
async def test_silence_ends_in_time(mailboxes: Mailboxes, silent: str) -> None:
    backend = await mailboxes.open(Pop3Server(twists={silent: Act.HANG}))
    with pytest.raises(UpstreamTimeout):
        await backend.list_folders()


@pytest.mark.parametrize("moment", [GREETING, "CAPA", "USER", "PASS", "UIDL"])
async def test_a_connection_lost_is_unavailable(mailboxes: Mailboxes, moment: str) -> None:
    server = Pop3Server(twists={moment: Act.CLOSE})
    backend = await mailboxes.open(server)
    with pytest.raises(UpstreamUnavailable):
        await backend.list_folders()
    assert server.verbs.count("PASS") <= 1


async def test_a_port_without_a_listener_is_unavailable(mailboxes: Mailboxes) -> None:
    backend = await mailboxes.open(Pop3Server())
    async with Pop3Server().running() as endpoint:
        pass
    gone = type(backend)(endpoint, CREDENTIALS, "account", FAST)
    with pytest.raises(UpstreamUnavailable):
        await gone.check()
    unknown = type(backend)(replace(endpoint, host="no-such-host.invalid"), CREDENTIALS, "account", FAST)
    with pytest.raises(UpstreamUnavailable):
        await unknown.check()


async def test_a_connection_lost_before_login_is_tried_once_more(mailboxes: Mailboxes) -> None:
    server = Pop3Server(twists={GREETING: [Act.CLOSE]})
    backend = await mailboxes.open(server)
    await backend.check()
    assert server.connections == 2


@pytest.mark.parametrize("bad", ["a\r\nDELE 1", "a\nb", "a\0b", "a\rb", "\ud800"])
async def test_no_credential_can_hold_a_command(mailboxes: Mailboxes, bad: str) -> None:
    """R-POP-11: line ends and NUL are refused before there is a connection."""
    for credentials in (replace(CREDENTIALS, username=bad), replace(CREDENTIALS, secret=bad)):
        server = Pop3Server()
        backend = await mailboxes.open(server, credentials=credentials)
        with pytest.raises(InvalidRequest):
            await backend.check()
        assert server.connections == 0


@given(st.text())
def test_what_is_sent_is_one_line(text: str) -> None:
    """R-POP-11: whatever passes the check is one line of UTF-8."""
    try:
        require_sendable(replace(CREDENTIALS, username="x" + text, secret=text))
    except InvalidRequest:
        return
    assert not set("\r\n\0") & set(text.encode().decode())


async def test_a_space_in_the_login_needs_sasl(mailboxes: Mailboxes) -> None:
    """R-POP-11: USER takes one word; PLAIN takes any."""
    spaced = replace(CREDENTIALS, username="two words")
    server = Pop3Server(capabilities=("USER",))
    backend = await mailboxes.open(server, credentials=spaced)
    with pytest.raises(InvalidRequest):
        await backend.check()
    assert server.heard == ["CAPA"]
    able = Pop3Server()
    await (await mailboxes.open(able, credentials=spaced)).check()
    assert able.heard[1] == "AUTH PLAIN " + b64encode(f"\0two words\0{SECRET}".encode()).decode()


async def test_user_and_pass_are_used_if_sasl_is_not_needed(mailboxes: Mailboxes) -> None:
    server = Pop3Server(capabilities=None)
    await (await mailboxes.open(server)).check()
    assert server.heard == ["CAPA", f"USER {USER}", f"PASS {SECRET}", "CAPA", "UIDL", "LIST"]


async def test_a_server_that_takes_no_password_gets_none(mailboxes: Mailboxes) -> None:
    """R-POP-09: capabilities without USER and PLAIN: nothing secret is sent on the off chance."""
    server = Pop3Server(capabilities=("STLS", "SASL GSSAPI"))
    with pytest.raises(UpstreamError):
        await (await mailboxes.open(server)).check()
    assert server.heard == ["CAPA"]


async def test_a_mechanism_that_was_a_lie_is_a_refusal(mailboxes: Mailboxes) -> None:
    """R-POP-09: the list of mechanisms lies: no other one is tried with the same password."""
    server = Pop3Server(capabilities=("SASL PLAIN LOGIN",), twists={"AUTH": b"-ERR no such thing\r\n"})
    with pytest.raises(LoginRefused):
        await (await mailboxes.open(server)).check()
    assert server.verbs == ["CAPA", "AUTH"]


@pytest.mark.parametrize("offered", ["OAUTHBEARER", "XOAUTH2"])
async def test_an_access_token_signs_in(mailboxes: Mailboxes, offered: str) -> None:
    """A short token goes with the command, a long one after the challenge (RFC 5034, 4)."""
    for secret in (SECRET, SECRET + "x" * 500):
        credentials = Credentials("test", CREDENTIALS.protocol, "a=b,c", secret, SecretKind.ACCESS_TOKEN)
        server = Pop3Server(capabilities=(f"SASL PLAIN {offered}",))
        await (await mailboxes.open(server, credentials=credentials)).check()
        name = "n,a=a=3Db=2Cc," if offered == "OAUTHBEARER" else "user=a=b,c"
        response = b64encode(f"{name}\x01auth=Bearer {secret}\x01\x01".encode()).decode()
        expected = [f"AUTH {offered} {response}"] if secret == SECRET else [f"AUTH {offered}", response]
        assert server.heard[1:] == [*expected, "CAPA", "LIST"]


@pytest.mark.parametrize(("offered", "dummy"), [("OAUTHBEARER", "AQ=="), ("XOAUTH2", "")])
async def test_a_refused_token_is_acknowledged(mailboxes: Mailboxes, offered: str, dummy: str) -> None:
    credentials = replace(CREDENTIALS, kind=SecretKind.ACCESS_TOKEN)
    twists: dict[str, Twist | list[Twist]] = {"AUTH": b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n", dummy: b"-ERR\r\n"}
    server = Pop3Server(capabilities=(f"SASL {offered}",), twists=twists)
    backend = await mailboxes.open(server, credentials=credentials)
    with pytest.raises(LoginRefused):
        await backend.check()
    assert server.heard[2] == dummy


async def test_challenges_without_end_are_cut(mailboxes: Mailboxes) -> None:
    credentials = replace(CREDENTIALS, kind=SecretKind.ACCESS_TOKEN)
    twists: dict[str, Twist | list[Twist]] = dict.fromkeys(("AUTH", "AQ==", "*"), b"+ \r\n")
    server = Pop3Server(capabilities=("SASL OAUTHBEARER",), twists=twists)
    with pytest.raises(UpstreamProtocol):
        await (await mailboxes.open(server, credentials=credentials)).check()


async def test_apop_is_not_fallen_for(mailboxes: Mailboxes) -> None:
    """R-POP-09: a challenge in the greeting is not answered: APOP proves nothing and gives MD5 of the password away."""
    server = Pop3Server(twists={GREETING: b"+OK <1896.697170952@example.org>\r\n"})
    await (await mailboxes.open(server)).check()
    assert "APOP" not in server.verbs


async def test_apop_is_used_if_it_is_configured(mailboxes: Mailboxes) -> None:
    """R-POP-09: the digest of challenge and password, and the password itself never."""
    server = Pop3Server(letters(2))
    backend = await mailboxes.open(server, apop=True)
    assert (await backend.list_folders())[0].total_messages == 2
    assert server.heard[1] == f"APOP {USER} {md5(CHALLENGE + SECRET.encode()).hexdigest()}"
    assert SECRET not in "".join(server.heard)
    wrong = Pop3Server()
    with pytest.raises(LoginRefused):
        await (await mailboxes.open(wrong, credentials=replace(CREDENTIALS, secret="x"), apop=True)).check()
    assert wrong.verbs == ["CAPA", "APOP"]


@pytest.mark.parametrize(
    "greeting", [b"+OK\r\n", b"+OK <no msg-id>\r\n", b"+OK <a@b\xff>\r\n", b"+OK <a@b<c>\r\n", b"+OK a@b\r\n"]
)
async def test_apop_without_a_challenge_is_refused(mailboxes: Mailboxes, greeting: bytes) -> None:
    """R-POP-09: a greeting without one, or with what is no msg-id (CVE-2007-1558), gets neither digest nor password."""
    server = Pop3Server(twists={GREETING: greeting})
    with pytest.raises(UpstreamError):
        await (await mailboxes.open(server, apop=True)).check()
    assert server.heard == ["CAPA"]


async def test_a_challenge_said_in_clear_is_forgotten_under_tls(
    mailboxes: Mailboxes, certificate: Path, server_tls: ssl.SSLContext
) -> None:
    """R-POP-09: nothing from before the handshake is used after it (RFC 2595, 4)."""
    server = Pop3Server(capabilities=("STLS", "USER"), tls=server_tls)
    backend = await mailboxes.open(server, security=Security.STARTTLS, ca_file=certificate, apop=True)
    with pytest.raises(UpstreamError):
        await backend.check()
    assert server.verbs == ["CAPA", "STLS", "CAPA"]


async def test_capabilities_said_in_clear_are_asked_again_under_tls(
    mailboxes: Mailboxes, certificate: Path, server_tls: ssl.SSLContext
) -> None:
    """R-POP-09: PIPELINING and SASL of the first answer count for nothing."""
    before = b"+OK\r\nSTLS\r\nSASL PLAIN\r\nPIPELINING\r\n.\r\n"
    server = Pop3Server(letters(2), ("USER", "UIDL"), twists={"CAPA": [before]}, tls=server_tls)
    spaced = replace(CREDENTIALS, username="two words")
    with pytest.raises(InvalidRequest):  # USER cannot carry it, and PLAIN is not offered where it is safe
        await (
            await mailboxes.open(server, credentials=spaced, security=Security.STARTTLS, ca_file=certificate)
        ).check()
    assert server.verbs == ["CAPA", "STLS", "CAPA"]


async def test_stls_comes_before_anything_secret(
    mailboxes: Mailboxes, certificate: Path, server_tls: ssl.SSLContext
) -> None:
    server = Pop3Server(letters(2), capabilities=("STLS", "USER", "UIDL", "TOP"), tls=server_tls)
    backend = await mailboxes.open(server, security=Security.STARTTLS, ca_file=certificate)
    assert (await backend.list_folders())[0].total_messages == 2
    assert server.verbs == ["CAPA", "STLS", "CAPA", "USER", "PASS", "CAPA", "UIDL", "LIST"]


async def test_implicit_tls_is_verified(mailboxes: Mailboxes, certificate: Path, server_tls: ssl.SSLContext) -> None:
    trusted = Pop3Server(letters(2), tls=server_tls, implicit=True)
    await (await mailboxes.open(trusted, security=Security.TLS, ca_file=certificate)).check()
    assert trusted.logins == 1
    stranger = Pop3Server(tls=server_tls, implicit=True)
    with pytest.raises(UpstreamTls):
        await (await mailboxes.open(stranger, security=Security.TLS)).check()
    assert stranger.heard == []


@pytest.mark.parametrize(
    ("capabilities", "answer"),
    [
        (("USER",), None),
        (None, b"-ERR what?\r\n"),
        (("STLS", "USER"), b"-ERR no\r\n"),
        (("STLS", "USER"), b"+OK begin\r\n+OK injected\r\n"),
        (("STLS", "USER"), b"+OK begin\r\n-"),
    ],
)
async def test_stls_stripped_refused_or_injected_into_is_the_end(
    mailboxes: Mailboxes,
    certificate: Path,
    capabilities: tuple[str, ...] | None,
    answer: bytes | None,
) -> None:
    """R-POP-09: no TLS where TLS is demanded: nothing secret is sent, nothing said in clear is believed."""
    server = Pop3Server(capabilities=capabilities, twists={"STLS": answer} if answer else {})
    backend = await mailboxes.open(server, security=Security.STARTTLS, ca_file=certificate)
    with pytest.raises(UpstreamTls):
        await backend.check()
    assert not any(USER in line or SECRET in line for line in server.heard)


async def test_plain_octets_instead_of_a_handshake_fail_it(mailboxes: Mailboxes, certificate: Path) -> None:
    """R-POP-09: what is injected a segment later, when the client has begun its handshake, meets that."""
    server = Pop3Server(capabilities=("STLS", "USER"), twists={"STLS": b"+OK begin\r\n", "": b"+OK injected\r\n"})
    backend = await mailboxes.open(server, security=Security.STARTTLS, ca_file=certificate)
    with pytest.raises((UpstreamTls, UpstreamTimeout, UpstreamUnavailable)):
        await backend.check()
    assert not any(USER in line or SECRET in line for line in server.heard)
