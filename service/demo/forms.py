"""The forms of letters. Each function writes what follows the address headers of a message."""

import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from io import BytesIO
from random import Random
from textwrap import fill
from typing import TypeAlias

from service.demo.mime import CRLF, Encoding, binary, header, message, multipart, text
from service.demo.words import Language

LARGE = 10 << 20
WIDTH = 76


@dataclass(frozen=True, slots=True)
class Letter:
    """What to write. ``rng`` is seeded with the number, so the same number makes the same letter."""

    number: int
    subject: str
    language: Language
    rng: Random

    def paragraphs(self) -> list[str]:
        """Different ones at each call."""
        rng, sentences = self.rng, self.language.sentences
        return [" ".join(rng.choices(sentences, k=rng.randint(1, 5))) for _ in range(1 + self.number % 4)]

    def prose(self) -> str:
        """Wrapped paragraphs."""
        return "\n\n".join(fill(paragraph, WIDTH) for paragraph in self.paragraphs()) + "\n"


Form: TypeAlias = Callable[[Letter], bytes]


def bare(letter: Letter) -> bytes:
    """Without any MIME header. Some lines begin with dots, which POP3 doubles, or with From, which mbox quotes."""
    dotted = ".\n..\n.hidden begins with a dot\n\nFrom here on there is nothing new.\n"
    prose = letter.prose().encode("ascii", "replace").decode() + dotted
    return CRLF + prose.replace("\n", "\r\n").encode()


def empty(letter: Letter) -> bytes:
    """Headers without a body."""
    return CRLF


def plain(letter: Letter) -> bytes:
    """UTF-8 in each of its usual encodings."""
    encodings: tuple[Encoding, ...] = ("quoted-printable", "base64", "8bit")
    return text(letter.prose(), "utf-8", encodings[letter.number % 3])


