"""What a server refuses, at each step, and what the error says."""

from dataclasses import replace

import pytest

from service.mail.errors import (
    MailError,
    MessageRefused,
    RecipientsRefused,
    TooLarge,
    TooManyRequests,
    UpstreamError,
    UpstreamTls,
    UpstreamUnavailable,
)
from service.mail.submission.model import Rejected
from tests.adapters.smtp.sending import ENVELOPE, MESSAGE, TWO, Attempt
from tests.servers.scripted import Answers, Close, ScriptedServer
from tests.servers.smtp import EXTENSIONS, Smtp

VERBS = ("MAIL", "RCPT", "DATA", "END")
Text = "a person said so"


async def refused(answers: Answers, attempt: Attempt | None = None) -> tuple[Attempt, Smtp, list[bytes]]:
    """Sends to a server with these answers."""
    smtp = Smtp(answers=answers)
    async with ScriptedServer([smtp]) as server:
        attempt = await (attempt or Attempt()).to(server)
    return attempt, smtp, server.commands


@pytest.mark.parametrize("verb", [*VERBS, "EHLO", "AUTH"])
@pytest.mark.parametrize("said", [b"451 4.3.0 a person said so\r\n", b"450-4.2.1 a person\r\n450 4.2.1 said so\r\n"])
async def test_4xx_may_be_tried_later(verb: str, said: bytes) -> None:
    """R-SMTP-07: nothing is sent; the code is known, the text only after login."""
    sent, _, _ = await refused({verb: said})
    assert type(sent.error) is UpstreamUnavailable
    assert sent.code == " ".join(said.decode()[:9].replace("-", " ").split())
    assert sent.error.retry_after
    assert (Text in sent.error.detail) == (verb in VERBS)
    assert sent.commits == (verb == "END")


@pytest.mark.parametrize("verb", ["MAIL", "DATA", "END"])
@pytest.mark.parametrize("code", ["550 5.7.1", "554", "552 5.2.2", "530 5.7.0", "501 5.1.7"])
async def test_5xx_to_the_sender_or_the_message_is_for_good(verb: str, code: str) -> None:
    """R-SMTP-07."""
    sent, _, commands = await refused({verb: f"{code} a person said so\r\n".encode()})
    assert type(sent.error) is MessageRefused
    assert sent.code == code
    assert sent.error.detail == f"The mail server refused: {Text}"
    assert verb == "END" or b"RSET" in commands
    assert commands[-1] == b"QUIT"


@pytest.mark.parametrize("verb", [*VERBS, "EHLO", "AUTH"])
@pytest.mark.parametrize("closes", [False, True])
async def test_421_may_answer_any_command(verb: str, *, closes: bool) -> None:
    """R-SMTP-08: whether or not the connection is closed behind it."""
    said = b"421 4.3.2 going down\r\n"
    sent, _, _ = await refused({verb: [said, Close()] if closes else said})
    assert type(sent.error) is UpstreamUnavailable
    assert sent.code == "421 4.3.2"


@pytest.mark.parametrize("verb", [*VERBS, "AUTH"])
async def test_too_many_is_a_rate_limit(verb: str) -> None:
    """R-SMTP-07: recognised by its words, as with other protocols."""
    sent, _, _ = await refused({verb: b"450 4.7.1 too many messages, rate limit exceeded\r\n"})
    assert type(sent.error) is TooManyRequests
    assert sent.error.retry_after
    assert ("450 4.7.1" in sent.error.detail) == (verb != "AUTH")


@pytest.mark.parametrize(
    ("greeting", "kind", "code"),
    [
        (b"421 4.3.2 later\r\n", UpstreamUnavailable, "421 4.3.2"),
        (b"450 4.3.2 later\r\n", UpstreamUnavailable, "450 4.3.2"),
        (b"554 5.7.1 not from there\r\n", UpstreamError, "554 5.7.1"),
    ],
)
async def test_a_greeting_may_refuse(greeting: bytes, kind: type[MailError], code: str) -> None:
    """R-SMTP-08: none of the server's text is shown before login."""
    async with ScriptedServer([greeting]) as server:
        sent = await Attempt().to(server)
    assert type(sent.error) is kind
    assert sent.code == code
    assert "there" not in sent.error.detail


