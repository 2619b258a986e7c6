"""The soak for a few seconds, with more faults. ``make soak`` is the long one."""

import logging
from pathlib import Path

import pytest

from tests.soak.clients import Report
from tests.soak.faults import KINDS, Faults
from tests.soak.run import Plan, soak
from tests.soak.watch import Sample, found_in

pytestmark = pytest.mark.dovecot
PLAN = Plan(seconds=8, workers=6, accounts=8, faults=0.2, every=2)
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


def test_what_is_looked_for_would_be_found() -> None:
    """R-HTTP-14: the search itself."""
    files = {"log": b'{"event":"x","password":"abc"}', "errors": b"{}"}
    assert found_in(files, {"abc": "password", "def": "token"}) == ["a password in log"]
