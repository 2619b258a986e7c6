"""Two processes get the same send with the same key at the same instant.

``CASELLA_ROUNDS`` sets the number of pairs; without it there are 8.
"""

import asyncio
import logging
import os
from collections import Counter

import pytest

from tests.deploy.replica import Replica
from tests.ops.sending import KINDS, Letter, Outcome, client_of, sending_environment
from tests.servers.sink import Sink
from tests.servers.submission import SendingDovecot

pytestmark = pytest.mark.dovecot
PAIRS = int(os.environ.get("CASELLA_ROUNDS", "0")) or 8
OF_A_USER = 10
_log = logging.getLogger(__name__)


@pytest.mark.timeout(max(150, PAIRS * 5))
@pytest.mark.parametrize("kind", KINDS)
async def test_the_same_send_to_two_processes_leaves_once(submission: SendingDovecot, sink: Sink, kind: str) -> None:
    """R-SEND-14: one delivery, one copy in Sent, and nothing stays in Drafts. Both requests succeed, unless the draft
    had left before the other process saw it."""
    env = sending_environment(submission, submission.submission)
    longest = 0.0
    answers: Counter[tuple[int, ...]] = Counter()
    async with Replica(env) as one, Replica(env) as two:
        for number in range(0, PAIRS, OF_A_USER):
            user = submission.user()
            async with client_of(one.url, user) as first, client_of(two.url, user) as second:
                await asyncio.gather(first.get("/folders"), second.get("/folders"))
                letters = [Letter(kind, user) for _ in range(min(OF_A_USER, PAIRS - number))]
                for letter in letters:
                    await letter.prepare(first)
                    began = asyncio.get_running_loop().time()
                    pair = await asyncio.gather(letter.send(first), letter.send(second))
                    longest = max(longest, asyncio.get_running_loop().time() - began)
                    assert any(each.is_success for each in pair), [each.text for each in pair]
                    assert all(each.is_success or each.status_code == 404 for each in pair), [
                        each.text for each in pair
                    ]
                    assert kind == "draft" or all(each.is_success for each in pair)
                    answers[tuple(sorted(each.status_code for each in pair))] += 1
            outcome = Outcome(submission, sink, user)
            for letter in letters:
                outcome.require_sent_once(letter)
            assert len(outcome.all("Drafts")) == 0
            assert len(outcome.all("Sent")) == len(letters)
    _log.info("%d pairs of %s: %s, %.1f s at most", PAIRS, kind, dict(answers), longest)
