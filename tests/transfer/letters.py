"""A mailbox as people have it after ten years: many folders, mail of every kind, the same each time for a seed."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.servers.dovecot import Mail

FOLDERS = (
    "INBOX", "Sent", "Drafts", "Trash", "Junk", "Archive", "Archive/2024", "Archive/2025", "Archive/2026",
    "Projekte", "Projekte/Übersicht", "Projekte/Übersicht/Alt", "会議", "会議/東京", "Работа", "🎉 Party",
    "Ann & Ben", "100%", "with space", "a_b", "ümlaut", "List", "List/one", "List/two", "List/two/deep/deeper",
    "UPPER", "Sent Items", "x", "Zuletzt", "été",
)  # fmt: skip
FIRST = datetime(2016, 1, 1, 8, 0, tzinfo=UTC)
FLAGS: Sequence[Sequence[str]] = (
    (), ("$seen",), ("$seen", "$answered"), ("$flagged",), ("$seen", "work"), ("$seen", "$forwarded", "$label1"), ("$draft",),
    ("$seen", "$deleted"),
)  # fmt: skip
LARGE = 25_000_000
_WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "lazy",
    "dogs",
    "while",
    "zwölf",
    "Boxkämpfer",
    "jagen",
    "Viktor",
    "quer",
    "über",
    "den",
    "Sylter",
    "Deich",
]


class Letter(NamedTuple):
    """A message, and the folder that has it."""

    folder: str
    mail: Mail


def letters(count: int, folders: Sequence[str] = FOLDERS, *, large: int = 0, seed: int = 7) -> Iterator[Letter]:
    """So many messages, spread over the folders; ``large`` of them have 25 MB."""
    random, kinds = Random(seed), cycle(_KINDS)
    for number, folder in enumerate(islice(cycle(folders), count)):
        kind = _large if number < large else next(kinds)
        flags = () if kind is _equal else random.choice(FLAGS)
        yield Letter(folder, (kind(number, random), flags, _when(number, kind)))


def _when(number: int, kind: object) -> datetime:
    """Equal messages, and those that only look so, have the same time of arrival."""
    return FIRST if kind in {_equal, _twin} else FIRST + timedelta(hours=number, seconds=number % 60)


def _head(number: int, *fields: str, with_id: bool = True) -> bytes:
    date = format_datetime(FIRST + timedelta(hours=number))
    named = [f"Message-ID: <{number}.{number * 7919 % 9973}@mail.example.org>"] if with_id else []
    lines = [f"Date: {date}", "From: Ann Example <ann@example.org>", "To: ben@example.org", *named, *fields]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


def _text(random: Random, lines: int) -> bytes:
    return "".join(" ".join(random.choices(_WORDS, k=9)) + "\r\n" for _ in range(lines)).encode()


def _usual(number: int, random: Random) -> bytes:
    return _head(number, f"Subject: number {number}") + _text(random, random.randint(1, 60))


def _without_id(number: int, random: Random) -> bytes:
    """Many of them have the same size."""
    return _head(number, f"Subject: cron {number:06}", with_id=False) + b"all is well\r\n" * 3


def _equal(number: int, random: Random) -> bytes:
    """The same octets again and again, in each folder several times."""
    return b"From: root@example.org\r\nMessage-ID: <always@example.org>\r\nSubject: disk\r\n\r\nThe disk is full.\r\n"


def _twin(number: int, random: Random) -> bytes:
    """The same Message-ID, size and time of arrival; other words."""
    return b"Message-ID: <twin@example.org>\r\nSubject: twin\r\n\r\n%08d\r\n" % number


def _eight_bit(number: int, random: Random) -> bytes:
    return _head(number, "X-Odd: 1").replace(b"X-Odd: 1", b"Subject: \xc3\xbcber \xff\xfe \xe4") + b"\x80\x81\xff\r\n"


def _broken(number: int, random: Random) -> bytes:
    """No header that ends, lines without colon, bare CR, lines of thousands of octets."""
    forms = (
        b"no header at all, number %d\r\n" % number,
        b"\r\nonly a body %d\r\n" % number,
        b"Subject: never ends %d\r\nX-Long: " % number + b"a" * 5000,
        b"From nobody Mon Jan  1 00:00:00 2024\r\nSubject: mbox %d\r\n\r\nx\ry\rz\r\n" % number,
        b": empty name %d\r\n broken\r\nSubject broken\r\n\r\n.\r\n..\r\n.\r\n" % number,
        b"Message-ID: %d\r\nMessage-ID: <second-%d@x>\r\nSubject: two\r\n\r\n" % (number, number),
        b"Message-ID: <folded-%d\r\n @example.org>\r\n\r\nlast line without an end" % number,
    )
    return forms[number // len(_KINDS) % len(forms)]


def _attachment(number: int, random: Random) -> bytes:
    content = b"".join(b"%076x\r\n" % random.getrandbits(300) for _ in range(random.choice((100, 300, 4000))))
    return _head(number, "Content-Transfer-Encoding: base64") + content


def _large(number: int, random: Random) -> bytes:
    line = b"%076d\r\n" % number
    return _head(number, "Subject: large") + line * (LARGE // len(line))


_KINDS = (
    _usual, _usual, _without_id, _usual, _equal, _usual, _eight_bit, _broken, _usual, _attachment, _twin, _usual,
    _equal, _without_id, _usual, _broken, _usual,
)  # fmt: skip


def corpus(folder: Path, most: int = 300) -> list[bytes]:
    """Messages of the corpus that IMAP can carry, none longer than 1 MB."""
    files = sorted(file for file in folder.rglob("*") if file.suffix in {".eml", ".msg", ".txt"} and file.is_file())
    found = [file.read_bytes() for file in files[: 4 * most]]
    return [octets for octets in found if octets and b"\0" not in octets and len(octets) < 1_000_000][:most]
