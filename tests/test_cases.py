"""The table of fault cases is true, and no case that must be held is forgotten."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cases import TABLE, known, left_out, named, table, unproven

ROOT = Path(__file__).parents[1]


def test_the_table_is_what_the_tests_name() -> None:
    assert TABLE.read_text() == table(), "run: make cases"


def test_every_case_that_must_be_held_is_held_or_excused() -> None:
    cases = known()
    assert cases["must"].keys() - named().keys() - cases["excused"].keys() == set()


def test_no_excuse_outlives_its_test() -> None:
    """What a test names is not excused, and every excuse is of a case and has a reason."""
    cases = known()
    remarks = cases["excused"] | cases["commanded"]
    assert remarks.keys() & named().keys() == set()
    assert cases["excused"].keys() <= cases["must"].keys()
    assert cases["commanded"].keys() <= cases["should"].keys()
    assert all(remarks.values())


def test_every_name_is_a_case_in_few_words() -> None:
    cases = known()
    words = cases["must"] | cases["should"]
    assert named().keys() <= words.keys()
    assert not cases["must"].keys() & cases["should"].keys()
    assert max(len(what.split()) for what in words.values()) <= 10


@pytest.mark.parametrize(
    ("outcomes", "is_proved"),
    [([""], True), (["<skipped/>", ""], True), (["<failure/>"], False), (["<skipped/>"], False), ([], False)],
)
def test_a_case_is_proved_by_a_test_that_passed(tmp_path: Path, outcomes: list[str], is_proved: bool) -> None:
    """Not by one that was left out or was expected to fail; of several parameters one is enough."""
    report = reported(tmp_path, outcomes)
    assert unproven(report) == ([] if is_proved else list(named()))
    assert (proof(report).returncode == 0) is is_proved


def test_what_was_skipped_is_said_with_its_reason(tmp_path: Path) -> None:
    """Without the public mail a run is green, and says what to set for more."""
    expected = '<skipped type="pytest.xfail" message="known"/>'
    report = reported(tmp_path, ["", '<skipped type="pytest.skip" message="set CASELLA_CORPUS"/>', expected])
    assert left_out(report) == {"set CASELLA_CORPUS": list(named())}
    ended = proof(report)
    assert ended.returncode == 0
    assert ended.stdout.startswith("Skipped: set CASELLA_CORPUS (tests of R-CONC-01, ")


def reported(folder: Path, outcomes: list[str]) -> Path:
    """A report in which each test that names a case ended in each of these ways."""
    places = [place.partition("::") for several in named().values() for place in several]
    cases = "".join(
        f'<testcase classname="tests.{file.removesuffix(".py").replace("/", ".")}" name="{name}[{at}]">{outcome}</testcase>'
        for file, _, name in places
        for at, outcome in enumerate(outcomes)
    )
    report = folder / "report.xml"
    report.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    return report


def proof(report: Path) -> "subprocess.CompletedProcess[str]":
    """As `make test` asks for it."""
    command = [sys.executable, "-m", "tests.cases", str(report)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
