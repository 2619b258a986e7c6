"""HTML of strangers, made safe to show by an allow-list, and made into text.

The allow-list is nh3's work (the HTML standard's own parsing rules); what is added here is that nothing is loaded from
anywhere, that styles cannot leave their place, and that no input costs more than its length.
"""

import re
from contextvars import ContextVar
from html import escape
from html.entities import html5
from secrets import token_hex
from typing import NamedTuple, TypeAlias

import nh3
from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser

from service.mail.mime.html.styles import safe_style, style_urls
from service.mail.mime.html.tags import is_costly, without_tags

MAX_CHARACTERS = 1024 * 1024
MAX_READ = 512 * 1024
MAX_IMAGE = 64 * 1024
MAX_REMOTE = 1000
_MAX_STYLE = 4000
_MAX_PASSES = 6
_MAX_REFERENCES = 10_000
_MAX_SLOW = 10_000
_END_TAG = "x-end-of-part"
_MAX_ESCAPED = 640 * 1024


Marked: TypeAlias = dict[str, int]
"""URLs of what was taken out, and their numbers in order of appearance."""


class SafeHtml(NamedTuple):
    """``remote`` lists what would have been loaded, in order of appearance, each once. ``is_plain`` is True if only the
    words were kept."""

    html: str
    remote: tuple[str, ...]
    is_plain: bool = False


