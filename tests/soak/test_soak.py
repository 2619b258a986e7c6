"""The soak for a few seconds, with more faults. ``make soak`` is the long one."""

import logging
from pathlib import Path

import pytest

from tests.soak.clients import Report
from tests.soak.faults import KINDS, Faults
from tests.soak.run import Plan, soak
from tests.soak.watch import Sample, caches_in, found_in, miscounted

pytestmark = pytest.mark.dovecot
PLAN = Plan(seconds=8, workers=6, accounts=8, faults=0.2, every=2)
IN_TURN = Plan(
    seconds=10, workers=6, accounts=30, faults=0, is_in_turn=True, cache=64 << 10, seeded=12, connections=20, every=2
)
_log = logging.getLogger(__name__)


def say(report: Report, faults: Faults, sample: Sample) -> None:
    _log.info("%.0f s: %s, %s, %d octets", sample.seconds, dict(report.answers), dict(faults.done), sample.octets)


async def test_mixed_load_with_faults(tmp_path: Path) -> None:
    """R-OPS-13, R-HTTP-14: everybody gets their own mail, octet for octet, or is told what is wrong; nothing that was
    stored is lost; and neither log nor errors nor metrics have a password, a token or a word of anybody's mail."""
    soaked = await soak(PLAN._replace(folder=tmp_path), say)
    assert soaked.wrong == []
    assert soaked.faults.done.keys() == set(KINDS)
    assert soaked.report.answers[200] > soaked.faults.done.total()
    assert all(soaked.collected.values())
    assert soaked.report.events


@pytest.mark.long
async def test_many_accounts_in_turn_on_a_small_cache(tmp_path: Path) -> None:
    """R-OPS-20, R-OPS-21: each pushes out what was kept of others; what is counted is what is kept, and nothing
    fails."""
    soaked = await soak(IN_TURN._replace(folder=tmp_path), say)
    assert soaked.wrong == []
    assert soaked.report.answers[200] > 2 * IN_TURN.accounts
    assert all(0 < soaked.caches[protocol].kept <= IN_TURN.cache for protocol in ("imap", "pop3"))


def test_what_is_counted_and_not_kept_would_be_found() -> None:
    """R-OPS-21: the check itself."""
    metrics = "\n".join(
        f'casella_cache_{name}{{protocol="{protocol}"}} {octets}'
        for name, protocol, octets in (
            ("octets", "imap", 100), ("kept_octets", "imap", 90), ("octets", "pop3", 80), ("kept_octets", "pop3", 80),
        )
    )  # fmt: skip
    assert [one.split(":")[0] for one in miscounted(caches_in(metrics), 100)] == ["imap"]
    assert [one.split(":")[0] for one in miscounted(caches_in(metrics), 79)] == ["imap", "pop3"]


def test_what_is_looked_for_would_be_found() -> None:
    """R-HTTP-14: the search itself."""
    files = {"log": b'{"event":"x","password":"abc"}', "errors": b"{}"}
    assert found_in(files, {"abc": "password", "def": "token"}) == ["a password in log"]
