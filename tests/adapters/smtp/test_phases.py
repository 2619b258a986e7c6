"""The connection ends, or nothing more is said, at each phase: what is known then about the message."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from service.mail.errors import (
    MailError,
    TooLarge,
    UpstreamError,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from service.mail.submission.submitter import LOST
from tests.adapters.smtp.sending import ENVELOPE, MESSAGE, TIMING, Attempt, submitter_to
from tests.servers.scripted import Answer, Close, Connection, Hang, ScriptedServer, Send, Step
from tests.servers.smtp import Smtp

LARGE = (b"x" * 70 + b"\r\n") * 100_000
BEFORE = ("EHLO", "AUTH", "MAIL", "RCPT", "DATA")
AWAY = (UpstreamUnavailable, UpstreamTimeout)


async def test_a_message_arrives_as_it_is() -> None:
    smtp = Smtp()
    async with ScriptedServer([smtp]) as server:
        sent = await Attempt().to(server)
    assert sent.receipt is not None
    assert sent.receipt.accepted == ENVELOPE.recipients
    assert sent.commits == 1
    assert smtp.messages == [MESSAGE]
    assert server.commands[0] == b"EHLO [127.0.0.1]"


@pytest.mark.parametrize("end", [Close(), Close(reset=True), Hang()], ids=["closed", "reset", "silent"])
@pytest.mark.parametrize("verb", BEFORE)
async def test_an_end_before_the_message_sends_nothing(verb: str, end: Close | Hang) -> None:
    """R-SMTP-01: the error says that it may be tried again."""
    async with ScriptedServer([Smtp(answers={verb: [end]})]) as server:
        sent = await Attempt().to(server)
    assert isinstance(sent.error, AWAY)
    assert (sent.read, sent.commits) == (0, 0)


@pytest.mark.parametrize("greeting", [[Close()], [Hang()]], ids=["closed", "silent"])
async def test_no_greeting_sends_nothing(greeting: list[Close | Hang]) -> None:
    """R-SMTP-01."""
    async with ScriptedServer(greeting) as server:
        assert isinstance((await Attempt().to(server)).error, AWAY)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_an_end_within_the_message_sends_nothing(*, reset: bool) -> None:
    """R-SMTP-02: the server has some of it."""

    class Some:
        async def play(self, connection: Connection) -> None:
            await connection.exactly(100_000)

    smtp = Smtp(answers={"MESSAGE": [Some(), Close(reset=reset)]})
    async with ScriptedServer([smtp]) as server:
        sent = await Attempt(LARGE).to(server)
    assert type(sent.error) is UpstreamUnavailable
    assert sent.commits == 0
    assert smtp.messages == []


async def test_a_server_that_takes_nothing_of_the_message_is_left() -> None:
    """R-SMTP-02: within the time for one block, not for all."""
    async with ScriptedServer([Smtp(answers={"MESSAGE": [Hang(reads=False)]})]) as server:
        sent = await Attempt(LARGE * 3).to(server)
    assert type(sent.error) is UpstreamTimeout
    assert 0 < sent.read < len(LARGE) * 3
    assert sent.commits == 0


@pytest.mark.parametrize(
    "end",
    [[Close()], [Close(reset=True)], [Hang()], b"what\r\n", b"354 more\r\n", b"2", b"250-one\r\n250-two\r\n", [b"250-one\r\n", Close()]],
    ids=["closed", "reset", "silent", "garbage", "go on", "cut", "endless", "half"],
)  # fmt: skip
async def test_without_an_answer_to_the_end_the_outcome_is_unknown(end: Answer) -> None:
    """R-SMTP-03: exactly this code, so that nobody sends it again by himself."""
    smtp = Smtp(answers={"END": end})
    async with ScriptedServer([smtp]) as server:
        sent = await Attempt().to(server)
    assert type(sent.error) is UpstreamError
    assert sent.code == LOST
    assert sent.commits == 1
    assert smtp.messages == [MESSAGE]


class Stop(Exception):
    """What a caller may raise."""


@pytest.mark.parametrize("error", [Stop(), UpstreamUnavailable("the mailbox is gone")], ids=["any", "a mail error"])
async def test_a_commit_that_fails_sends_nothing(error: Exception) -> None:
    """R-SMTP-04: all octets are with the server, but not the end."""

    def fail() -> None:
        raise error

    smtp = Smtp()
    async with ScriptedServer([smtp]) as server:
        submitter = submitter_to(server)
        if isinstance(error, MailError):
            assert (await Attempt(at_commit=fail).by(submitter)).error is error
        else:
            with pytest.raises(Stop):
                await Attempt(at_commit=fail).by(submitter)
        await server.all_closed()
    assert smtp.messages == []


async def test_a_commit_comes_after_the_last_octet_and_before_the_end() -> None:
    """R-SMTP-04: the server has everything but the final dot."""
    seen: list[bytes] = []

    class Everything:
        async def play(self, connection: Connection) -> None:
            seen.append(await connection.exactly(len(LARGE)))
            committed.set()
            seen.append(await connection.exactly(3))

    committed = asyncio.Event()
    smtp = Smtp(answers={"MESSAGE": [Everything(), Send(b"250 ok\r\n")]})
    async with ScriptedServer([smtp]) as server:
        submitter = submitter_to(server)
        attempt = Attempt(LARGE)

        async def commit() -> None:
            async with asyncio.timeout(5):
                await committed.wait()
            assert seen == [LARGE]

        await submitter.submit(ENVELOPE, attempt.chunks(), commit)
        await submitter.aclose()
    assert seen == [LARGE, b".\r\n"]


async def test_cancelled_before_the_end_nothing_is_sent() -> None:
    """R-SMTP-05: the connection ends without a dot."""
    smtp = Smtp()
    begun = asyncio.Event()
    async with ScriptedServer([smtp]) as server:
        submitter = submitter_to(server)

        async def wait() -> None:
            begun.set()
            await asyncio.Event().wait()

        sending = asyncio.create_task(submitter.submit(ENVELOPE, Attempt().chunks(), wait))
        await begun.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await server.all_closed()
        await submitter.aclose()
    assert smtp.messages == []
    assert b"." not in server.commands


async def test_a_source_that_fails_ends_the_connection_without_a_dot() -> None:
    """R-SMTP-05: its own error is raised."""
    smtp = Smtp()
    async with ScriptedServer([smtp]) as server:
        submitter = submitter_to(server)
        attempt = Attempt()

        async def broken() -> AsyncIterator[bytes]:
            yield MESSAGE
            raise UpstreamProtocol("the mailbox talks nonsense", protocol="imap")

        with pytest.raises(UpstreamProtocol, match="nonsense"):
            await submitter.submit(ENVELOPE, broken(), attempt.commit)
        await server.all_closed()
        await submitter.aclose()
    assert smtp.messages == []
    assert attempt.commits == 0


@pytest.mark.parametrize(
    ("said", "code"), [(b"552 5.3.4 too big\r\n", None), (b"451 4.3.0 later\r\n", "451 4.3.0"), (b"421 bye\r\n", "421")]
)
@pytest.mark.parametrize("end", [Close(), Hang(reads=False), Hang()], ids=["closed", "stuck", "reading"])
async def test_an_answer_within_the_message_is_its_refusal(said: bytes, code: str | None, end: Close | Hang) -> None:
    """R-SMTP-06: the rest is not sent, and the answer is not lost in the end of the connection."""

    class Some:
        async def play(self, connection: Connection) -> None:
            await connection.exactly(100_000)

    smtp = Smtp(answers={"MESSAGE": [Some(), Send(said), end]})
    async with ScriptedServer([smtp]) as server:
        sent = await Attempt(LARGE * 3).to(server)
    assert sent.commits == 0
    assert sent.read < len(LARGE) * 3
    if not isinstance(end, Close):  # a close in the middle may take the answer with it
        assert sent.code == code
        assert sent.error is not None
        assert type(sent.error).__name__ == ("TooLarge" if code is None else "UpstreamUnavailable")


async def test_an_early_consent_is_not_believed() -> None:
    """R-SMTP-06: the server says that it has a message that was not sent yet."""

    class Some:
        async def play(self, connection: Connection) -> None:
            await connection.exactly(100_000)

    async with ScriptedServer([Smtp(answers={"MESSAGE": [Some(), Send(b"250 ok\r\n"), Hang()]})]) as server:
        sent = await Attempt(LARGE * 3).to(server)
    assert type(sent.error) is UpstreamProtocol
    assert sent.commits == 0


class Stall:
    """Reads no more, until the client can send no more."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    async def play(self, connection: Connection) -> None:
        await connection.exactly(100_000)
        connection.transport.pause_reading()
        before = 0
        while before != self._attempt.read:
            before = self._attempt.read
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("end", [Hang(reads=False), Close(reset=True)], ids=["stays", "leaves"])
async def test_an_answer_within_the_message_is_heard_at_once(end: Hang | Close) -> None:
    """R-SMTP-06: although the server takes no more of the message, and the end of the connection comes with it."""
    attempt = Attempt(LARGE * 3)
    answer: list[Step] = [Stall(attempt), Send(b"552 5.3.4 too big\r\n"), end]
    async with ScriptedServer([Smtp(answers={"MESSAGE": answer})]) as server, asyncio.timeout(10):
        await attempt.by(submitter_to(server, timing=replace(TIMING, block=60)))
    assert type(attempt.error) is TooLarge
    assert attempt.commits == 0
    assert attempt.read < len(attempt.message)
