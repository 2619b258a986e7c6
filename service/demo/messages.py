"""Generated mail, the same octets every time: many scripts, charsets and encodings, HTML, inline images, attachments."""

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

SEED = 20260901
NEWEST = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)
LARGE = 10 << 20
_FOLDERS = ("Sent", "Drafts", "Archive/2025", "Trash", "Junk", "Projekte/Übersicht")
_IN_OTHER_FOLDERS = 4  # one in so many messages
_PEOPLE = (
    ("Front Desk", "desk"), ("Ada Example", "ada"), ("Müller, Büro", "buero"), ("Пример Почты", "primer"), ("例示 太郎", "reiji"),
    ("مثال البريد", "mithal"), ("Zoë Muster", "zoe"), ("예시 사서함", "yesi"), ("Παράδειγμα", "paradeigma"), ("noreply", "noreply"),
)  # fmt: skip
_SUBJECTS = (
    "Übersicht der Termine", "Your invoice is ready", "Re: draft of the contract", "会議の日程変更について", "Перенос встречи",
    "تحديث المشروع", "📦 Your parcel is on its way", "Zażółć gęślą jaźń", "회의록 공유", "Συνάντηση", "Fwd: minutes", "",
)  # fmt: skip
_SENTENCES = (
    "The meeting moves to Thursday at ten.", "Bitte bestätigen Sie die Übergabe bis Freitag.", "資料を添付しました。",
    "Счёт во вложении.", "Nothing to do for you, this is for information.", "La réunion est reportée à jeudi.",
    "Please find the figures of the quarter below.", "A line that is long enough to be wrapped by most programs that show it.",
)  # fmt: skip
_CHARSETS = ("utf-8", "utf-8", "iso-8859-1", "windows-1252", "shift_jis", "koi8-r", "utf-8")
_ENCODINGS = ("quoted-printable", "base64", "8bit")


@dataclass(frozen=True, slots=True)
class DemoMessage:
    """A message with CRLF line breaks, and where it lies. Flags as IMAP has them."""

    source: bytes
    received_at: datetime
    flags: tuple[str, ...]
    folder: str


