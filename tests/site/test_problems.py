"""The page of each problem type: its cause, what to do, and an example that is such a problem."""

import json
import re
from html import unescape
from pathlib import Path

import pytest

import service
from service.api.openapi.problem_examples import PROBLEM_EXAMPLES
from service.api.problems import BY_NAME, Problem
from service.site.causes import CAUSES
from service.site.problems import problem
from tests.markdown import read
from tests.site.test_pages import Html

OF_A_TYPE = {
    "not-found": "what",
    "not-supported": "capability",
    "invalid-request": "errors",
    "recipients-refused": "recipients",
}
"""Members that only problems of one type have."""


def sections(name: str) -> dict[str, str]:
    """The text below each heading of the page."""
    page = problem(name).content.decode()
    found = re.findall(r'<h2 id="[\w-]+">(.*?)</h2>\n(.*?)(?=<h2|</main>)', page, re.DOTALL)
    return {title: unescape(re.sub(r"<[^>]+>", "", text)).strip() for title, text in found}


def test_the_tables_have_every_problem_and_nothing_else() -> None:
    assert CAUSES.keys() == BY_NAME.keys() == PROBLEM_EXAMPLES.keys()


@pytest.mark.parametrize("name", BY_NAME)
def test_a_page_has_three_parts(name: str) -> None:
    kind, parts = BY_NAME[name], sections(name)
    assert list(parts) == ["Cause", "What to do", "Example"]
    assert parts["Cause"] == CAUSES[name].replace("`", "")
    assert parts["What to do"].startswith(kind.advice.replace("`", ""))
    assert ("may succeed later" in parts["What to do"]) is kind.retryable


@pytest.mark.parametrize("name", BY_NAME)
def test_an_example_is_such_a_problem(name: str) -> None:
    """With the members that this type has, and those of no other type."""
    kind = BY_NAME[name]
    head, _, body = sections(name)["Example"].partition("\n\n")
    example = Problem.model_validate_json(body)
    assert head == f"HTTP/1.1 {kind.status}\nContent-Type: application/problem+json"
    assert (example.type, example.status, example.title) == (f"/problems/{name}", kind.status, kind.title)
    assert example.instance.startswith("/v1/")
    assert [member for member in OF_A_TYPE.values() if member in json.loads(body)] == [
        member for each, member in OF_A_TYPE.items() if each == name
    ]


def test_all_that_may_not_be_found_is_named() -> None:
    """By the guide."""
    sources = [file.read_text() for file in Path(service.__file__).parent.rglob("*.py")]
    kinds = {kind for text in sources for kind in re.findall(r'raise (?:errors\.)?NotFound\(\s*"(\w+)"', text)}
    assert len(kinds) > 8
    [row] = [line for line in read("docs/errors.md").splitlines() if "| `not-found` |" in line]
    assert kinds <= set(re.findall(r"\w+", row.rpartition("says what:")[2]))


def test_the_page_is_one_of_the_site() -> None:
    page = Html(problem("login-refused").content.decode())
    assert {"../guides", "../docs", "../guides/errors"} <= set(page.links)
