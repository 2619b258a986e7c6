"""The pages of README and docs/: their blocks of code, links and headings."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from service.site.markdown import slug

ROOT = Path(__file__).parents[1]
GENERATED = ("docs/reference.md", "docs/reliability.md")
"""They have makers and tests of their own."""
PAGES = ("README.md", *sorted(f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md")))
WRITTEN = tuple(page for page in PAGES if page not in GENERATED)


class Block(NamedTuple):
    """A block of code, and the language it is marked with."""

    page: str
    language: str
    text: str


def read(page: str) -> str:
    return (ROOT / page).read_text()


def blocks(page: str) -> list[Block]:
    return [Block(page, *found) for found in re.findall(r"^```(\w*)\n(.*?)^```$", read(page), re.MULTILINE | re.DOTALL)]


def of(page: str, language: str) -> list[str]:
    return [block.text for block in blocks(page) if block.language == language]


def links(page: str) -> Iterator[str]:
    """Those that lead to a file or a heading here."""
    text = re.sub(r"^```.*?^```$", "", read(page), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"https?:|mailto:", link):
            yield link


def anchors(file: Path) -> set[str]:
    text = re.sub(r"^```.*?^```$", "", file.read_text(), flags=re.MULTILINE | re.DOTALL)
    return {slug(re.sub(r"[`*]", "", words)) for words in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
