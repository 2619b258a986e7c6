"""What cannot be written into a header, and how it is refused."""

import re

from service.mail.cleaning import clean_text
from service.mail.errors import InvalidRequest

MAX_ID = 900
"""Octets of a Message-ID, so that its line has at most 998."""
INTERNAL = "x-casella-"
"""The beginning of the names of fields that never leave the service, in lower case."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ID = re.compile(r"[!-;=?-~]+")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def shown(text: str) -> str:
    """A value as an error message shows it."""
    text = clean_text(text)
    return repr(text if len(text) <= 100 else f"{text[:100]}…")


def one_line(text: str, what: str) -> str:
    """The text, with a space for each tab. Raises InvalidRequest if it has another control, a line break or half a
    character. ``what`` names it: ``The subject``."""
    text = text.replace("\t", " ")
    if _CONTROL.search(text):
        raise InvalidRequest(f"{what} has a line break or a control character: {shown(text)}.")
    return text


def is_id(text: str, longest: int = MAX_ID) -> bool:
    """Whether it can stand between angle brackets: printable ASCII without spaces and angle brackets."""
    return len(text) <= longest and _ID.fullmatch(text) is not None


def is_token(text: str) -> bool:
    """Whether it is a token, as names of fields and of parameters are."""
    return _TOKEN.fullmatch(text) is not None
