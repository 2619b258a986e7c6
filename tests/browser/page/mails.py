"""Mail for the page, in few words."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from tests.servers.dovecot import Mail

NEWEST = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)
ADA, BOB = "Ada Example <ada@example.net>", "Bob Beispiel <bob@example.net>"
PICTURE = "https://pictures.example.net/open.png"
HTML = f"""<p style="color: #123456">Good <b>morning</b></p><img src="{PICTURE}" alt="A picture">
<p><a href="https://news.example.net/">Read on</a></p>"""


def mail(
    subject: str = "Hello",
    *,
    sender: str = ADA,
    to: str = "user@example.org",
    text: str = "Good morning.",
    html: str | None = None,
    file: tuple[str, bytes] | None = None,
    number: int = 0,
    answers: int | None = None,
) -> bytes:
    """``number`` names the message, and ``answers`` is the number of the one that it answers."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Date"] = NEWEST - timedelta(hours=number)
    message["Message-ID"] = f"<{number}.page@example.org>"
    if answers is not None:
        message["In-Reply-To"] = message["References"] = f"<{answers}.page@example.org>"
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    if file is not None:
        name, octets = file
        message.add_attachment(octets, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes().replace(b"\n", b"\r\n")


_LINES = """From: {sender}\r
To: user@example.org\r
Subject: Message {age}\r
Date: {date:%a, %d %b %Y %H:%M:%S +0000}\r
Message-ID: <{age}.page@example.org>\r
\r
Text of {age}.\r
"""


def many(count: int, flags: Sequence[str] = ("$seen",)) -> Iterator[Mail]:
    """Messages an hour apart, the oldest first. Their subjects are numbered by age: the newest is 0."""
    for age in reversed(range(count)):
        date = NEWEST - timedelta(hours=age)
        yield _LINES.format(age=age, sender=(ADA, BOB)[age % 2], date=date).encode(), flags, date
