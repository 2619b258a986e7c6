"""The table of fault cases: which tests name which, and whether they pass.

``python -m tests.cases`` writes it, a test holds it. What it says of results is proved at the end of ``make test``, by
``python -m tests.cases REPORT``, from pytest's report in JUnit's form.
"""

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
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


def unproven(report: Path) -> list[str]:
    """The cases that are said to pass, of which no test did."""
    passed = set()
    for case in ElementTree.parse(report).iter("testcase"):
        if not {child.tag for child in case} & {"failure", "error", "skipped"}:
            file = case.attrib["classname"].removeprefix("tests.").replace(".", "/")
            passed.add(f"{file}.py::{case.attrib['name'].partition('[')[0]}")
    return [one for one, places in named().items() if not passed & {*places, *_all_of(places, passed)}]


def _all_of(files: list[str], passed: set[str]) -> set[str]:
    """The tests of files whose own docstrings name the case."""
    return {test for test in passed if test.partition("::")[0] in files}


def _main(reports: list[str]) -> str | None:
    """What is wrong, if anything."""
    if not reports:
        TABLE.write_text(table())
        return None
    found = unproven(Path(reports[0]))
    return f"no test passed of {', '.join(found)}" if found else None


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