@pytest.mark.parametrize("verb", ["MAIL", "DATA", "END"])
@pytest.mark.parametrize("code", ["552 5.3.4", "552 5.2.3", "552"])
async def test_too_large_says_how_large_it_may_be(verb: str, code: str) -> None:
    """R-SMTP-09: with the server's figure."""
    sent, _, _ = await refused({verb: f"{code} too big\r\n".encode()})
    assert type(sent.error) is TooLarge
    assert "50000000" in sent.error.detail


async def test_a_size_above_the_servers_is_refused_before_anything_is_sent() -> None:
    """R-SMTP-09: the server's SIZE (RFC 1870)."""
    envelope = replace(ENVELOPE, size=50_000_001)
    sent, _, commands = await refused({}, Attempt(envelope=envelope))
    assert type(sent.error) is TooLarge
    assert "50000000" in sent.error.detail
    assert not any(command.startswith(b"MAIL") for command in commands)


@pytest.mark.parametrize("stated", [b"SIZE", b"SIZE 0", b"SIZE x", b"SIZE -1", b"SIZE " + b"9" * 5000])
async def test_a_size_of_nothing_is_no_limit(stated: bytes) -> None:
    """R-SMTP-09."""
    async with ScriptedServer([Smtp(extensions=(stated,))]) as server:
        sent = await Attempt(envelope=replace(ENVELOPE, size=len(MESSAGE))).to(server)
    assert sent.receipt is not None


async def test_a_message_that_grows_beyond_the_size_is_not_sent() -> None:
    """R-SMTP-09: a source that has more than was said."""
    smtp = Smtp(extensions=(b"SIZE 1000",))
    async with ScriptedServer([smtp]) as server:
        sent = await Attempt(MESSAGE * 100, size=500).to(server)
        await server.all_closed()
    assert type(sent.error) is TooLarge
    assert smtp.messages == []


def one_of_two(command: bytes) -> bytes:
    return b"550-5.1.1 no\r\n550 5.1.1 such user\r\n" if b"cy@" in command else b"250 2.1.5 ok\r\n"


async def test_one_recipient_of_two_is_refused_and_nothing_is_sent() -> None:
    """R-SMTP-10: without ``partial``. The connection is good for another message."""
    sent, smtp, commands = await refused({"RCPT": one_of_two}, Attempt(envelope=TWO))
    assert isinstance(sent.error, RecipientsRefused)
    assert sent.error.recipients == (("cy@example.net", "550 5.1.1", "no such user"),)
    assert smtp.messages == []
    assert commands[-2:] == [b"RSET", b"QUIT"]
    assert sent.commits == 0


async def test_with_partial_the_other_recipient_gets_it() -> None:
    """R-SMTP-10."""
    sent, smtp, _ = await refused({"RCPT": one_of_two}, Attempt(envelope=TWO, partial=True))
    assert sent.receipt is not None
    assert sent.receipt.accepted == ("bob@example.net",)
    assert sent.receipt.rejected == (Rejected(email="cy@example.net", code="550 5.1.1", text="no such user"),)
    assert smtp.messages == [MESSAGE]


@pytest.mark.parametrize("partial", [False, True])
async def test_all_recipients_are_refused(*, partial: bool) -> None:
    """R-SMTP-10: whether or not some would do."""
    sent, smtp, _ = await refused({"RCPT": b"550 no\r\n"}, Attempt(envelope=TWO, partial=partial))
    assert isinstance(sent.error, RecipientsRefused)
    assert [each.code for each in sent.error.recipients] == ["550", "550"]
    assert smtp.messages == []


