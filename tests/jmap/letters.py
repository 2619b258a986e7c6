"""Mail for these tests."""

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MIXED = (
    b"From: =?utf-8?q?J=C3=BCrg?= <jurg@example.org>, Group: a@example.org, Bea <b@example.org>;\r\n"
    b"To: Bob <bob@example.org>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Sun, 01 Mar 2026 13:00:00 +0100\r\n"
    b"Message-ID: <mixed@example.org>\r\nReferences: <first@example.org> <second@example.org>\r\n"
    b"List-Unsubscribe: <https://example.org/u>, <mailto:u@example.org>\r\nX-Twice: one\r\nX-Twice: two\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=outer\r\n\r\n"
    b"--outer\r\nContent-Type: multipart/alternative; boundary=inner\r\n\r\n"
    b"--inner\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"Der Zug f=C3=A4hrt um acht.\r\n\r\n"
    b"--inner\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Der <b>Zug</b></p>\r\n--inner--\r\n"
    b"--outer\r\nContent-Type: application/pdf; name=plan.pdf\r\nContent-Disposition: attachment; filename=plan.pdf\r\n"
    b"Content-Transfer-Encoding: base64\r\nContent-ID: <plan@example.org>\r\n\r\nJVBERi0xLjQK\r\n--outer--\r\n"
)


def plain(name: str, *, answers: str | None = None, text: str = "text", hours: int = 0) -> bytes:
    """A message with the Message-ID ``<name@example.org>``."""
    references = f"References: <{answers}@example.org>\r\n" if answers else ""
    sent = (NOON + timedelta(hours=hours)).strftime("%a, %d %b %Y %H:%M:%S +0000")
    return (
        f"From: Ann <ann@example.org>\r\nTo: bob@example.org\r\nSubject: {name}\r\nDate: {sent}\r\n"
        f"Message-ID: <{name}@example.org>\r\n{references}\r\n{text}\r\n"
    ).encode()


def received(hours: int) -> str:
    return (NOON + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
