"""A process that is killed while it sends, at any piece of what passes between it and the mail servers.

``CASELLA_ROUNDS`` sets the number of kills; without it there are five. Each hits several messages, each in another phase.
Two more are right at the end of a message, which decides whether it was sent.
"""

import asyncio
import logging
import os
import random
import signal
from collections import Counter
from collections.abc import Sequence

import httpx
import pytest

from tests.deploy.replica import Replica
from tests.ops.sending import KINDS, RETRY_SECONDS, Letter, Outcome, client_of, problem, sending_environment
from tests.servers.proxy import passing
from tests.servers.sink import Sink
from tests.servers.submission import SendingDovecot

pytestmark = pytest.mark.dovecot
ROUNDS = int(os.environ.get("CASELLA_ROUNDS", "0"))
STEPS = 155
"""Pieces, both ways and to both servers, by which three messages are sent and filed."""
END = b".\r\n"
UNKNOWN = "upstream-error outcomeUnknown"
_log = logging.getLogger(__name__)


class Kill:
    """Counts pieces once it is armed, and kills at one of them: at the end of a message if ``step`` is None. The piece may
    be lost with the process."""

    def __init__(self, step: int | None, *, is_lost: bool) -> None:
        self._step, self._is_lost = step, is_lost
        self.victim: Replica | None = None
        self.passed = 0
        self.has_killed = False

    async def fate(self, octets: bytes) -> tuple[bytes, bool]:
        if self.victim is None:
            return octets, True
        self.passed += 1
        if octets == END if self._step is None else self.passed == self._step:
            self.has_killed = True
            self.victim.send(signal.SIGKILL)
            return b"" if self._is_lost else octets, not self._is_lost
        return octets, True


class Round:
    """One kill, and what became of the messages."""

    def __init__(self, submission: SendingDovecot, sink: Sink, other: Replica) -> None:
        self._submission, self._sink, self._other = submission, sink, other
        self.letters = [Letter(kind, submission.user("killed")) for kind in KINDS]
        self.answers: Counter[str] = Counter()

    async def kill(self, step: int | None, *, is_lost: bool) -> None:
        kill = Kill(step, is_lost=is_lost)
        ports = self._submission.ports
        async with (
            passing(ports.imap, fate=kill.fate) as imap,
            passing(self._submission.submission, fate=kill.fate) as smtp,
            Replica(sending_environment(self._submission, smtp.port, imap.port)) as victim,
        ):
            clients = [client_of(victim.url, letter.user) for letter in self.letters]
            for letter, client in zip(self.letters, clients, strict=True):
                assert (await client.get("/folders")).is_success
                await letter.prepare(client)
            kill.victim = victim
            sending = [letter.send(client) for letter, client in zip(self.letters, clients, strict=True)]
            answered = await asyncio.gather(*sending, return_exceptions=True)
            if not kill.has_killed:
                victim.send(signal.SIGKILL)
            await victim.ended(10)
            await asyncio.gather(*(client.aclose() for client in clients))
        for answer in answered:
            assert isinstance(answer, httpx.TransportError) or (
                isinstance(answer, httpx.Response) and answer.is_success
            ), getattr(answer, "text", answer)
            self.answers["answered" if isinstance(answer, httpx.Response) else "cut off"] += 1

    async def ask_again(self) -> None:
        """Another process gets the same requests, until each has an answer for good."""
        await asyncio.gather(*map(self._ask_again, self.letters))

    async def _ask_again(self, letter: Letter) -> None:
        async with client_of(self._other.url, letter.user) as client, asyncio.timeout(RETRY_SECONDS):
            while True:
                answer = await letter.send(client)
                said = "sent" if answer.is_success else problem(answer)
                if said in {"sent", UNKNOWN} or (letter.kind == "draft" and said == "not-found"):
                    break
                assert answer.status_code in {409, 503, 504}, answer.text
                await asyncio.sleep(0.2)
        self.answers[said] += 1
        outcome = Outcome(self._submission, self._sink, letter.user)
        if said != UNKNOWN:  # a draft that is not found has left for Sent
            outcome.require_sent_once(letter)
            return
        [(_, flags)] = outcome.within("Drafts", letter)
        assert {"$draft", "$submitpending"} <= flags
        assert outcome.within("Sent", letter) == []
        delivered = outcome.delivered(letter)
        assert delivered <= 1
        self.answers[f"unknown, {'delivered' if delivered else 'not delivered'}"] += 1

    def require_none_twice(self) -> None:
        assert all(len(self._sink.delivered_to(letter.to)) <= 1 for letter in self.letters)


def steps() -> Sequence[int | None]:
    """Each kill at another one; without ``CASELLA_ROUNDS`` spread over all of them."""
    if ROUNDS:
        return [None, None, *(random.randint(1, STEPS) for _ in range(ROUNDS))]
    return [None, None, *(random.randint(start, start + 30) for start in range(1, STEPS, 31))]


@pytest.mark.timeout(max(150, ROUNDS * 30))
async def test_a_process_killed_while_it_sends_loses_nothing_and_sends_nothing_twice(
    submission: SendingDovecot, sink: Sink
) -> None:
    """R-SEND-15: the same request to another process sends the message, or says that it was sent, or that this is not
    known; then the draft is still there."""
    answers: Counter[str] = Counter()
    async with Replica(sending_environment(submission, submission.submission)) as other, asyncio.TaskGroup() as group:
        rounds = []
        for number, step in enumerate(steps()):
            one = Round(submission, sink, other)
            await one.kill(step, is_lost=number % 2 == 1)
            group.create_task(one.ask_again())
            rounds.append(one)
    for one in rounds:
        one.require_none_twice()
        answers += one.answers
    _log.info("%d kills: %s", len(rounds), dict(answers))
    assert answers[UNKNOWN] >= 2
    assert answers["sent"]
