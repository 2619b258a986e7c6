"""Subjects of replies and forwards: one prefix, in place of all that programs put there (RFC 5256, 2.1)."""

import re

from service.mail.submission.model import MAX_SUBJECT

_PREFIXES = (
    ("English, and most programs of any language", "re", "fw fwd forward"),
    ("German", "aw antw antwort", "wg"),
    ("Danish, Norwegian, Swedish", "sv", "vs vb"),
    ("Finnish", "vs", "vl"),
    ("Dutch", "antw antwoord", "doorst"),
    ("Italian", "r rif", "i"),
    ("French", "ré rép réf", "tr"),
    ("Spanish", "resp", "rv"),
    ("Portuguese", "res", "enc"),
    ("Polish", "odp", "pd"),
    ("Hungarian", "vá", "továbbítás"),
    ("Turkish", "ynt", "ilt i\u0307lt"),
    ("Indonesian", "bls", "trs"),
    ("Welsh", "atb", "yml"),
    ("Greek", "απ σχετ", "πρθ"),
    ("Russian", "отв ответ", "пересл"),
    ("Hebrew", "השב תגובה", "הועבר"),
    ("Arabic, Persian", "رد پاسخ", "إعادة-توجيه"),
    ("Chinese", "回复 回覆 答复 答覆", "转发 轉寄 轉發"),
    ("Japanese", "返信", "転送"),
    ("Korean", "답장 회신", "전달"),
    ("Vietnamese", "trả-lời", "chuyển-tiếp"),
)
"""What programs of these languages put before the subject of a reply and of a forward; a hyphen stands for a space.
Words that begin honest subjects are not among them, such as the Icelandic FS, which offers something for sale."""
_WORDS = sorted({word.replace("-", " ") for row in _PREFIXES for words in row[1:] for word in words.split()})
_MARKS = "\u200b-\u200f\u2060"
# A word, a count such as [2], (2), ^2 or *2, and a colon, which may have the width of a Chinese character.
_PREFIX = re.compile(
    rf"(?:{'|'.join(map(re.escape, _WORDS))})\.?[ \xa0]{{0,3}}"
    rf"(?:[\[(]\d{{1,4}}[\])]|[\^*]\d{{1,4}})?[ \xa0]{{0,3}}[:\uff1a\ufe55][\s{_MARKS}]*+",
    re.IGNORECASE,
)
_LEADING = re.compile(rf"[\s{_MARKS}]*+")
_TAG = re.compile(rf"(\[(?!(?i:fwd):)[^\[\]]{{1,64}}\])[\s{_MARKS}]*+")
_WRAPPED = re.compile(r"\[fwd:", re.IGNORECASE)
_TRAILER = "(fwd)"


def reply_subject(subject: str | None) -> str:
    """``Re: `` and the subject without any prefix."""
    return f"Re: {base_subject(subject or '')}"[:MAX_SUBJECT].strip()


def forward_subject(subject: str | None) -> str:
    """``Fwd: `` and the subject without any prefix."""
    return f"Fwd: {base_subject(subject or '')}"[:MAX_SUBJECT].strip()


def base_subject(subject: str) -> str:
    """Without prefixes, those behind the name of a list too: of ``AW: [list] Re: Lunch`` the rest is ``[list] Lunch``.
    Every character is looked at a fixed number of times."""
    start, stop = 0, len(subject)
    tags: dict[str, None] = {}
    while True:
        stop = _without_trailers(subject, start, stop)
        start = _without_marks(subject, start, stop)
        if (prefix := _PREFIX.match(subject, start, stop)) is not None:
            start = prefix.end()
        elif _WRAPPED.match(subject, start, stop) and subject[stop - 1] == "]":
            start, stop = start + len("[fwd:"), stop - 1
        elif (tag := _TAG.match(subject, start, stop)) and _PREFIX.match(subject, tag.end(), stop):
            tags[tag[1]] = None
            start = tag.end()
        else:
            break
    rest = " ".join(subject[start:stop].split())
    return " ".join((*(tag for tag in tags if not rest.startswith(tag)), rest)).strip()


def _without_marks(subject: str, start: int, stop: int) -> int:
    match = _LEADING.match(subject, start, stop)
    return match.end() if match else start


def _without_trailers(subject: str, start: int, stop: int) -> int:
    while True:
        while stop > start and subject[stop - 1].isspace():
            stop -= 1
        if subject[max(start, stop - len(_TRAILER)) : stop].lower() != _TRAILER:
            return stop
        stop -= len(_TRAILER)
