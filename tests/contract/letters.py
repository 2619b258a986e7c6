"""The mail that the contract suite reads."""

import base64
import quopri
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Letter:
    """A message on its way, with what the mailbox notes about it."""

    source: bytes
    flags: Sequence[str] = ()
    received_at: datetime | None = None


def plain(name: object, *, sender: str = "ann@example.org", to: str = "ben@example.org", body: str = "") -> bytes:
    """A message whose subject and Message-ID are its name."""
    text = body or f"This is letter {name}."
    return (
        f"Return-Path: <bounce@example.org>\r\nFrom: {sender}\r\nTo: {to}\r\nSubject: {name}\r\n"
        f"Date: Fri, 01 Mar 2024 10:00:00 +0100\r\nMessage-ID: <{name}@example.org>\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
        f"\r\n{text}\r\n"
    ).encode()


def plains(count: int) -> list[Letter]:
    """Letters 0 to ``count`` - 1, the oldest first."""
    return [Letter(plain(number)) for number in range(count)]


def large(octets: int) -> bytes:
    """A plain message of at least that size, in which every line differs."""
    lines = "\r\n".join(f"{number:070d}" for number in range(octets // 72 + 1))
    return plain("large", body=lines)


TEXT = "Grüße aus Köln – a line that is long enough to be folded when it travels as quoted-printable text."
HTML = "<p>Grüße aus <b>Köln</b></p>"
PDF = bytes(range(256)) * 8
NOTE = "Notiz: schön & kurz\r\nzweite Zeile\r\n".encode()
ATTACHED = b"From: cat@example.org\r\nSubject: inner\r\n\r\nThe inner letter.\r\n"


def _lines(octets: bytes) -> bytes:
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


TEXT_STORED = _lines(quopri.encodestring(TEXT.encode()))
HTML_STORED = _lines(base64.encodebytes(HTML.encode())).removesuffix(b"\r\n")
PDF_STORED = _lines(base64.encodebytes(PDF)).removesuffix(b"\r\n")

RICH = b"\r\n".join(
    [
        b"Received: from a.example.org by b.example.org; Fri, 01 Mar 2024 10:00:02 +0100",
        b"Received: from c.example.org by a.example.org;\r\n\tFri, 01 Mar 2024 10:00:01 +0100",
        b"From: =?utf-8?q?Zo=C3=AB_M=C3=BCller?= <zoe@example.org>",
        b'To: "Ben, the second" <ben@example.org>, cat@example.org',
        b"Cc: dan@example.org",
        b"Reply-To: replies@example.org",
        b"Subject: =?utf-8?b?R3LDvMOfZSBhdXMgS8O2bG4=?=",
        b"Date: Fri, 01 Mar 2024 10:00:00 +0100",
        b"Message-ID: <rich@example.org>",
        b"In-Reply-To: <before@example.org>",
        b"References: <first@example.org>\r\n <before@example.org>",
        b"X-Note: one",
        b"x-note: two",
        b"MIME-Version: 1.0",
        b'Content-Type: multipart/mixed; boundary="outer"',
        b"",
        b"--outer",
        b'Content-Type: multipart/alternative; boundary="inner"',
        b"",
        b"--inner",
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: quoted-printable",
        b"",
        TEXT_STORED,
        b"--inner",
        b"Content-Type: text/html; charset=utf-8",
        b"Content-Transfer-Encoding: base64",
        b"",
        HTML_STORED,
        b"--inner--",
        b"--outer",
        b'Content-Type: application/pdf; name="report.pdf"',
        b"Content-Transfer-Encoding: base64",
        b"Content-Disposition: attachment; filename*=utf-8''Bericht%20f%C3%BCr%20K%C3%B6ln.pdf",
        b"",
        PDF_STORED,
        b"--outer",
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: 8bit",
        b'Content-Disposition: attachment; filename="note.txt"',
        b"",
        NOTE,
        b"--outer",
        b"Content-Type: message/rfc822",
        b"Content-Disposition: attachment",
        b"",
        ATTACHED,
        b"--outer--",
        b"",
    ]
)
