"""Signing in by each mechanism, and what refusals mean."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import replace

import pytest
from scramp import ScramMechanism  # type: ignore[import-untyped]

from service.accounts.credentials import Credentials, SecretKind
from service.mail.errors import (
    InvalidRequest,
    LoginRefused,
    MailError,
    TooManyRequests,
    UpstreamError,
    UpstreamProtocol,
    UpstreamTls,
    UpstreamUnavailable,
)
from tests.adapters.smtp.sending import CREDENTIALS, SECRET, USER, submitter_to
from tests.servers.scripted import Connection, Expect, ScriptedServer, Step, play_all
from tests.servers.smtp import Smtp

TOKEN = replace(CREDENTIALS, secret="ya29.token", kind=SecretKind.ACCESS_TOKEN)
PLAIN = b"AUTH PLAIN " + b64encode(f"\0{USER}\0{SECRET}".encode())


def line(what: bytes) -> Expect:
    return Expect(lambda said: said == what, tagged=False)


async def signed_in(
    smtp: Smtp, credentials: Credentials = CREDENTIALS
) -> tuple[frozenset[str] | MailError, list[bytes]]:
    """What became of it, and the commands."""
    async with ScriptedServer([smtp]) as server:
        submitter = submitter_to(server, credentials)
        try:
            end: frozenset[str] | MailError = await submitter.check()
        except MailError as error:
            end = error
        finally:
            await submitter.aclose()
    return end, server.commands


async def test_the_extensions_are_known_after_login() -> None:
    end, commands = await signed_in(Smtp())
    assert isinstance(end, frozenset)
    assert set(end) == {"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "AUTH"}
    assert commands[1] == PLAIN


async def test_login_is_used_if_there_is_no_plain() -> None:
    answers: Sequence[Step] = [
        b"334 VXNlcm5hbWU6\r\n", line(b64encode(USER.encode())),
        b"334 UGFzc3dvcmQ6\r\n", line(b64encode(SECRET.encode())), b"235 in\r\n",
    ]  # fmt: skip
    end, commands = await signed_in(Smtp(mechanisms=b"LOGIN", answers={"AUTH": answers}))
    assert isinstance(end, frozenset)
    assert commands[1] == b"AUTH LOGIN"


async def test_the_old_form_of_auth_is_understood() -> None:
    end, commands = await signed_in(Smtp(mechanisms=b"", extensions=(b"AUTH=PLAIN",)))
    assert isinstance(end, frozenset)
    assert commands[1] == PLAIN


@pytest.mark.parametrize("mechanism", [b"XOAUTH2", b"OAUTHBEARER"])
async def test_an_access_token_is_sent(mechanism: bytes) -> None:
    end, commands = await signed_in(Smtp(mechanisms=b"PLAIN " + mechanism), TOKEN)
    assert isinstance(end, frozenset)
    verb, name, response = commands[1].split()
    assert (verb, name) == (b"AUTH", mechanism)
    assert b"auth=Bearer ya29.token" in b64decode(response)


@pytest.mark.parametrize(("mechanism", "dismissal"), [(b"XOAUTH2", b""), (b"OAUTHBEARER", b"AQ==")])
async def test_a_refused_token_is_dismissed(mechanism: bytes, dismissal: bytes) -> None:
    """R-SMTP-12: the reason comes as a challenge, which has to be answered (RFC 7628, 3.2.3)."""
    answers: Sequence[Step] = [b"334 eyJzdGF0dXMiOiI0MDEifQ==\r\n", line(dismissal), b"535 5.7.8 no\r\n"]
    end, _ = await signed_in(Smtp(mechanisms=mechanism, answers={"AUTH": answers}), TOKEN)
    assert type(end) is LoginRefused


async def test_a_long_token_is_sent_when_it_is_asked_for() -> None:
    """R-SMTP-12: a command has at most 512 octets (RFC 5321, 4.5.3.1.4)."""
    token = replace(TOKEN, secret="x" * 2000)
    response = b64encode(f"user={USER}\x01auth=Bearer {token.secret}\x01\x01".encode())
    answers: Sequence[Step] = [b"334 \r\n", line(response), b"235 in\r\n"]
    end, commands = await signed_in(Smtp(mechanisms=b"XOAUTH2", answers={"AUTH": answers}), token)
    assert isinstance(end, frozenset)
    assert commands[1] == b"AUTH XOAUTH2"


async def test_a_server_without_a_way_for_tokens_gets_none() -> None:
    end, commands = await signed_in(Smtp(), TOKEN)
    assert type(end) is LoginRefused
    assert len(commands) == 2 == commands.index(b"QUIT") + 1


@pytest.mark.parametrize("mechanisms", [b"", b"GSSAPI CRAM-MD5"])
async def test_a_server_without_a_way_for_passwords_gets_none(mechanisms: bytes) -> None:
    """R-SMTP-12: nothing is sent without login either."""
    end, commands = await signed_in(Smtp(mechanisms=mechanisms))
    assert type(end) is UpstreamError
    assert [command.split()[0] for command in commands] == [b"EHLO", b"QUIT"]


class Scram:
    """The server's part of SCRAM-SHA-256."""

    def __init__(self, first: bytes, *, proves: bool = True) -> None:
        self._response = first.split(b" ")[2]
        self._proves = proves

    async def play(self, connection: Connection) -> None:
        mechanism = ScramMechanism("SCRAM-SHA-256")
        information = mechanism.make_auth_info(SECRET, iteration_count=4096)
        server = mechanism.make_server(lambda _: information)
        server.set_client_first(b64decode(self._response).decode())
        await connection.send(b"334 " + b64encode(server.get_server_first().encode()) + b"\r\n")
        server.set_client_final(b64decode(await connection.line()).decode())
        if self._proves:
            await connection.send(b"334 " + b64encode(server.get_server_final().encode()) + b"\r\n")
            assert await connection.line() == b""
        await connection.send(b"235 2.7.0 in\r\n")


