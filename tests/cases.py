"""The table of fault cases: which tests name which, and whether they pass.

``python -m tests.cases`` writes it, a test holds it. What it says of results is proved at the end of ``make test``, by
``python -m tests.cases REPORT…``, from pytest's reports in JUnit's form.
"""

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

TESTS = Path(__file__).parent
TABLE = TESTS.parent / "docs" / "reliability.md"
ID = re.compile(r"R-[A-Z]+-\d\d")
_WITHOUT_TEST = {"excused": "not built", "commanded": "by command"}
_HEAD = """# Fault cases

What hostile and broken servers, clients and mail may do, and the tests that hold it. Made by `make cases` from `tests/cases.toml`
and the tests' docstrings; do not edit. `make test` fails where a case that passes here does not.

| case | what it is | result | held by |
|---|---|---|---|
"""


def known() -> dict[str, dict[str, str]]:
    """``must``, ``should``, ``excused`` and ``commanded`` (held by a command beside the tests), each by id."""
    return tomllib.loads((TESTS / "cases.toml").read_text())


@cache
def named() -> Mapping[str, list[str]]:
    """Where each id is named: ``imap/test_wire.py::test_x``, or the file where its docstring does."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for file in sorted(TESTS.rglob("*.py")):
        for place, text in _docstrings(ast.parse(file.read_text())):
            for one in dict.fromkeys(ID.findall(text)):
                found[one].append(f"{file.relative_to(TESTS)}{place}")
    return found


def _docstrings(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            place = "" if isinstance(node, ast.Module) else f"::{node.name}"
            yield place, ast.get_docstring(node) or ""


def table() -> str:
    """The page as it has to be."""
    cases, held = known(), named()
    remarks = cases["excused"] | cases["commanded"]
    rows = [
        f"| {one} | {what} | {_result(one, cases, held)} | {_held(held.get(one, []), remarks.get(one))} |"
        for level in ("must", "should")
        for one, what in cases[level].items()
    ]
    return _HEAD + "\n".join(rows) + "\n"


def _result(one: str, cases: Mapping[str, Mapping[str, str]], held: Mapping[str, list[str]]) -> str:
    if one in held:
        return "passes"
    return next((result for kind, result in _WITHOUT_TEST.items() if one in cases[kind]), "open")


def _held(tests: list[str], excuse: str | None) -> str:
    by_file: defaultdict[str, list[str]] = defaultdict(list)
    for place in tests:
        file, _, name = place.partition("::")
        by_file[file].append(name.removeprefix("test_"))
    told = [f"[{file}](../tests/{file}) {', '.join(filter(None, names))}".rstrip() for file, names in by_file.items()]
    return "; ".join([*told, *([f"*{excuse}*"] if excuse else [])]) or "*nothing yet*"


def unproven(*reports: Path) -> list[str]:
    """The cases that are said to pass, of which no test did."""
    passed = {_place(test) for report in reports for test in _tests(report) if not _outcomes(test)}
    return [one for one, places in named().items() if not _of(places, passed)]


def left_out(report: Path) -> dict[str, list[str]]:
    """Why tests were skipped: each reason, and the cases of which these tests are."""
    skipped: defaultdict[str, set[str]] = defaultdict(set)
    for test in _tests(report):
        outcome = test.find("skipped")
        if outcome is not None and outcome.attrib.get("type") != "pytest.xfail":  # expected failures are reported alike
            skipped[outcome.attrib.get("message", "no reason")].add(_place(test))
    return {why: [one for one, places in named().items() if _of(places, tests)] for why, tests in skipped.items()}


def _tests(report: Path) -> Iterator[ElementTree.Element]:
    return ElementTree.parse(report).iter("testcase")


def _outcomes(test: ElementTree.Element) -> set[str]:
    """Empty for a test that passed."""
    return {child.tag for child in test} & {"failure", "error", "skipped"}


def _place(test: ElementTree.Element) -> str:
    file = test.attrib["classname"].removeprefix("tests.").replace(".", "/")
    return f"{file}.py::{test.attrib['name'].partition('[')[0]}"


def _of(places: list[str], tests: set[str]) -> set[str]:
    """Those of the tests that are named, or whose whole file is."""
    return {test for test in tests if test in places or test.partition("::")[0] in places}


def _main(reports: list[str]) -> str | None:
    """What is wrong, if anything."""
    if not reports:
        TABLE.write_text(table())
        return None
    first, *others = map(Path, reports)
    for why, cases in left_out(first).items():
        sys.stdout.write(f"Skipped: {why} (tests of {', '.join(sorted(cases)) or 'no case'})\n")
    found = unproven(first, *(report for report in others if report.exists()))
    return f"no test passed of {', '.join(found)}" if found else None


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
