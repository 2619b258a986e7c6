"""What the wire stands on, and hostile answers: bounded in time and memory, and never taken for the next answer."""

import inspect
import time

import pytest
from aiosmtplib import esmtp, protocol
from aiosmtplib.protocol import FlowControlMixin, SMTPProtocol

from service.mail.errors import MailError, UpstreamError, UpstreamProtocol, UpstreamTimeout, UpstreamUnavailable
from service.mail.submission.submitter import LOST
from tests.adapters.smtp.large import forget_peak, memory
from tests.adapters.smtp.sending import MESSAGE, TWO, Attempt, submitter_to
from tests.servers.scripted import Chunked, Drip, Flood, Hang, ScriptedServer, Send, Step
from tests.servers.smtp import Smtp, ehlo
from tests.unheld import HELD, watched

FAULTS = (UpstreamProtocol, UpstreamTimeout, UpstreamUnavailable)


def test_aiosmtplib_has_the_private_names_in_use() -> None:
    """The library is pinned; a new version that moves these fails here, not in production."""
    flow = inspect.getsource(FlowControlMixin)
    assert {"_drain_helper", "pause_writing", "resume_writing", "connection_lost"} <= vars(FlowControlMixin).keys()
    assert all(f"self.{name} = " in flow for name in ("_loop", "_paused", "_connection_lost"))
    made = inspect.getsource(SMTPProtocol)
    assert all(f"self.{name}" in made for name in ("transport", "_over_ssl", "_response_waiter", "_quit_sent"))
    assert list(inspect.signature(SMTPProtocol.__init__).parameters) == ["self", "loop", "connection_lost_callback"]
    assert {"connection_made", "connection_lost", "data_received", "eof_received"} <= vars(SMTPProtocol).keys()
    assert protocol.COMMAND_INJECTION_REGEX.search(b"a\rb")
    assert esmtp.parse_esmtp_extensions("mx\nSIZE 5\nAUTH A B") == ({"size": "5", "auth": "A B"}, ["a", "b"])


HOSTILE: dict[str, Step] = {
    "a banner of 5 MB": Flood(b"x" * 100, 5 << 20),
    "a banner of 5 MB in lines": Flood(b"220-" + b"x" * 70 + b"\r\n", 5 << 20),
    "an answer without end": Flood(b"250-x\r\n"),
    "short lines without end": Flood(b"250-\r\n"),
    "answers without end": Flood(b"250 ok\r\n"),
    "line breaks without end": Flood(b"\n"),
    "digits without end": Flood(b"2"),
    "an octet at a time": Chunked(b"250-" + b"x" * 9000, 1),
    "drops for ever": Drip(b"250-" + b"x" * 90, 0.05),
    "NUL": Send(b"\0" * 1000),
    "IMAP": Send(b"* OK ready\r\n"),
    "TLS": Send(b"\x16\x03\x03\x00\x05hello\r\n"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("verb", ["", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "END"])
async def test_a_hostile_answer_is_bounded(verb: str, name: str) -> None:
    """R-SMTP-15: at each step: the request ends in time, memory is constant, the loop is not held."""
    step = HOSTILE[name]
    script: list[Step] = [Smtp(answers={verb: [step, Hang()]})] if verb else [step, Hang()]
    forget_peak()
    before, began = memory("VmRSS"), time.monotonic()
    async with ScriptedServer(script) as server:
        async with watched() as watch:
            sent = await Attempt().to(server)
        flooded = server.flooded
    if verb == "END" and name == "answers without end":
        assert sent.receipt is not None  # the first is the answer
    elif verb == "END":
        assert type(sent.error) is UpstreamError
        assert sent.code == LOST
    else:
        assert isinstance(sent.error, FAULTS)
    assert watch.longest < HELD
    assert time.monotonic() - began < 10
    assert memory("VmHWM") - before < 8 << 20
    assert flooded < 4 << 20


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"250 more\r\n", UpstreamProtocol),
        (b"550 more\r\n", UpstreamProtocol),
        (b"2", UpstreamProtocol),
        (b"421 bye\r\n", UpstreamUnavailable),
    ],
)
@pytest.mark.parametrize("verb", ["EHLO", "AUTH", "RCPT"])
async def test_an_answer_to_nothing_is_never_taken_for_the_next(verb: str, said: bytes, kind: type[MailError]) -> None:
    """R-SMTP-16: said behind an answer. Nothing is sent then."""
    usual = {"EHLO": ehlo(b"AUTH PLAIN"), "AUTH": b"235 in\r\n", "RCPT": b"250 ok\r\n"}
    smtp = Smtp(answers={verb: usual[verb] + said})
    async with ScriptedServer([smtp]) as server:
        sent = await Attempt().to(server)
    assert type(sent.error) is kind
    assert smtp.messages == []


async def test_a_greeting_in_two_is_refused() -> None:
    """R-SMTP-16."""
    async with ScriptedServer([Smtp(greeting=b"220 mx\r\n220 mx\r\n")]) as server:
        sent = await Attempt().to(server)
    assert type(sent.error) is UpstreamProtocol


async def test_what_is_said_between_two_messages_ends_the_connection() -> None:
    """R-SMTP-16: the next message goes by another one, and has its own answers."""
    first = Smtp(answers={"END": b"250 ok\r\n550 5.7.1 canary\r\n"})
    second = Smtp()
    async with ScriptedServer(lambda number: [(first, second)[min(number, 1)]]) as server:
        submitter = submitter_to(server)
        assert (await Attempt().by(submitter, close=False)).receipt is not None
        assert (await Attempt().by(submitter)).receipt is not None
    assert (len(first.messages), second.messages) == (1, [MESSAGE])


async def test_answers_to_pipelined_commands_are_given_to_each() -> None:
    """R-SMTP-16: in their order, in one segment or octet by octet."""
    together = b"250 sender\r\n250 bob\r\n550-no\r\n550 cy\r\n"

    class Pipelined:
        async def play(self, connection: object) -> None:
            lines = [await connection.line() for _ in range(2)]  # type: ignore[attr-defined]
            assert [line[:9] for line in lines] == [b"RCPT TO:<", b"RCPT TO:<"]

    for step in (Send(together), Chunked(together)):
        async with ScriptedServer([Smtp(answers={"MAIL": [Pipelined(), step]})]) as server:
            sent = await Attempt(envelope=TWO, partial=True).to(server)
        assert sent.receipt is not None
        assert sent.receipt.accepted == ("bob@example.net",)
        assert [each.text for each in sent.receipt.rejected] == ["no cy"]
