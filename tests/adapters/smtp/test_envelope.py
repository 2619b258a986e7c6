"""Addresses and parameters: what is sent, and what is refused before anything is."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.adapters.smtp.wire.commands import mail, recipients, require_sendable, xtext
from service.mail.cleaning import has_controls
from service.mail.errors import InvalidRequest, NotSupported
from service.mail.submission.submitter import Envelope
from tests.adapters.smtp.sending import ENVELOPE, TWO, Attempt
from tests.servers.scripted import ScriptedServer
from tests.servers.smtp import EXTENSIONS, Smtp

FULL = Envelope("ann@example.org", ("bob@example.net",), size=1234, is_8bit=True, is_utf8=True, id="a=b+c d")


async def commands_of(envelope: Envelope, extensions: tuple[bytes, ...] = EXTENSIONS) -> list[str]:
    """MAIL and RCPT as they went out."""
    async with ScriptedServer([Smtp(extensions=extensions)]) as server:
        await Attempt(envelope=envelope).to(server)
    return [line.decode() for line in server.commands if line.startswith((b"MAIL", b"RCPT"))]


async def test_every_parameter_that_the_server_knows_is_sent() -> None:
    assert await commands_of(FULL) == [
        "MAIL FROM:<ann@example.org> SIZE=1234 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+3Db+2Bc+20d",
        "RCPT TO:<bob@example.net> NOTIFY=SUCCESS,FAILURE,DELAY",
    ]


async def test_a_server_without_extensions_gets_no_parameters() -> None:
    """R-SMTP-17: notifications and 8-bit are left out, and the message goes."""
    envelope = replace(FULL, is_utf8=False)
    assert await commands_of(envelope, ()) == ["MAIL FROM:<ann@example.org>", "RCPT TO:<bob@example.net>"]


async def test_parameters_that_are_not_needed_are_not_sent() -> None:
    assert await commands_of(ENVELOPE) == ["MAIL FROM:<ann@example.org>", "RCPT TO:<bob@example.net>"]


async def test_an_empty_sender_is_sent_as_such() -> None:
    assert (await commands_of(replace(ENVELOPE, sender="")))[0] == "MAIL FROM:<>"


@pytest.mark.parametrize(
    "envelope", [replace(ENVELOPE, is_utf8=True), replace(ENVELOPE, recipients=("büro@example.net",))]
)
async def test_letters_beyond_ascii_need_a_server_that_takes_them(envelope: Envelope) -> None:
    """R-SMTP-17: RFC 6531."""
    async with ScriptedServer([Smtp(extensions=EXTENSIONS[:3])]) as server:
        sent = await Attempt(envelope=envelope).to(server)
    assert type(sent.error) is NotSupported
    assert not any(command.startswith(b"MAIL") for command in server.commands)


async def test_an_address_beyond_ascii_is_sent_in_utf8() -> None:
    sent = await commands_of(replace(ENVELOPE, recipients=("büro@example.net",), is_utf8=True))
    assert sent == ["MAIL FROM:<ann@example.org> BODY=8BITMIME SMTPUTF8", "RCPT TO:<büro@example.net>"]


BAD = (
    "a\r\nDATA@example.org", "a@example.org\r\nRSET", "a@example.org\n", "a\0@example.org", "a@example.org\x7f", "a\x85b@example.org",
    "a\u2028b@example.org", "a@example.org> SIZE=1", "a@example.org>\tX", "<a@example.org>", "a b@example.org", "a@b c", "a@b@c", "@example.org",
    "a@", "a", "", '"a@example.org', '"a\r\nb"@example.org', '"a"b"@example.org', "\ud800@example.org", "x" * 400 + "@example.org",
    "a@[127.0.0.1", "a@[1\r\n2]", "a,b@example.org", "a@example.org,b@example.org", "\u3000@example.org",
)  # fmt: skip


@pytest.mark.parametrize("address", BAD)
async def test_an_address_that_would_end_its_command_is_refused_before_the_wire(address: str) -> None:
    """R-SMTP-13, R-HTTP-20: of sender and recipients."""
    for envelope in (
        replace(ENVELOPE, recipients=("bob@example.net", address)),
        replace(ENVELOPE, sender=address or " "),
    ):
        async with ScriptedServer([Smtp()]) as server:
            sent = await Attempt(envelope=envelope).to(server)
        assert type(sent.error) is InvalidRequest
        assert server.connections == 0
        assert not has_controls(sent.error.detail)


@pytest.mark.parametrize(
    "address",
    ["a@example.org", "a+b=c@example.org", "!#$%&'*+-/=?^_`{|}~@example.org", '"a b"@example.org', '"a\\"b@c"@example.org',
     "a@[192.0.2.1]", "a@[IPv6:2001:db8::1]", "büro@example.org", "a@localhost", "a..b@example.org", ".a@example.org"],
)  # fmt: skip
def test_an_odd_address_is_not_refused(address: str) -> None:
    require_sendable(Envelope(address, (address,)))


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_address_makes_two_commands_of_one(local: str, domain: str) -> None:
    """R-SMTP-13: whatever it is, it is refused or stays within its angle brackets."""
    envelope = Envelope(f"{local}@{domain}", (f"{local}@{domain}",), id="1")
    try:
        require_sendable(envelope)
    except InvalidRequest:
        return
    for line in (mail(envelope, {"SMTPUTF8", "DSN"}), *recipients(envelope, {"DSN"})):
        assert not has_controls(line)
        assert len(line.splitlines()) == 1
        inner = line[line.index("<") + 1 : line.rindex(">")]
        assert inner == f"{local}@{domain}"


def test_no_recipients_are_no_message() -> None:
    with pytest.raises(InvalidRequest):
        require_sendable(replace(TWO, recipients=()))


def test_an_envelope_id_has_a_hundred_letters_at_most() -> None:
    """R-SMTP-17: RFC 3461, 4.4. A longer one is left out, and the message is sent."""
    assert xtext("x" * 100) == "x" * 100
    assert xtext("=" * 34) is None
    assert mail(replace(TWO, id="x" * 101), {"DSN"}).endswith(" RET=HDRS")
