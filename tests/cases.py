"""The table of fault cases: which tests name which. `make cases` writes it, a test holds it."""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

TESTS = Path(__file__).parent
TABLE = TESTS.parent / "docs" / "reliability.md"
ID = re.compile(r"R-[A-Z]+-\d\d")
_HEAD = """# Fault cases

What hostile and broken servers, clients and mail may do, and the tests that hold it. Made by `make cases` from `tests/cases.toml`
and the tests' docstrings; do not edit.

| case | what it is | held by |
|---|---|---|
"""


def known() -> dict[str, dict[str, str]]:
    """``must``, ``should`` and ``excused``, each by id."""
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
    rows = [
        f"| {one} | {what} | {_held(held.get(one, []), cases['excused'].get(one))} |"
        for level in ("must", "should")
        for one, what in cases[level].items()
    ]
    return _HEAD + "\n".join(rows) + "\n"


def _held(tests: list[str], excuse: str | None) -> str:
    by_file: defaultdict[str, list[str]] = defaultdict(list)
    for place in tests:
        file, _, name = place.partition("::")
        by_file[file].append(name.removeprefix("test_"))
    told = [f"[{file}](../tests/{file}) {', '.join(filter(None, names))}".rstrip() for file, names in by_file.items()]
    return "; ".join([*told, *([f"*{excuse}*"] if excuse else [])]) or "*nothing yet*"


if __name__ == "__main__":
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(table())
