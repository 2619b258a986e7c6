"""What an answer quotes of a message, as text and as HTML.

Both are bounded: of a longer text the beginning is quoted, and of HTML that is too long its text. The HTML of the
message must be the sanitized one: it is quoted as it is.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from html import escape
from typing import NamedTuple

from service.mail.cleaning import clean_text
from service.mail.mime.html.safe_html import without_marks
from service.mail.model import Address, Message
from service.mail.submission.model import MAX_TEXT

MAX_QUOTED = 320 * 1024
"""Characters of a text that are quoted. A message as it is read has 256 KiB; each may become five in HTML."""
MAX_HTML = MAX_TEXT - 256 * 1024
MAX_NAME = 200
MAX_LINE = 2000
"""Characters of a header line that a forward shows."""
CUT = "[…]"
_STYLE = "margin:0 0 0 0.8ex;border-left:1px solid #ccc;padding-left:1ex"
_LINE_END = re.compile(r"\r\n?")
_FORWARDED = "---------- Forwarded message ----------"


class Quote(NamedTuple):
    """Named as the fields of a draft. If the message has only one of text and HTML, each is made of that."""

    text: str
    html: str


def reply_quote(original: Message) -> Quote:
    """The author, the date, and the message with ``> `` before each line (RFC 3676, 4.5, but not flowed)."""
    line = attribution(original)
    text = "\n".join(map(_quoted, _lines(original)))
    return Quote(f"{line}\n{text}\n", f"<div>{escape(line, quote=False)}</div>{_blockquote(original)}")


def forward_quote(original: Message) -> Quote:
    """The header lines that people read, and the message. Bcc is not among them."""
    lines = [_FORWARDED, *_header_lines(original)]
    head = "<br>".join(escape(line, quote=False) for line in lines)
    text = "\n".join([*lines, "", *_lines(original)])
    return Quote(f"{text}\n", f"<div>{head}</div>{_blockquote(original)}")


def attribution(original: Message) -> str:
    """``On 2026-10-01 09:30 +0200, Ann <ann@example.org> wrote:``, without what is not known."""
    author = next((_shown(each) for each in (*original.from_, *original.sender)), "")
    date = original.sent_at or original.received_at
    when = f"On {_moment(date)}" if date else ""
    return f"{', '.join(filter(None, (when, author)))} wrote:" if author else f"{when or 'The original'}:"


def _moment(date: datetime) -> str:
    return f"{date:%Y-%m-%d %H:%M %z}".strip()


def _shown(address: Address) -> str:
    name = clean_text(address.name or "")[:MAX_NAME]
    email = f"<{address.email[:MAX_NAME]}>" if address.email else ""
    return " ".join(filter(None, (name, email))) if name else address.email[:MAX_NAME]


def _header_lines(original: Message) -> list[str]:
    fields = (
        ("From", _list(original.from_)),
        ("Date", _moment(original.sent_at) if original.sent_at else ""),
        ("Subject", clean_text(original.subject or "")),
        ("To", _list(original.to)),
        ("Cc", _list(original.cc)),
    )
    return [_cut(f"{name}: {value}") for name, value in fields if value]


def _list(addresses: Iterable[Address]) -> str:
    return ", ".join(filter(None, map(_shown, addresses)))


def _cut(line: str) -> str:
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}{CUT}"


def _lines(original: Message) -> list[str]:
    """The lines of the text, without the empty ones at its end. If it was cut anywhere, the last line says so."""
    text = original.body.text or ""
    kept = _LINE_END.sub("\n", text[:MAX_QUOTED]).rstrip("\n ")
    is_cut = original.body.is_truncated or len(text) > MAX_QUOTED
    return [*(kept.split("\n") if kept else ()), *([CUT] if is_cut else ())]


def _quoted(line: str) -> str:
    """A quote in a quote gets no second space, as programs expect that count its depth."""
    return f">{line}" if line.startswith(">") else f"> {line}".rstrip(" ")


def _blockquote(original: Message) -> str:
    html = None if original.body.html is None else without_marks(original.body.html)
    if html is None or len(html) > MAX_HTML:
        html = f"<div>{escape(chr(10).join(_lines(original)), quote=False).replace(chr(10), '<br>')}</div>"
    elif original.body.is_truncated:
        html = f"{html}<div>{CUT}</div>"
    return f'<blockquote type="cite" style="{_STYLE}">{html}</blockquote>'
