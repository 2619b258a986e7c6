"""Generated mail, the same octets every time: many scripts, charsets, encodings, HTML, images, attachments, threads."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from random import Random

from service.demo import forms
from service.demo.forms import Form, Letter
from service.demo.mime import CRLF, encoded, header, mailbox
from service.demo.words import ARABIC, ENGLISH, GERMAN, JAPANESE, LANGUAGES, Language

SEED = 20260901
NEWEST = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)
WELCOME = "Welcome to Casella: Übersicht"
TEN_MEGABYTES = "Ten megabytes attached"
_FOLDERS = ("Sent", "Drafts", "Archive", "Archive/2025", "Trash", "Junk", "Projekte/Übersicht")
_ROUND = 10
_REPLIES = (4, 7, 9)  # in each round of ten, these answer the second message
_CONVERSATIONS = 4  # one round in so many is a conversation: each message answers the one before
_ZONES = (2, 0, -5, 9, 5.5, -3.5, 12.75)
_LONG = "A subject that does not know where to end, " * 6 + "and then it does"


@dataclass(frozen=True, slots=True)
class DemoMessage:
    """A message with CRLF line breaks, and its folder. Flags as in IMAP."""

    source: bytes
    received_at: datetime
    flags: tuple[str, ...]
    folder: str


@dataclass(frozen=True, slots=True)
class _Kind:
    """A form of letter, its subjects and its language. Without subjects or language it takes those of any language."""

    form: Form
    subjects: tuple[str, ...] = ()
    language: Language | None = None


_KINDS = (
    _Kind(forms.plain), _Kind(forms.alternative), _Kind(forms.legacy),
    _Kind(forms.documents, ("Your invoice for August", "Invoice 2026-{number}", "Reminder: invoice {number}"), ENGLISH),
    _Kind(forms.newsletter, ("🌻 News of the house", "Ten things to read"), ENGLISH), _Kind(forms.legacy),
    _Kind(forms.pictures), _Kind(forms.bare, (_LONG, "FYI", "Re: Re: Fwd: hello"), ENGLISH), _Kind(forms.plain),
    _Kind(forms.invitation, ("Übersicht der Planung", "Einladung: Sommerfest"), GERMAN), _Kind(forms.legacy),
    _Kind(forms.bundle), _Kind(forms.html_only, ("Act now!!!", "👩‍💻🎉 You have been chosen"), ENGLISH),
    _Kind(forms.forwarded, ("Fwd: Inside", "WG: Übersicht und Angebot"), GERMAN), _Kind(forms.alternative),
    _Kind(forms.empty, ("",), ENGLISH), _Kind(forms.undelivered, ("Undelivered mail returned to sender",), ENGLISH),
)  # fmt: skip
_REPLY = _Kind(forms.reply)
_QUESTION = _Kind(
    forms.alternative,
    ("Who has the key?", "Tea or coffee", "Where do we meet in autumn?", "Plans for the party"),
    ENGLISH,
)
"""The first message of a conversation."""
_NEWEST = (
    _Kind(forms.alternative, (WELCOME,), ENGLISH), _Kind(forms.large, (TEN_MEGABYTES,), ENGLISH),
    _Kind(forms.newsletter, ("🌻 News of the house",), ENGLISH),
    _Kind(forms.invitation, ("Einladung: Sommerfest",), GERMAN),
    _Kind(forms.plain, language=ARABIC), _Kind(forms.documents, ("Your invoice for August",), ENGLISH),
    _Kind(forms.plain, language=JAPANESE), _Kind(forms.pictures, ("Pictures of the garden",), ENGLISH),
)  # fmt: skip
"""The first rows of the inbox, newest first: each shows something else that mail can be."""
_ODD_SENDERS = (
    '"Office \\"North\\", desk 3" <north@example.com>', "desk@example.com (Front Desk (ground floor))",
    '"front desk"@example.net', "=?utf-8?q?J=C3=B6rn?= =?utf-8?q?_Beispiel?= <joern@example.net>",
    "<noreply@example.com>",
    "A. N. Example <an.example+tag=x@sub.example.org>",
)  # fmt: skip
_TO_DEMO = "Demo <demo@example.org>"


def demo_messages(count: int = 300) -> Iterator[DemoMessage]:
    """Oldest first. The second newest has an attachment of 10 MB; the newest always has the same subject."""
    for number in range(count):
        newer = count - 1 - number
        received = NEWEST - timedelta(hours=7 * newer, minutes=newer % 60)
        is_newest = newer < len(_NEWEST)
        kind, folder = (_NEWEST[newer], "INBOX") if is_newest else (_kind(number), _folder(number))
        yield DemoMessage(_write(number, kind, received, folder), received, _flags(number, newer, folder), folder)


def arriving_message(number: int, received: datetime) -> DemoMessage:
    """An unread message of the inbox, as one that arrives later. Numbers go on from the count of ``demo_messages``."""
    return DemoMessage(_write(number, _kind(number), received, "INBOX"), received, (), "INBOX")


def _is_in_conversation(number: int) -> bool:
    return number // _ROUND % _CONVERSATIONS == 0


def _folder(number: int) -> str:
    """One message in four is not in the inbox, and no message of a conversation."""
    if _is_in_conversation(number) or number % 4 != 1:
        return "INBOX"
    return _FOLDERS[number // 4 % len(_FOLDERS)]


def _flags(number: int, newer: int, folder: str) -> tuple[str, ...]:
    """The newest ten are unread, and one in five of the others."""
    flags = {
        "\\Seen": folder in {"Sent", "Drafts"} or (newer >= 10 and number % 5 != 0),
        "\\Flagged": number % 11 == 1,
        "\\Answered": number % _ROUND == 1,
        "\\Draft": folder == "Drafts",
        "$work": number % 13 == 1,
        "$Junk": folder == "Junk",
    }
    return tuple(flag for flag, is_set in flags.items() if is_set)


def _kind(number: int) -> _Kind:
    offset = number % _ROUND
    if _is_in_conversation(number):
        return _REPLY if offset else _QUESTION
    return _REPLY if offset in _REPLIES else _KINDS[number % len(_KINDS)]


def _root(number: int) -> int:
    """The message that began the conversation."""
    return number - number % _ROUND + (0 if _is_in_conversation(number) else 1)


def _language(number: int, kind: _Kind) -> Language:
    """A reply is in the language of the message that it answers."""
    if kind is _REPLY:
        return _language(_root(number), _kind(_root(number)))
    return kind.language or LANGUAGES[number % len(LANGUAGES)]


def _subject(number: int, kind: _Kind) -> str:
    """A reply has the subject of the message that it answers."""
    if kind is _REPLY:
        subject = _subject(_root(number), _kind(_root(number)))
        return subject if subject.startswith("Re:") else f"Re: {subject}".rstrip()
    subjects = kind.subjects or _language(number, kind).subjects
    return subjects[number // len(_KINDS) % len(subjects)].format(number=number)


def _write(number: int, kind: _Kind, received: datetime, folder: str) -> bytes:
    rng = Random(f"{SEED}.{number}")  # noqa: S311 - the same mail every time
    letter = Letter(number, _subject(number, kind), _language(number, kind), rng)
    content = kind.form(letter)
    mime = b"" if content.startswith(CRLF) else header("MIME-Version", "1.0")
    return _addresses(letter, received, folder) + _thread(number, kind) + mime + content


def _addresses(letter: Letter, received: datetime, folder: str) -> bytes:
    number, charset = letter.number, _header_charset(letter)
    zone = timezone(timedelta(hours=_ZONES[number % len(_ZONES)]))
    written = format_datetime((received - timedelta(seconds=30)).astimezone(zone))
    people = [mailbox(name, f"{local}@example.net", charset) for name, local in letter.language.people]
    others = [
        mailbox(name, f"{local}@example.com")
        for language in LANGUAGES[: number % 5]
        for name, local in language.people[:1]
    ]
    is_outgoing = folder in {"Sent", "Drafts"}
    sender = _TO_DEMO if is_outgoing else _sender(number, people)
    head = (
        b""
        if is_outgoing
        else header("Received", f"from mx.example.net by mail.example.org;\r\n {format_datetime(received)}")
    )
    head += header("From", sender)
    head += header("To", ",\r\n ".join([people[0] if is_outgoing else _TO_DEMO, *others]))
    if number % 5 == 0:
        head += header("Cc", '"Everybody; really" <team@example.org>')
    if letter.subject:
        head += header("Subject", _raw_or_encoded(letter, charset))
    return head + header("Date", written) + header("Message-ID", _message_id(number))


def _sender(number: int, people: list[str]) -> str:
    if number % 19 == 3:
        return _ODD_SENDERS[number // 19 % len(_ODD_SENDERS)]
    turn = number if _is_in_conversation(number) else number // len(LANGUAGES)
    return people[turn % len(people)]


def _header_charset(letter: Letter) -> str:
    """UTF-8; in one letter of three a charset in which the language was written before."""
    charset = letter.language.charsets[0]
    words = letter.subject + "".join(name for name, _ in letter.language.people)
    fits = words.encode(charset, "ignore").decode(charset) == words
    return charset if letter.number % 3 == 0 and fits else "utf-8"


def _raw_or_encoded(letter: Letter, charset: str) -> str:
    """A few subjects are raw UTF-8, as RFC 6532 allows."""
    return letter.subject if letter.number % 37 == 5 else encoded(letter.subject, charset)


def _thread(number: int, kind: _Kind) -> bytes:
    """Each reply answers the message before it, and names all earlier ones (RFC 5322, 3.6.4)."""
    if kind is not _REPLY:
        return b""
    start = number - number % _ROUND
    offsets = range(_ROUND) if _is_in_conversation(number) else (1, *_REPLIES)
    earlier = [_message_id(start + offset) for offset in offsets if start + offset < number]
    return header("In-Reply-To", earlier[-1]) + header("References", "\r\n ".join(earlier))


def _message_id(number: int) -> str:
    return f"<{number}.demo@example.net>"