def legacy(letter: Letter) -> bytes:
    """In a charset from before UTF-8, in an encoding that was used with it."""
    charset = letter.language.charsets[letter.number // 13 % len(letter.language.charsets)]
    if charset in {"us-ascii", "iso-2022-jp"}:
        return text(letter.prose(), charset, "7bit")
    encodings: tuple[Encoding, ...] = ("quoted-printable", "8bit", "base64")
    return text(letter.prose(), charset, encodings[letter.number // 3 % 3])


def reply(letter: Letter) -> bytes:
    """A reply above the quoted message, as format=flowed (RFC 3676)."""
    quoted = "".join(f"> {line}\n" for line in letter.prose().splitlines())
    return text(f"{letter.prose()}\n{quoted}-- \n.:|:.\n", "utf-8", "8bit", more="; format=flowed")


def alternative(letter: Letter) -> bytes:
    """Plain text and the same as HTML."""
    paragraphs = letter.paragraphs()
    prose = "\n\n".join(fill(paragraph, WIDTH) for paragraph in paragraphs) + "\n"
    return multipart("alternative", letter.number, text(prose), _html(letter, *paragraphs))


def html_only(letter: Letter) -> bytes:
    """With what sanitizing must remove: a script, a form, an image on the sender's server."""
    unsafe = '<script>alert("no")</script><form action="https://example.com/collect"><input name="pin"></form>'
    pixel = '<p style="background:url(https://pixel.example.com/p.png)" onclick="alert(1)">Read me.</p>'
    return _html(letter, *letter.paragraphs(), extra=unsafe + pixel, encoding="base64")


def newsletter(letter: Letter) -> bytes:
    """From a mailing list, with remote images that track the reader."""
    images = f'<img src="https://news.example.com/title/{letter.number}.png" alt="Title" width="480">'
    pixel = f'<img src="https://pixel.example.com/{letter.number}.gif" width="1" height="1" alt="">'
    link = '<p><a href="https://news.example.com/read?from=mail">Read on</a></p>'
    head = header("List-Id", "News of the House <news.example.com>")
    head += header("List-Unsubscribe", "<mailto:leave@news.example.com>,\r\n <https://news.example.com/leave>")
    paragraphs = letter.paragraphs()
    html = _html(letter, *paragraphs, extra=images + link + pixel)
    return head + multipart("alternative", letter.number, text("\n".join(paragraphs) + "\n"), html)


def pictures(letter: Letter) -> bytes:
    """HTML with embedded images (RFC 2392), and a plain text instead of it."""
    cids = [f"picture{index}.{letter.number}@example.net" for index in range(1 + letter.number % 3)]
    tags = "".join(f'<img src="cid:{cid}" alt="a colour"> ' for cid in cids)
    images = [binary(_png(letter.rng), "image/png", f"colour {index}.png", cid=cid) for index, cid in enumerate(cids)]
    related = multipart("related", letter.number, _html(letter, extra=tags), *images, more='; type="text/html"')
    return multipart("alternative", letter.number, text("The picture is in the HTML.\n"), related)


def documents(letter: Letter) -> bytes:
    """Attachments with names in every script, and a preamble for programs without MIME."""
    long = "Quartalszahlen – endgültige Fassung für das Büro.pdf"
    names = (f"Überblick {letter.number}.pdf", f"{letter.subject}.pdf", long)
    rows = "".join(f"{day};{letter.rng.randint(0, 999)}\n" for day in range(1, 32))
    table = text("day;count\n" + rows, "utf-8", "base64", "csv")
    named = header("Content-Disposition", 'attachment; filename="figures; \\"final\\".csv"') + table
    pdf = binary(_pdf(f"Invoice {letter.number}"), "application/pdf", names[letter.number % 3])
    preamble = b"This is a message in several parts.\r\n"
    return multipart("mixed", letter.number, text(letter.prose()), pdf, named, preamble=preamble)


def bundle(letter: Letter) -> bytes:
    """A zip, and a text file whose name is written in the old style."""
    notes = "\n".join(letter.paragraphs()).encode()
    zipped = binary(_zip({"notes.txt": notes, "colour.png": _png(letter.rng)}), "application/zip", "bundle.zip")
    old = binary(notes, "text/plain; charset=utf-8", "Notizen für später.txt", old_style=True)
    return multipart("mixed", letter.number, text(letter.prose()), zipped, old)


def invitation(letter: Letter) -> bytes:
    """An invitation to a meeting (RFC 6047): as a part for programs, and as a file."""
    calendar = "\n".join((
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example//Demo//EN", "METHOD:REQUEST", "BEGIN:VEVENT",
        f"UID:meeting-{letter.number}@example.net", "DTSTAMP:20260801T080000Z", "DTSTART:20260910T080000Z",
        "DTEND:20260910T090000Z", f"SUMMARY:{letter.subject}", "ORGANIZER:mailto:desk@example.net",
        "ATTENDEE;RSVP=TRUE:mailto:demo@example.org", "END:VEVENT", "END:VCALENDAR", "",
    ))  # fmt: skip
    for_programs = text(calendar, "utf-8", "quoted-printable", "calendar", "; method=REQUEST")
    both = multipart("alternative", letter.number, text(letter.prose()), for_programs)
    file = binary(calendar.replace("\n", "\r\n").encode(), "application/ics", "invite.ics")
    return multipart("mixed", letter.number, both, file)


def forwarded(letter: Letter) -> bytes:
    """With a message inside, which has an image inside."""
    inner = header("From", "Front Desk <desk@example.net>") + header("To", "team@example.com")
    inner += header("Subject", "Inside") + header("Message-ID", f"<inner.{letter.number}@example.net>")
    inner += header("Date", "Mon, 03 Aug 2026 09:30:00 +0200") + header("MIME-Version", "1.0")
    image = binary(_png(letter.rng), "image/png", "inside.png")
    inner += multipart("mixed", letter.number + 1_000_000, text(letter.prose()), image)
    return multipart("mixed", letter.number, text("See below.\n", "us-ascii", "7bit"), message(inner, "inside.eml"))


def undelivered(letter: Letter) -> bytes:
    """A delivery status notification (RFC 3464)."""
    status = b"Reporting-MTA: dns; mx.example.net\r\n\r\nFinal-Recipient: rfc822; nobody@example.com\r\n"
    status += b"Action: failed\r\nStatus: 5.1.1\r\n"
    headers = header("From", "demo@example.org") + header("To", "nobody@example.com") + header("Subject", "Hello?")
    return header("Auto-Submitted", "auto-replied") + multipart(
        "report", letter.number,
        text("Nobody of that name lives here.\n", "us-ascii", "7bit"),
        header("Content-Type", "message/delivery-status") + CRLF + status,
        header("Content-Type", "text/rfc822-headers") + CRLF + headers,
        more="; report-type=delivery-status",
    )  # fmt: skip


def large(letter: Letter) -> bytes:
    """An attachment of ten megabytes of random octets, which compression cannot make smaller."""
    noise = binary(letter.rng.randbytes(LARGE), "application/octet-stream", "Große Datei.bin")
    return multipart("mixed", letter.number, text("The attachment is large.\n"), noise)


def _html(letter: Letter, *paragraphs: str, extra: str = "", encoding: Encoding = "quoted-printable") -> bytes:
    body = "\n".join(f'<p style="color:#234">{escape(paragraph)}</p>' for paragraph in paragraphs)
    head = "<!DOCTYPE html>\n<html><head><style>h1 { font-size: 1.2em }</style></head>"
    title = f"<h1>{escape(letter.subject)}</h1>"
    return text(f"{head}\n<body>{title}\n{body}\n{extra}\n</body></html>\n", "utf-8", encoding, "html")


def _png(rng: Random) -> bytes:
    """A square of one colour."""
    side = 16
    pixels = zlib.compress((b"\0" + rng.randbytes(3) * side) * side)
    size = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", size) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _pdf(line: str) -> bytes:
    """One page with one line on it."""
    content = f"BT /F 24 Tf 72 720 Td ({line}) Tj ET".encode()
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    pdf, offsets = b"%PDF-1.4\n", b""
    for number, body in enumerate(objects, 1):
        offsets += b"%010d 00000 n \n" % len(pdf)
        pdf += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"xref\n0 6\n0000000000 65535 f \n" + offsets
    return pdf + table + b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(pdf)


def _zip(files: dict[str, bytes]) -> bytes:
    """With a fixed date, so that the octets are the same each time."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as bundle_file:
        for name, content in files.items():
            bundle_file.writestr(zipfile.ZipInfo(name, (2026, 8, 1, 12, 0, 0)), content)
    return written.getvalue()
