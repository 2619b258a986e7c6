"""Text that strangers wrote, made fit to be shown: nothing in it hides, reorders or breaks what people read."""

import re
import unicodedata

CONTROLS = "\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff"
"""For a regular expression: C0 and C1 controls, line and paragraph separators, bidirectional embeddings, overrides and
isolates, and the byte order mark."""
INVISIBLE = "\u200b-\u200f\u2060-\u2065"
"""Characters without width. Some languages and emoji need them, so text of people keeps them."""
MAX_SERVER_TEXT = 200
_BREAKS = re.compile(r"[\t\n\r]+")
_CONTROLS = re.compile(f"[{CONTROLS}]")
_UNFIT = re.compile(f"[{CONTROLS}\ud800-\udfff]+")


def clean_text(text: str) -> str:
    """On one line, without controls, direction overrides and lone surrogates; a break or tab leaves a space."""
    return text if text.isprintable() else _UNFIT.sub("", _BREAKS.sub(" ", text))


def has_controls(text: str) -> bool:
    """Whether ``clean_text`` removes anything."""
    return _UNFIT.search(text) is not None


def mark_controls(text: str) -> str:
    """With U+FFFD in place of each control, so that two names that differ still look different."""
    return _CONTROLS.sub("\ufffd", text)


def is_unseen(character: str) -> bool:
    """Whether it is a control, format, surrogate, private or unassigned character, or separates lines."""
    category = unicodedata.category(character)
    return category[0] == "C" or category in {"Zl", "Zp"}


def server_text(octets: bytes) -> str:
    """What a mail server said, on one line of at most 200 characters without unseen ones."""
    text = octets[: MAX_SERVER_TEXT * 8].decode(errors="replace")
    return " ".join("".join(" " if is_unseen(each) else each for each in text).split())[:MAX_SERVER_TEXT]