# Media are among them so that what they point to is seen and listed; without a source they show nothing.
_TAG_NAMES = (
    "a abbr acronym address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd"
    " del details dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hgroup hr i img ins kbd"
    " li main mark nav ol p picture pre q rp rt ruby s samp section small span strike strong sub summary sup table"
    " tbody td tfoot th thead time tr tt u ul var wbr audio source video"
)
_DROPPED_NAMES = (
    "script style title template iframe frame frameset object embed applet noembed noframes noscript xmp"
    " plaintext textarea select option x-svg x-math"
)
_SOURCES = {"src", "srcset", "background", "poster"}
_ATTRIBUTES = {
    "*": {"style", "dir", "lang", "title", "align", "valign", "bgcolor", "width", "height", "background", "color"},
    "a": {"href"},
    "img": {"src", "srcset", "alt", "border", "hspace", "vspace"},
    "font": {"face", "size"},
    "table": {"border", "cellpadding", "cellspacing", "summary"},
    "td": {"colspan", "rowspan", "nowrap", "headers"},
    "th": {"colspan", "rowspan", "nowrap", "headers", "scope"},
    "col": {"span"},
    "colgroup": {"span"},
    "ol": {"start", "type"},
    "ul": {"type"},
    "li": {"value", "type"},
    "hr": {"size", "noshade"},
    "time": {"datetime"},
    "details": {"open"},
    "audio": {"src"},
    "video": {"src", "poster"},
    "source": {"src", "srcset"},
}
_LINK = re.compile(r"(?:https?:)?//|mailto:", re.IGNORECASE)
# nh3 would put these anywhere among the attributes, and elsewhere the next time. All values it writes are quoted.
_LINK_TAG = re.compile(r"(<a(?>(?: [^\s\"=<>]++=\"[^\"]*+\")*))>")
_LINK_END = r'\1 target="_blank" rel="noopener noreferrer nofollow">'
# As browsers read addresses (URL Standard, 4.4): blanks within and controls around do not count, "\\" is "/".
_REMOTE = re.compile(r"(?:https?|ftp):|[/\\]{2}", re.IGNORECASE)
_BLANK = re.compile(r"[\t\n\r]")
_EDGE = "".join(map(chr, range(0x21)))
_INLINE_IMAGE = re.compile(r"data:image/(?:png|gif|jpe?g|webp);base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE)
_FOREIGN = re.compile(r"<(/?)(svg|math)(?=[\s/>])", re.IGNORECASE)
_NO_BREAK = re.compile(r"\xa0|&(?:nbsp|#0{0,9}160(?![0-9])|#[xX]0{0,9}[aA]0(?![0-9a-fA-F]));?")
_SLOW_NAMES = sorted({name.rstrip(";") for name, text in html5.items() if "\x80" <= text <= "\xbf"})
_SLOW = re.compile(rf"&(?:#0{{0,9}}1[2-9][0-9]|#[xX]0{{0,9}}[89aAbB][0-9a-fA-F]|{'|'.join(_SLOW_NAMES)})")
_REFERENCE = re.compile(r"&(?!#(?:[0-9]{1,7}|[xX][0-9a-fA-F]{1,6});)([a-zA-Z][a-zA-Z0-9]{1,31};)?")


def safe_html(html: str, marked: Marked | None = None) -> SafeHtml:
    """HTML that runs nothing, loads nothing and stays in its place. What is too dear to parse comes back as plain text.

    Cleaning what is clean changes nothing. With ``marked``, elements whose content was taken out say so by a mark that
    has the number of the URL in it, and the URLs are added to it.
    """
    # Without foreign elements there are none of their parsing rules, which most mutation attacks build on.
    html = _FOREIGN.sub(r"<\1x-\2", html[:MAX_CHARACTERS].replace("\0", "\ufffd"))
    html = _few_spaces(html)
    if is_costly(html) or _count_slow(html) > _MAX_SLOW:
        return SafeHtml(_as_text(html), (), is_plain=True)
    found = Found({} if marked is None else marked, is_marked=marked is not None)
    _found.set(found)
    cleaned = _settled(_CLEANER.clean(_plain_references(html)))
    if marked is not None:
        cleaned = _HELD_STYLE.sub(_style_mark, _HELD.sub(_mark, cleaned))
    return SafeHtml(_LINK_TAG.sub(_LINK_END, cleaned), tuple(found.urls))


def without_marks(html: str) -> str:
    """Safe HTML without the marks of what was taken out of it."""
    return _TAG.sub(lambda tag: _MARK.sub("", tag[0]), html) if "data-remote" in html else html


def captures(html: str) -> bool:
    """Whether HTML that follows this would be read as a part of it: as an attribute, a comment or a raw text."""
    body = LexborHTMLParser(f"<!doctype html><body>{html}<{_END_TAG}></{_END_TAG}>")
    return body.css_first(_END_TAG) is None


def _settled(cleaned: str) -> str:
    """Some trees (a list item in a table, a link in a link) cannot be written so that a browser reads the same tree
    again. Those are cleaned until what is read is what was written."""
    for _ in range(_MAX_PASSES):
        if _reads_same(cleaned):
            return cleaned
        again = _CLEANER.clean(cleaned)
        if again == cleaned:
            return cleaned
        cleaned = again
    return _as_text(cleaned)


def _reads_same(html: str) -> bool:
    """A quick yes by another parser; its no may only be another way of writing."""
    body = LexborHTMLParser(f"<!doctype html><body>{html}").body
    return body is not None and body.inner_html == html


def _as_text(html: str) -> str:
    return f"<div>{escape(' '.join(without_tags(html).split()), quote=False)}</div>"


def _plain_references(html: str) -> str:
    """The parser's cost for each ampersand is the length of the rest, so it gets less of a text with many."""
    return _REFERENCE.sub(_reference, html)[:_MAX_ESCAPED] if html.count("&") > _MAX_REFERENCES else html


def _few_spaces(html: str) -> str:
    """Many no-break spaces become plain ones, since nothing else of what is slow to write is ever so frequent."""
    return _NO_BREAK.sub(" ", html) if _count_slow(html) > _MAX_SLOW else html


def _count_slow(html: str) -> int:
    """How many characters there are whose cost, when HTML is written, is the length of the text around them: those
    whose UTF-8 begins like that of a no-break space."""
    spaces = html.encode("utf-8", "replace").count(b"\xc2")
    return spaces + (len(_SLOW.findall(html)) if html.count("&") + spaces > _MAX_SLOW else 0)


def _reference(match: re.Match[str]) -> str:
    return match[0] if match[1] in html5 else f"&amp;{match[1] or ''}"


class Found(NamedTuple):
    """What the cleaning under way has taken out: the number of each URL."""

    urls: Marked
    is_marked: bool


_found: ContextVar[Found] = ContextVar("found")
# A mark while cleaning goes on: an address that no sender can know. nh3 gives an attribute no other name.
_HOLD = f"casella-{token_hex(8)}-"
_HELD = re.compile(rf' (src|background|poster)="cid:{_HOLD}(\d{{1,4}})"')
_HELD_STYLE = re.compile(rf' style="([^"]*?)[ ]?{_HOLD}(\d{{1,4}})"')
_TAG = re.compile(r"<[a-z][a-z0-9]*+(?>(?: [^\s\"=<>]++=\"[^\"]*+\")+)>")
_MARK = re.compile(r' data-remote(?:-[a-z]{1,10})?="\d{1,4}"')


def _mark(held: re.Match[str]) -> str:
    return f' data-remote="{held[2]}"' if held[1] == "src" else f' data-remote-{held[1]}="{held[2]}"'


def _style_mark(held: re.Match[str]) -> str:
    kept = f' style="{held[1]}"' if held[1] else ""
    return f'{kept} data-remote-style="{held[2]}"'


def _filter(tag: str, name: str, value: str) -> str | None:
    if name == "style":
        return _style(value)
    if name == "href":
        return value if _LINK.match(value.strip()) else None
    if name not in _SOURCES or (tag == "img" and name == "src" and _is_inline(value.strip())):
        return value
    if value.startswith(f"cid:{_HOLD}"):
        return value
    number = _list(_candidates(value) if name == "srcset" else [value])
    return None if number is None or name == "srcset" else f"cid:{_HOLD}{number}"


def _style(value: str) -> str | None:
    own, hold, held = value.rpartition(_HOLD)
    if hold:
        return f"{safe_style(own.rstrip()) or ''} {_HOLD}{held}".lstrip()
    number, kept = _list(style_urls(value)), safe_style(value[:_MAX_STYLE])
    return kept if number is None else f"{kept or ''} {_HOLD}{number}".lstrip()


def _candidates(srcset: str) -> list[str]:
    return [each.lstrip().partition(" ")[0] for each in _BLANK.sub(" ", srcset).split(",")[:20]]


def _list(urls: list[str]) -> int | None:
    """Notes what would have been loaded. Returns the number of the first, if it is to be marked."""
    found, numbers = _found.get(), []
    for url in urls:
        url = _BLANK.sub("", url[:4000]).strip(_EDGE)
        if _REMOTE.match(url) and (url[:2000] in found.urls or len(found.urls) < MAX_REMOTE):
            numbers.append(found.urls.setdefault(url[:2000], len(found.urls)))
    return numbers[0] if numbers and found.is_marked else None


def _is_inline(value: str) -> bool:
    if value[:4].lower() == "cid:":
        return True
    return len(value) <= MAX_IMAGE and _INLINE_IMAGE.fullmatch(value) is not None


def _without_base(url: str) -> str | None:
    """Mail has no base address: a link that names a host gets a scheme, and all others are removed. So is one that is
    not an address even with the scheme, such as a host with a space in it: cleaning the result again would remove
    it."""
    link = f'<a href="https:{escape(url)}">'
    return f"https:{url}" if url.startswith("//") and "href" in _ABSOLUTE.clean(link) else None


_ABSOLUTE = nh3.Cleaner(tags={"a"}, attributes={"a": {"href"}}, link_rel=None)


_CLEANER = nh3.Cleaner(
    tags=set(_TAG_NAMES.split()),
    clean_content_tags=set(_DROPPED_NAMES.split()),
    attributes=_ATTRIBUTES,
    attribute_filter=_filter,
    link_rel=None,
    url_schemes={"http", "https", "mailto", "cid", "data", "ftp"},
    url_relative=_without_base,
)


# Marks that no text holds by now, because controls were taken out of it: a break, an empty line, a cell's end.
_PARAGRAPH = re.compile(r"<(?=/?[a-z])(?=/?(?:p|h[1-6]|blockquote|pre|ul|ol|dl|table)[\s/>])", re.IGNORECASE)
_LINE = re.compile(
    r"<(?=/?[a-z])(?=(?:br|hr|/?(?:div|tr|dt|dd|section|article|header|footer|address|center|caption|li))[\s/>])",
    re.IGNORECASE,
)
_CELL = re.compile(r"<(?=/t[dh][\s>])", re.IGNORECASE)
_MARKS = re.compile("[\x00\x1c-\x1e]")
_UNREAD = [
    "head",
    "script",
    "style",
    "title",
    "template",
    "noscript",
    "iframe",
    "object",
    "x-svg",
    "x-math",
    "textarea",
    "select",
]


def text_from_html(html: str) -> str:
    """The words of the HTML with a line for each block and an empty line between paragraphs; half a MiB is read."""
    html = _MARKS.sub("", html[:MAX_READ])
    html = _FOREIGN.sub(r"<\1x-\2", html)
    if is_costly(html):
        return _fold(without_tags(html))
    marked = _CELL.sub("\x1c<", _LINE.sub("\x1d<", _PARAGRAPH.sub("\x1e<", html)))
    # Its mirroring of a chosen option costs quadratic time, and is not needed.
    tree = LexborHTMLParser(marked, options=LexborDocumentOptions.WO_EVENTS)
    tree.strip_tags(_UNREAD)
    return _fold(tree.text() if tree.root is not None else "")


def _fold(text: str) -> str:
    """White space folded as a browser would, marks turned into line breaks, at most one empty line in a row."""
    paragraphs = []
    for paragraph in text.replace("\x1c", " ").split("\x1e"):
        lines = (" ".join(line.split()) for line in paragraph.split("\x1d"))
        kept = "\n".join(line for line in lines if line)
        if kept:
            paragraphs.append(kept)
    return "\n\n".join(paragraphs)