async def test_a_password_is_proven_by_scram() -> None:
    """R-SMTP-12: it is not sent, although PLAIN is offered."""
    smtp = Smtp(mechanisms=b"PLAIN SCRAM-SHA-256", answers={"AUTH": lambda command: [Scram(command)]})
    end, commands = await signed_in(smtp)
    assert isinstance(end, frozenset), end
    assert commands[1].startswith(b"AUTH SCRAM-SHA-256 ")
    assert PLAIN not in commands


async def test_a_server_that_does_not_prove_itself_is_refused() -> None:
    """R-SMTP-12: it says OK without knowing the password."""
    smtp = Smtp(mechanisms=b"SCRAM-SHA-256", answers={"AUTH": lambda command: [Scram(command, proves=False)]})
    end, _ = await signed_in(smtp)
    assert type(end) is UpstreamTls


async def test_if_scram_is_refused_at_once_the_password_is_sent() -> None:
    """R-SMTP-12: the server has no verifier for this user."""
    smtp = Smtp(
        mechanisms=b"PLAIN SCRAM-SHA-256",
        answers={"AUTH": lambda command: b"535 no\r\n" if b"SCRAM" in command else b"235 in\r\n"},
    )
    end, commands = await signed_in(smtp)
    assert isinstance(end, frozenset)
    assert PLAIN in commands


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        (b"535 5.7.8 wrong canary-text", LoginRefused, None),
        (b"535 wrong", LoginRefused, None),
        (b"535 5.7.8 Error: authentication failed: (reason unavailable)", LoginRefused, None),
        (b"535 Error: authentication failed: (reason unavailable)", LoginRefused, None),
        (b"535 5.7.8 authentication failed, try again later", LoginRefused, None),
        (b"530 5.7.0 authentication required", LoginRefused, None),
        (b"550 5.7.1 blocked", LoginRefused, None),
        (b"534 5.7.9 Application-specific password required", LoginRefused, None),
        (b"534 5.7.14 Please try again later", UpstreamUnavailable, "534 5.7.14"),
        (b"454 4.7.0 Temporary authentication failure canary-text", UpstreamUnavailable, "454 4.7.0"),
        (b"432 4.7.12 A password transition is needed", UpstreamUnavailable, "432 4.7.12"),
        (b"421 4.7.0 canary-text", UpstreamUnavailable, "421 4.7.0"),
        (b"535 5.7.0 too many failed attempts canary-text", TooManyRequests, None),
        (b"535 5.7.0 temporarily locked", UpstreamUnavailable, "535 5.7.0"),
        (b"538 5.7.11 Encryption required", UpstreamTls, None),
        (b"504 5.5.4 unknown mechanism", UpstreamError, "504 5.5.4"),
        (b"500 5.5.6 line too long", UpstreamError, "500 5.5.6"),
        (b"354 go on", UpstreamProtocol, None),
    ],
)
async def test_a_refused_login_means(said: bytes, kind: type[MailError], code: str | None) -> None:
    """R-SMTP-12: whether it is the credentials, the moment or the server. Nothing of its text is shown."""
    end, commands = await signed_in(Smtp(answers={"AUTH": said + b"\r\n"}))
    assert type(end) is kind
    assert getattr(end, "code", None) == code
    assert "canary-text" not in end.detail
    assert SECRET not in repr(end)
    assert sum(command.startswith(b"AUTH") for command in commands) == 1


async def test_a_login_of_endless_challenges_ends() -> None:
    """R-SMTP-12."""

    class Ask:
        async def play(self, connection: Connection) -> None:
            while True:
                await play_all([b"334 \r\n", Expect(tagged=False)], connection)

    end, _ = await signed_in(Smtp(answers={"AUTH": [Ask()]}))
    assert type(end) is UpstreamProtocol


@pytest.mark.parametrize("username", ["", "a\0b"])
async def test_a_login_that_cannot_be_sent_is_refused_here(username: str) -> None:
    """R-SMTP-13."""
    end, commands = await signed_in(Smtp(), replace(CREDENTIALS, username=username))
    assert type(end) is InvalidRequest
    assert not any(command.startswith(b"AUTH") for command in commands)


async def test_a_login_with_line_breaks_stays_one_command() -> None:
    """R-SMTP-13: base64 carries them."""
    end, commands = await signed_in(Smtp(), replace(CREDENTIALS, secret="a\r\nRSET\r\n"))
    assert isinstance(end, frozenset)
    assert b"RSET" not in commands


async def test_a_check_of_a_kept_connection_looks_again() -> None:
    """It may have died: then another one is opened."""
    async with ScriptedServer(lambda number: [Smtp(answers={"NOOP": b"421 bye\r\n"} if not number else {})]) as server:
        submitter = submitter_to(server)
        await submitter.check()
        await submitter.check()
        await submitter.check()
        await submitter.aclose()
        async with asyncio.timeout(5):
            await server.all_closed()
    assert server.connections == 2
