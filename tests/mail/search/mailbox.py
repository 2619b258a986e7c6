"""Sixty messages with what makes searching hard, and what Casella knows of each."""

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from quopri import encodestring

from service.mail.mime.headers.fields import list_headers
from service.mail.mime.message import read_message
from service.mail.model import Header
from service.mail.search.matching import KnownMessage
from tests.servers.dovecot import Mail

FIRST_DAY = datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
_SUBJECTS = (
    ("utf-8", "q", "Été à Besançon"),
    ("utf-8", "b", "E\u0301te\u0301 decomposed"),
    ("utf-8", "b", "ÉTÉ IN CAPITALS"),
    ("iso-8859-1", "q", "Straße und Übergröße"),
    ("iso-8859-15", "q", "Preis: 5 € für Œuvre"),
    ("windows-1252", "b", "“Curly” quotes – dash"),
    ("koi8-r", "b", "Привет, мир"),
    ("windows-1251", "q", "ПРИВЕТ ВСЕМ"),
    ("iso-2022-jp", "b", "会議のお知らせ"),
    ("shift_jis", "b", "会議室の予約"),
    ("gb2312", "b", "会议通知"),
    ("big5", "b", "會議通知"),
    ("euc-kr", "b", "회의 안내"),
    ("iso-8859-7", "q", "Οδυσσεύς και Σίσυφος"),
    ("utf-8", "q", "ΟΔΥΣΣΕΥΣ"),
    ("iso-8859-9", "q", "ışık İstanbul"),
    ("utf-8", "b", "Ｆｕｌｌｗｉｄｔｈ １２３"),
    ("utf-8", "b", "ﬁnal ligature Ⅳ ½"),
    ("utf-8", "q", "STRASSE UEBERGROESSE"),
    ("utf-8", "b", "emoji 🎉 party"),
    ("utf-8", "b", "שלום עולם"),
    ("iso-8859-2", "q", "Żółta łódź"),
)
_PLAIN_SUBJECTS = (
    "Re: Invoice for January",
    "Fwd: [sales] Re: Invoice for January",
    "[Fwd: minutes (fwd)]",
    "due date",
    "due\r\n date",
    "due  \t date",
    '100% of "quotes" and back\\slash',
    "INVOICE",
)
_DATES = (
    "Thu, 01 Jan 2026 23:30:00 -0800",
    "Fri, 02 Jan 2026 00:15:00 +1400",
    "2 Jan 2026 12:00:00 +0000",
    "Sat, 3 Jan 2026 23:59:59 +0530 (a comment)",
    "Sun, 04 Jan 26 10:00:00 EST",
    "Mon, 5 Jan 2026 00:00:00 -0000",
    None,
    "nonsense",
)
_BODIES = (
    ("utf-8", "base64", "Le café est fermé. The secret word is ananas."),
    (
        "iso-8859-1",
        "quoted-printable",
        "Le café est fermé. A long line that is broken by the encoding, softly, somewhere.",
    ),
    ("koi8-r", "8bit", "Обычный текст письма."),
    ("iso-2022-jp", "7bit", "本日は晴天なり"),
    ("us-ascii", "7bit", "Plain ASCII body with a due date.\r\nAnother line."),
    ("utf-16", "base64", "Sixteen bits of Ünïcode"),
)
_PEOPLE = (
    ("Anna Grün", "anna@example.org"),
    ("Doe, Jane", "jane.doe@example.org"),
    (None, "bob@example.org"),
    ("Carol", "CAROL@EXAMPLE.ORG"),
    ("Иван Петров", "ivan@example.org"),
)


def _word(text: str, charset: str = "utf-8", encoding: str = "b") -> str:
    octets = text.encode(charset)
    if encoding == "b":
        return f"=?{charset}?b?{b64encode(octets).decode()}?="
    quoted = "".join(chr(each) if chr(each).isalnum() and each < 128 else f"={each:02X}" for each in octets)
    return f"=?{charset}?q?{quoted}?="


def _address(number: int) -> str:
    name, address = _PEOPLE[number % len(_PEOPLE)]
    if name is None:
        return address
    if not name.isascii():
        return f"{_word(name)} <{address}>"
    return f'"{name}" <{address}>' if "," in name else f"{name} <{address}>"


