"""The Markdown files that become pages, and the link from one to another."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from posixpath import dirname, join, normpath
from types import MappingProxyType

INDEX = "docs/README.md"
CONTRACT = "openapi/openapi.json"
_BESIDE: Mapping[str, str] = {"security": "SECURITY.md", "changelog": "CHANGELOG.md", "chart": "helm/README.md"}
"""Pages that do not lie in docs/."""
# A wheel and an image carry a copy of the files in ``texts``; a checkout has them beside the package.
_ROOTS = (Path(__file__).with_name("texts"), Path(__file__).parents[2])


def root() -> Path | None:
    """The folder that holds docs/; None if the package was installed without it."""
    return next((folder for folder in _ROOTS if (folder / INDEX).is_file()), None)


@cache
def pages() -> Mapping[str, str]:
    """The file of each page by the page's name; empty if there are no files. The index is not among them."""
    folder = root()
    if folder is None:
        return MappingProxyType({})
    docs = {file.stem: f"docs/{file.name}" for file in sorted((folder / "docs").glob("*.md"))}
    beside = {name: file for name, file in _BESIDE.items() if (folder / file).is_file()}
    return MappingProxyType({name: file for name, file in {**docs, **beside}.items() if file != INDEX})


@dataclass(frozen=True, slots=True)
class Group:
    """Guides under one heading of the index: the title of each, and its address below the service's root."""

    title: str
    guides: tuple[tuple[str, str], ...]


@cache
def groups() -> tuple[Group, ...]:
    """The index, for a column of links; empty if there are no files."""
    return tuple(_groups(read(INDEX))) if pages() else ()


def _groups(index: str) -> Iterator[Group]:
    for section in index.split("\n## ")[1:]:
        links = re.findall(r"^- \[(.*?)\]\((.*?)\)", section, re.MULTILINE)
        known = ((title, address(link, INDEX)) for title, link in links)
        yield Group(section.partition("\n")[0], tuple((title, path) for title, path in known if path))


def read(file: str) -> str:
    """The text of ``file``: a value of ``pages()``, or ``INDEX``."""
    folder = root()
    assert folder is not None
    return (folder / file).read_text(encoding="utf-8")


def address(link: str, file: str) -> str | None:
    """The path below the service's root that ``link`` in ``file`` leads to; None if the service does not serve it.

    Links within the page and to other hosts stay as they are.
    """
    if link.startswith(("#", "https:", "http:", "mailto:")):
        return link
    target, mark, fragment = link.partition("#")
    target = normpath(join(dirname(file), target))
    served = {INDEX: "guides", CONTRACT: "openapi.json"} | {path: f"guides/{name}" for name, path in pages().items()}
    return f"{served[target]}{mark}{fragment}" if target in served else None