async def test_a_recipient_who_is_refused_for_now_may_be_tried_later() -> None:
    """R-SMTP-10: greylisting of one of two: nothing is sent, and all may be sent later."""

    def later(command: bytes) -> bytes:
        return b"450 4.7.1 greylisted\r\n" if b"cy@" in command else b"250 ok\r\n"

    sent, smtp, _ = await refused({"RCPT": later}, Attempt(envelope=TWO))
    assert type(sent.error) is UpstreamUnavailable
    assert sent.code == "450 4.7.1"
    sent, smtp, _ = await refused({"RCPT": later}, Attempt(envelope=TWO, partial=True))
    assert sent.receipt is not None
    assert [each.code for each in sent.receipt.rejected] == ["450 4.7.1"]
    assert len(smtp.messages) == 1


async def test_more_recipients_than_the_server_takes_are_named() -> None:
    """R-SMTP-10: trying later would not help."""

    def one(command: bytes) -> bytes:
        return b"452 4.5.3 too many recipients\r\n" if b"cy@" in command else b"250 ok\r\n"

    sent, _, _ = await refused({"RCPT": one}, Attempt(envelope=TWO))
    assert isinstance(sent.error, RecipientsRefused)
    assert sent.error.recipients[0].code == "452 4.5.3"


async def test_a_mix_of_refusals_names_them_all() -> None:
    """R-SMTP-10: one for good, one for now."""

    def both(command: bytes) -> bytes:
        return b"450 4.7.1 later\r\n" if b"cy@" in command else b"550 5.1.1 no\r\n"

    sent, _, _ = await refused({"RCPT": both}, Attempt(envelope=TWO))
    assert isinstance(sent.error, RecipientsRefused)
    assert [each.code for each in sent.error.recipients] == ["550 5.1.1", "450 4.7.1"]


async def test_a_sender_refused_at_the_end_of_the_connection_is_still_refused() -> None:
    """R-SMTP-07: the pipelined RCPT has no answer then."""
    sent, _, _ = await refused({"MAIL": [b"550 5.7.1 not you\r\n", Close()]})
    assert type(sent.error) is MessageRefused
    assert sent.code == "550 5.7.1"


async def test_without_pipelining_nothing_is_asked_after_a_refused_sender() -> None:
    """R-SMTP-07."""
    smtp = Smtp(extensions=EXTENSIONS[1:], answers={"MAIL": b"550 no\r\n"})
    async with ScriptedServer([smtp]) as server:
        await Attempt(envelope=TWO).to(server)
    assert not any(command.startswith(b"RCPT") for command in server.commands)


async def test_what_the_server_says_is_shown_clean_and_short() -> None:
    """R-SMTP-11: controls, direction overrides, length, 8-bit."""
    said = b"550 5.7.1 \x1b[31m bad \xe2\x80\xae\xff" + b"x" * 4000 + b"\r\n"
    sent, _, _ = await refused({"END": said})
    assert isinstance(sent.error, MessageRefused)
    assert sent.error.detail.isprintable()
    assert len(sent.error.detail) <= 200


async def test_an_enhanced_code_of_another_class_is_text() -> None:
    """R-SMTP-11: RFC 2034, 4."""
    sent, _, _ = await refused({"END": b"550 2.0.0 what\r\n"})
    assert sent.code == "550"


async def test_a_server_that_does_not_know_ehlo_is_no_server_to_send_by() -> None:
    """R-SMTP-08."""
    sent, _, _ = await refused({"EHLO": b"502 what\r\n"})
    assert type(sent.error) is UpstreamError
    assert sent.code == "502"


async def test_a_login_that_wants_tls_says_so() -> None:
    """R-SMTP-12."""
    sent, _, _ = await refused({"AUTH": b"530 5.7.0 Must issue a STARTTLS command first\r\n"})
    assert type(sent.error) is UpstreamTls
