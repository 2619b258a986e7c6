"""Estimates the cost of parsing HTML with a browser-grade parser, in one linear scan.

The parsers are exact, and quadratic in three things a sender chooses: how deep elements nest, how many attributes one
tag has, and how many formatting elements are left open for every later block to repeat.
"""

import re
from html import unescape

MAX_DEPTH = 400
MAX_ATTRIBUTES = 2000
_MAX_WORK = 400_000

_OPENING = re.compile(r"<(/?)([a-zA-Z][^\s/>]{0,40})")
# A tag that its name does not end. Of the name only a letter is consumed, since it may hold the start of another tag.
_ATTRIBUTED = re.compile(r"</?[a-zA-Z](?=([^\s/>]{0,40}+)(?!>))")
# The attributes of a tag, read as the HTML standard reads them (13.2.5.32 and following).
_ATTRIBUTE = r"[\s/]*+[^\s/>][^\s/>=]*+(?>(?:\s*+=\s*+(?>(?:\"[^\"]*+\"?+|'[^']*+'?+|[^\s>\"'][^\s>]*+)?))?)"
_ATTRIBUTES = re.compile(rf"(?>(?:{_ATTRIBUTE}){{0,{MAX_ATTRIBUTES}}})[\s/]*+")
_ANY_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*>")

# These end by themselves, so they nest only inside others, which count.
_SELF_ENDING_NAMES = (
    "area base br col embed hr img input link meta param source track wbr p li dt dd tr td th thead tbody tfoot"
    " colgroup option html head body"
)
_SELF_ENDING = frozenset(_SELF_ENDING_NAMES.split())
_FORMATTING = frozenset(
    ["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"]
)


def is_costly(html: str) -> bool:
    """Whether it costs too much to parse. Never counts less nesting than there is, if foreign elements are removed."""
    return _nests_deep(html) or _has_crowded_tag(html)


def without_tags(html: str) -> str:
    """The approximate text of HTML that costs too much to parse."""
    return unescape(_ANY_TAG.sub(" ", html))


def _nests_deep(html: str) -> bool:
    """An end tag counts only if its element is open: stray ones must not hide depth."""
    if html.count("<") <= MAX_DEPTH:
        return False
    counts: dict[str, int] = {}
    depth = formatting = work = 0
    for slash, name in _OPENING.findall(html):
        name = name.lower()
        work += formatting
        open_now = counts.get(name, 0)
        if name in _SELF_ENDING or (slash and not open_now):
            continue
        step = -1 if slash else 1
        counts[name] = open_now + step
        depth += step
        formatting += step if name in _FORMATTING else 0
        if depth > MAX_DEPTH or work > _MAX_WORK:
            return True
    return False


def _has_crowded_tag(html: str) -> bool:
    """Every place where a tag may start is read as one: comments and quotes cannot hide it. Places that overlap pay
    from a budget, since honest tags do not overlap."""
    budget = 4 * len(html)
    for opening in _ATTRIBUTED.finditer(html, 0, max(0, len(html) - 2 * MAX_ATTRIBUTES)):
        start = opening.start()
        attributes = _ATTRIBUTES.match(html, opening.end(1))
        end = attributes.end() if attributes else opening.end(1)
        budget -= end - start
        if budget < 0 or (end - start > 2 * MAX_ATTRIBUTES and html[end : end + 1] not in {">", ""}):
            return True
    return False
