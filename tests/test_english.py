"""The count of the old style finds what it should, and nothing else."""

from pathlib import Path

import pytest

from tests.english import Text, contract, docstrings, find, lowered, markdown, messages
from tests.markdown import ROOT

HERE = ROOT / "here.md"


def found(words: str, *fine: str) -> list[tuple[int, str]]:
    return [(one.line, one.words) for one in find(Text(HERE, 1, words), fine)]


@pytest.mark.parametrize(
    "words",
    [
        "None where the server is too old.", "It is empty where there is nothing.", "Where no key is set, one is made.",
        "Raises NotFound where nobody listens.", "How much has been told.", "Whoever asks gets it.", "Listed anew.",
        "How much one may do.", "This is no HTTP request.", "Who is woken looks.", "A place left to who waits.",
        "Read up to where it ends.", "So many.", "so\nmuch",
    ],
)  # fmt: skip
def test_the_old_style_is_found(words: str) -> None:
    assert found(words)


@pytest.mark.parametrize(
    "words",
    [
        "None if the server is too old.", "There is no such folder.", "It is no longer there.", "The folder where it lies.",
        "The log says where it happened.", "Where the line begins.", "Look where to go.", "From where the client stopped.",
        "Who may sign in?", "People who migrate mail.", "A client\nwho waits.", "The kind of thing.",
    ],
)  # fmt: skip
def test_plain_english_passes(words: str) -> None:
    assert found(words) == []


def test_a_phrase_of_the_list_passes() -> None:
    assert found("He told a story. Nobody listened.", "told a story") == []
    assert len(found("He told a tale.", "told a story")) == 1


def test_the_line_is_that_of_the_word() -> None:
    assert found("One.\n\n    So\n    many.")[0][0] == 3


def test_code_is_not_read(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A\n```sh\nnobody\n```\n`told` is a name.\nNobody.\n")
    assert [one.line for text in markdown(page) for one in find(text, ())] == [6]


def test_docstrings_and_comments_are_not_messages(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('"""One.\n\nNobody.\n"""\nX = "nobody is here"  # anew\nNAME = "nobody"\n')
    assert [one.line for text in docstrings(module) for one in find(text, ())] == [3, 5]
    assert [one.line for text in messages(module) for one in find(text, ())] == [5]


def test_the_contract_is_read_by_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    file.write_text('{\n  "summary": "Told \\"once\\".",\n  "example": "told"\n}\n')
    assert [one.line for text in contract(file) for one in find(text, ())] == [2]


def test_an_allowance_only_goes_down() -> None:
    assert lowered("fine = []\ndocs = 3\ncode = 1\n", {"docs": 2, "code": 4}) == "fine = []\ndocs = 2\ncode = 1\n"
