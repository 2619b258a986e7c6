"""Markdown to HTML: CommonMark with tables, with the ids that GitHub gives to headings."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

_ALIGNED = re.compile(r"text-align:(\w+)")
_LEVEL = re.compile(r"h[1-6]")
Follow = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Text:
    """``html`` is the body. ``sections`` are the headings of the second level: id and words."""

    title: str
    html: str
    sections: tuple[tuple[str, str], ...]


@cache
def _parser() -> MarkdownIt:
    # Raw HTML stays: the files are our own and hold comments. The page's policy lets nothing run.
    return MarkdownIt("commonmark").enable("table")


def render(source: str, follow: Follow) -> Text:
    """``follow`` gives the address of a link, or None for one that leads nowhere: its words stay."""
    parser, env = _parser(), dict[str, Any]()
    tokens = parser.parse(source, env)
    headings = list(_number(tokens))
    for token in tokens:
        _align(token)
        if token.children:
            token.children = list(_followed(token.children, follow))
    assert isinstance(parser.renderer, RendererHTML)
    html = parser.renderer.render(tokens, parser.options, env)
    title = next((words for level, _, words in headings if level == "h1"), "")
    return Text(title, html, tuple((name, words) for level, name, words in headings if level == "h2"))


def _number(tokens: Sequence[Token]) -> Iterator[tuple[str, str, str]]:
    """Gives each heading its id; yields level, id and words."""
    seen: dict[str, int] = {}
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            words = "".join(child.content for child in inline.children or ())
            name = slug(words)
            seen[name] = count = seen.get(name, -1) + 1
            token.attrSet("id", name := f"{name}-{count}" if count else name)
            yield token.tag, name, words


def slug(words: str) -> str:
    """The anchor that GitHub makes: lower case, hyphens for spaces, no punctuation."""
    return re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")


def _align(token: Token) -> None:
    """The parser aligns cells by a style attribute, which the page's policy refuses: a class instead."""
    if found := _ALIGNED.match(str(token.attrs.pop("style", ""))):
        token.attrSet("class", found[1])


def _followed(tokens: Sequence[Token], follow: Follow) -> Iterator[Token]:
    is_open = True
    for token in tokens:
        if token.type == "link_open":
            target = follow(str(token.attrs["href"]))
            is_open = target is not None
            token.attrSet("href", target or "")
        if is_open or token.type not in {"link_open", "link_close"}:
            yield token
