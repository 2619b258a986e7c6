"""Inline styles reduced to what dresses the element itself."""

import re
from functools import lru_cache

_PROPERTY_NAMES = (
    "background background-color border border-bottom border-bottom-color border-bottom-style border-bottom-width"
    " border-collapse border-color border-left border-left-color border-left-style border-left-width border-radius"
    " border-right border-right-color border-right-style border-right-width border-spacing border-style border-top"
    " border-top-color border-top-style border-top-width border-width caption-side clear color direction display"
    " empty-cells float font font-family font-size font-style font-variant font-weight height letter-spacing"
    " line-height list-style list-style-type margin margin-bottom margin-left margin-right margin-top max-height"
    " max-width min-height min-width overflow-wrap padding padding-bottom padding-left padding-right padding-top"
    " table-layout text-align text-decoration text-indent text-transform vertical-align white-space width word-break"
    " word-spacing word-wrap"
)
_PROPERTIES = frozenset(_PROPERTY_NAMES.split())
# Words, numbers, quoted names and plain colour functions: no url(), no expression(), no escapes, no variables.
_VALUE = re.compile(r"(?>(?:(?:rgb|hsl)a?\([\d\s.,%/]{1,60}\)|[\w\s#%.,+\-!'\"/]){1,300})", re.IGNORECASE)
# Negative sizes, sizes of five digits or by powers of ten, and sizes measured by the window or a container.
_BEYOND = re.compile(
    r"(?<![\w#])-\s*\.?\d|(?<![.\d])\d{5}|(?<![\w#])[\d.]+(?:e[+\-]?\d|[sld]?v(?:[whib]|min|max)|cq(?:[whib]|min|max))",
    re.IGNORECASE,
)
# Headings are set tighter than their font says; this little moves no letter over the one before.
_TIGHTER = re.compile(r"-(?:0?\.\d{1,4}|1)px|-0?\.0\d{1,3}em", re.IGNORECASE)
_HUGE_FONT = re.compile(
    r"(?<![\w#.])(?:\d{3,}(?:\.\d+)?(?:px|pt)|\d{2,}(?:\.\d+)?(?:r?em|ex|ch|in|cm|pc)|[1-9]\d{3,}%)", re.IGNORECASE
)
_HEX_COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b")
_URL = re.compile(
    r"url\(\s*(?:\"([^\"]{1,2000})|'([^']{1,2000})|([^\"')\s]{1,2000}))|[\"']((?:https?:)?[/\\]{2}[^\"']{1,2000})",
    re.IGNORECASE,
)
_URL_TOKEN = re.compile(r"url\(\s*+(?:\"[^\"]*+\"\s*+|'[^']*+'\s*+|[^\"'()\\]*+)\)", re.IGNORECASE)
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|([^\n]))")


@lru_cache(maxsize=1024)
def safe_style(style: str) -> str | None:
    """The declarations that cannot affect the rest of the page; None if there are none. Negative and absurd sizes could
    cover other text, so they are removed. A background loses its image but not its colour, without which its text may
    be white on white. The cache helps because mails repeat the same few styles."""
    kept = []
    for declaration in _URL_TOKEN.sub(" ", style).split(";"):
        name, colon, value = declaration.partition(":")
        name, value = name.strip().lower(), " ".join(value.split())
        if colon and name in _PROPERTIES and _is_harmless(name, value):
            kept.append(f"{name}:{value}")
    return ";".join(kept) or None


def style_urls(style: str) -> list[str]:
    """What the style would load: by url(), and by quoted addresses as image-set() has them."""
    if "(" not in style and "\\" not in style:
        return []
    return ["".join(pieces) for pieces in _URL.findall(_ESCAPE.sub(_unescaped, style))]


def _unescaped(escape: re.Match[str]) -> str:
    """CSS Syntax, 4.3.7: no NUL, no surrogates, nothing beyond Unicode."""
    code = int(escape[1] or "0", 16)
    is_character = 0 < code < 0xD800 or 0xE000 <= code < 0x110000
    return escape[2] or (chr(code) if is_character else "\ufffd")


def _is_harmless(name: str, value: str) -> bool:
    if name == "letter-spacing" and _TIGHTER.fullmatch(value):
        return True
    if not value or _VALUE.fullmatch(value) is None or _BEYOND.search(_HEX_COLOUR.sub("#", value)):
        return False
    return not (name.startswith("font") and _HUGE_FONT.search(value))