def demo_messages(count: int = 300) -> Iterator[DemoMessage]:
    """Oldest first. The newest but one has an attachment of 10 MB, the newest a subject that stays."""
    chance = random.Random(SEED)  # noqa: S311 - the same mail every time
    for number in range(count):
        received = NEWEST - timedelta(hours=7 * (count - 1 - number), minutes=number % 60)
        folder = _FOLDERS[number // _IN_OTHER_FOLDERS % len(_FOLDERS)] if number % _IN_OTHER_FOLDERS == 1 else "INBOX"
        kinds = _KINDS
        if number >= count - 2:
            kinds, folder = ((_welcome,) if number == count - 1 else (_large,)), "INBOX"
        mail = _envelope(number, received, chance)
        kinds[number % len(kinds)](mail, number, chance)
        yield DemoMessage(
            mail.as_bytes(policy=SMTP.clone(max_line_length=78)), received, _flags(number, folder), folder
        )


def _flags(number: int, folder: str) -> tuple[str, ...]:
    flags = [
        flag
        for flag, every in (("\\Seen", 3), ("\\Flagged", 11), ("\\Answered", 7), ("$work", 13))
        if number % every == 1
    ]
    return (*flags, "\\Draft") if folder == "Drafts" else tuple(flags)


def _envelope(number: int, received: datetime, chance: random.Random) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    name, local = _PEOPLE[number % len(_PEOPLE)]
    mail["Received"] = f"from mx.example.net by mail.example.org; {received:%a, %d %b %Y %H:%M:%S} +0000"
    mail["From"] = Address(name, local, "example.net")
    others = chance.sample(_PEOPLE, 1 + number % 3)
    mail["To"] = [
        Address("Demo", "demo", "example.org"),
        *(Address(name, local, "example.com") for name, local in others),
    ]
    if number % 5 == 0:
        mail["Cc"] = Address("All of us", "team", "example.org")
    subject = _SUBJECTS[number % len(_SUBJECTS)]
    mail["Subject"] = f"{subject} #{number}" if subject else ""
    mail["Date"] = received.astimezone()
    mail.replace_header("Date", received - timedelta(seconds=30))
    mail["Message-ID"] = f"<demo.{number}@example.net>"
    if subject.startswith(("Re:", "Fwd:")):
        mail["In-Reply-To"] = f"<demo.{max(0, number - 12)}@example.net>"
        mail["References"] = f"<demo.0@example.net> <demo.{max(0, number - 12)}@example.net>"
    return mail


def _words(number: int, chance: random.Random) -> str:
    return "\n\n".join(" ".join(chance.choices(_SENTENCES, k=3 + number % 4)) for _ in range(1 + number % 5)) + "\n"


def _plain(mail: EmailMessage, number: int, chance: random.Random) -> None:
    charset = _CHARSETS[number % len(_CHARSETS)]
    text = _words(number, chance).encode(charset, "ignore").decode(charset)
    mail.set_content(text, charset=charset, cte=_ENCODINGS[number % 2])


def _eight_bit(mail: EmailMessage, number: int, chance: random.Random) -> None:
    mail.set_content(_words(number, chance), charset="utf-8", cte="8bit")


def _html(mail: EmailMessage, number: int, chance: random.Random) -> None:
    text = _words(number, chance)
    paragraphs = "".join(f'<p style="color:#234">{part}</p>' for part in text.split("\n\n"))
    mail.set_content(text)
    mail.add_alternative(f"<html><body><h1>{mail['Subject']}</h1>{paragraphs}</body></html>", subtype="html")


def _newsletter(mail: EmailMessage, number: int, chance: random.Random) -> None:
    remote = f'<img src="https://pixel.example.com/{number}.png" width="1" height="1" alt="">'
    text = _words(number, chance)
    mail.set_content(text)
    mail.add_alternative(
        f'<html><body>{remote}<p>{text}</p><a href="https://example.com/">Read on</a></body></html>', subtype="html"
    )
    mail["List-Unsubscribe"] = "<mailto:unsubscribe@example.com>"


def _inline_image(mail: EmailMessage, number: int, chance: random.Random) -> None:
    mail.set_content("The picture is in the HTML.\n")
    mail.add_alternative(f'<p>See: <img src="cid:picture{number}@example.net" alt="a colour"></p>', subtype="html")
    *_, html = mail.iter_parts()
    assert isinstance(html, EmailMessage)
    html.add_related(_png(chance), "image", "png", cid=f"<picture{number}@example.net>", filename="picture.png")


def _attachments(mail: EmailMessage, number: int, chance: random.Random) -> None:
    mail.set_content(_words(number, chance))
    mail.add_attachment(
        b"%PDF-1.4\n" + chance.randbytes(2000), "application", "pdf", filename=f"Überblick {number}.pdf"
    )
    if number % 2:
        mail.add_attachment("day,count\n1,2\n", subtype="csv", filename="figures.csv")


def _invitation(mail: EmailMessage, number: int, chance: random.Random) -> None:
    mail.set_content(_words(number, chance))
    mail.add_attachment(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n", subtype="calendar", filename="invite.ics"
    )


def _forwarded(mail: EmailMessage, number: int, chance: random.Random) -> None:
    inner = _envelope(number + 10_000, NEWEST, chance)
    inner.set_content(_words(number, chance))
    mail.set_content("The message is attached.\n")
    mail.add_attachment(inner)


def _empty(mail: EmailMessage, number: int, chance: random.Random) -> None:
    mail.set_content("")


def _welcome(mail: EmailMessage, number: int, chance: random.Random) -> None:
    mail.replace_header("Subject", "Welcome to Casella: Übersicht")
    _html(mail, number, chance)


def _large(mail: EmailMessage, number: int, chance: random.Random) -> None:
    mail.replace_header("Subject", "Ten megabytes attached")
    mail.set_content("The attachment is large.\n")
    mail.add_attachment(chance.randbytes(LARGE), "application", "octet-stream", filename="Große Datei.bin")


_KINDS: tuple[Callable[[EmailMessage, int, random.Random], None], ...] = (
    _html, _plain, _attachments, _newsletter, _eight_bit, _inline_image, _invitation, _plain, _forwarded, _html, _empty,
)  # fmt: skip


def _png(chance: random.Random) -> bytes:
    """A square of one colour."""
    side = 16
    pixels = zlib.compress((b"\0" + chance.randbytes(3) * side) * side)
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, body) for kind, body in ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