def _header(number: int, subject: str) -> str:
    date = _DATES[number % len(_DATES)]
    lines = [
        f"From: {_address(number)}",
        f"To: {_address(number + 1)},\r\n {_address(number + 2)}",
        f"Subject: {subject}",
        f"Message-ID: <{number}.search@example.org>",
    ]
    lines += [f"Date: {date}"] if date else []
    lines += [f"Cc: {_address(number + 3)}"] if number % 3 == 0 else []
    lines += [f"Bcc: {_address(number + 4)}"] if number % 7 == 0 else []
    lines += ["List-Id: Announcements <announce.example.org>"] if number % 5 == 0 else []
    lines += [f"X-Odd: {_word('Größe')}\r\n\tfolded   value"] if number % 4 == 0 else []
    lines += ["X-Empty:"] if number % 6 == 0 else []
    return "".join(f"{line}\r\n" for line in ["MIME-Version: 1.0", *lines])


def _encoded(text: str, charset: str, encoding: str) -> bytes:
    octets = text.encode(charset)
    if encoding == "base64":
        return b64encode(octets)
    return encodestring(octets).replace(b"\n", b"\r\n") if encoding == "quoted-printable" else octets


def _leaf(text: str, charset: str, encoding: str, kind: str = "plain") -> bytes:
    header = f"Content-Type: text/{kind}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return header.encode() + _encoded(text, charset, encoding) + b"\r\n"


def _html(text: str) -> bytes:
    page = f"<html><head><style>p {{ color: fuchsia }}</style></head><body><p>Some <b>bo</b>ld {text}</p></body></html>"
    return _leaf(page, "utf-8", "base64", "html")


def _multipart(kind: str, *parts: bytes) -> bytes:
    between = b"".join(b"--frontier\r\n" + part for part in parts)
    return f'Content-Type: multipart/{kind}; boundary="frontier"\r\n\r\n'.encode() + between + b"--frontier--\r\n"


_FILE = (
    b'Content-Type: application/pdf; name="report.pdf"\r\nContent-Disposition: attachment; filename="report.pdf"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQK\r\n"
)
_NOTE = (
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: attachment; filename=note.txt\r\n\r\n"
    b"Words only the attachment has: pomegranate.\r\n"
)


def _content(number: int) -> bytes:
    charset, encoding, text = _BODIES[number % len(_BODIES)]
    leaf = _leaf(text if number % 10 else f"{text}\r\n" + "padding\r\n" * (number + 1), charset, encoding)
    match number % 9:
        case 5:
            return _html("HTML only, naïve")
        case 6:
            return _multipart("mixed", leaf, _FILE)
        case 7:
            return _multipart("alternative", leaf, _html("alternative"))
        case 8:
            return _multipart("mixed", leaf, _NOTE)
    return leaf


def _flags(number: int) -> Sequence[str]:
    choices = ("$seen", 2), ("$flagged", 3), ("$answered", 5), ("$draft", 11), ("$deleted", 13), ("$forwarded", 4)
    return tuple(flag for flag, each in choices if number % each == 0)


@cache
def mailbox() -> tuple[Mail, ...]:
    """What is seeded."""
    words = [_word(text, charset, encoding) for charset, encoding, text in _SUBJECTS]
    long = "A subject of several words ", "that needs Ünïcode and two words"
    subjects = [*words, *_PLAIN_SUBJECTS, "\r\n ".join(map(_word, long)), "8-bit süß", "plain", "", "Re: Re: plain"]
    found: list[Mail] = []
    for number in range(60):
        subject = subjects[number % len(subjects)]
        source = _header(number, subject).encode() + _content(number)
        found.append((source, _flags(number), FIRST_DAY + timedelta(hours=7 * number)))
    return tuple(found)


def known_of(mail: Mail) -> KnownMessage:
    """All there is to know."""
    source, flags, received_at = mail
    message = read_message(source, id="m", folder_id="f", size=len(source), received_at=received_at, flags=tuple(flags))
    headers = list_headers(source[: source.index(b"\r\n\r\n") + 4])
    texts = {name: _text(name, headers) for name in ("from", "to", "cc", "bcc")}
    return KnownMessage(
        flags=message.flags,
        size=message.size,
        received_at=message.received_at,
        sent_at=message.sent_at,
        has_attachment=message.has_attachment,
        subject=message.subject,
        from_=texts["from"],
        to=texts["to"],
        cc=texts["cc"],
        bcc=texts["bcc"],
        headers=headers,
        text=message.body.text,
        folder=("f", "inbox"),
    )


def _text(name: str, headers: tuple[Header, ...]) -> str | None:
    return ", ".join(each.value for each in headers if each.name.lower() == name) or None
