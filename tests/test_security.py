"""SECURITY.md promises what is tested."""

import re

from tests.cases import ID, TESTS, known, named

PAGE = (TESTS.parent / "SECURITY.md").read_text()


def test_every_case_it_names_is_held() -> None:
    cases = known()
    promised = set(ID.findall(PAGE))
    assert promised <= cases["must"].keys()
    assert promised <= named().keys()


def test_every_promise_names_a_case() -> None:
    rows = re.findall(r"^\| (?!promise|-)(.*) \| (.*) \|$", PAGE, re.MULTILINE)
    assert len(rows) > 10
    assert all(ID.search(cases) for _, cases in rows)
