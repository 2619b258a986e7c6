"""A mailbox to search, and a straightforward evaluation of filters over it with nothing but the standard library."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from email.header import Header
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.policy import default
from email.utils import format_datetime, parsedate_to_datetime
from functools import cached_property

from service.mail.search.filter import Condition, Criterion, Filter, HeaderText, Logic

PEOPLE = (
    ("Anna Müller", "anna@example.org"),
    ("Bob Example", "bob@example.com"),
    ("Жанна Иванова", "zhanna@example.net"),
    ("田中 太郎", "tanaka@example.org"),
    ("Özgür Çelik", "ozgur@example.com"),
)
SUBJECTS = (
    "Rechnung für März", "Invoice 2026", "Übersicht der Änderungen", "会議のお知らせ", "Встреча завтра", "lunch?",
    "due date", "Re: due date", "newsletter", "100 % sicher", 'a "quoted" subject', "naïve café",
)  # fmt: skip
BODIES = (
    "Please find the invoice attached.\r\nKind regards", "Grüße aus Köln und Zürich.", "明日の会議は十時です。",
    "Встретимся завтра у входа.", "The quick brown fox jumps over the lazy dog.", "kurz", "apples pears cherries",
)  # fmt: skip
KEYWORDS = ("work", "$forwarded", "todo")
ENCODINGS = ("quoted-printable", "base64", "8bit")


@dataclass(frozen=True)
class Kept:
    """A message as it was put into the mailbox."""

    number: int
    source: bytes
    flags: tuple[str, ...]
    received_at: datetime

    @cached_property
    def message(self) -> Message:
        return BytesParser(policy=default).parsebytes(self.source)

    @cached_property
    def words(self) -> str:
        """The text that a person reads."""
        assert isinstance(self.message, EmailMessage)
        part = self.message.get_body(("plain",))
        assert isinstance(part, EmailMessage)
        return str(part.get_content())


def make_mail(count: int = 120, seed: int = 7) -> list[Kept]:
    """Every subject, body, sender, encoding, some attachments, threads, flags; the same every time."""
    chance = random.Random(seed)
    kept: list[Kept] = []
    for number in range(count):
        received = datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=number // 2, minutes=number)
        kept.append(Kept(number, _source(number, chance, received), _flags(chance), received))
    return kept


def _flags(chance: random.Random) -> tuple[str, ...]:
    system = [flag for flag in ("$seen", "$flagged", "$answered") if chance.random() < 0.4]
    return (*system, *(word for word in KEYWORDS if chance.random() < 0.2))


def _source(number: int, chance: random.Random, received: datetime) -> bytes:
    message = EmailMessage(policy=default.clone(linesep="\r\n", max_line_length=78))
    sender, to, cc = chance.sample(PEOPLE, 3)
    message["From"] = (
        f"{Header(sender[0], 'utf-8').encode()} <{sender[1]}>"
        if not sender[0].isascii()
        else f"{sender[0]} <{sender[1]}>"
    )
    message["To"] = to[1]
    if chance.random() < 0.5:
        message["Cc"] = cc[1]
    message["Subject"] = f"{chance.choice(SUBJECTS)} {number}"
    zone = timezone(timedelta(hours=chance.choice((-5, 0, 1, 9))))
    message["Date"] = format_datetime((received - timedelta(days=chance.randrange(4))).astimezone(zone))
    message["Message-ID"] = f"<{number}@example.org>"
    if number % 5 == 4:
        message["In-Reply-To"] = message["References"] = f"<{number - 1}@example.org>"
    if chance.random() < 0.3:
        message["X-Mailer"] = chance.choice(("Sylpheed 3", "mutt"))
    message.set_content(
        chance.choice(BODIES) + f"\r\nno {number}\r\n" + "z" * chance.randrange(3000), cte=_encoding(chance)
    )
    if chance.random() < 0.3:
        message.add_attachment(
            chance.randbytes(chance.randrange(200, 6000)), "application", "pdf", filename="Übersicht.pdf"
        )
    return message.as_bytes()


def _encoding(chance: random.Random) -> str:
    return chance.choice(ENCODINGS[:2])


def find(mail: list[Kept], tree: Filter) -> set[int]:
    """The numbers of the messages for which the filter holds."""
    return {kept.number for kept in mail if matches(mail, kept, tree)}


def matches(mail: list[Kept], kept: Kept, tree: Filter) -> bool:
    """Straight from RFC 8621, 4.4.1."""
    if isinstance(tree, Condition):
        return _holds(mail, kept, tree)
    found = [matches(mail, kept, one) for one in tree.conditions]
    if tree.logic is Logic.AND:
        return all(found)
    return any(found) if tree.logic is Logic.OR else not any(found)


def _holds(mail: list[Kept], kept: Kept, condition: Condition) -> bool:  # noqa: C901 - a table in code
    value, message = condition.value, kept.message
    match condition.criterion:
        case Criterion.TEXT:
            everything = "\n".join(f"{name}: {text}" for name, text in message.items()) + kept.words
            return _has(everything, value)
        case Criterion.BODY:
            return _has(kept.words, value)
        case Criterion.HEADER:
            assert isinstance(value, HeaderText)
            return any(_has(str(text), value.text) for text in message.get_all(value.name, []))
        case Criterion.HAS_KEYWORD:
            return value in kept.flags
        case Criterion.NOT_KEYWORD:
            return value not in kept.flags
        case Criterion.MIN_SIZE:
            return len(kept.source) >= int(str(value))
        case Criterion.MAX_SIZE:
            return len(kept.source) < int(str(value))
        case Criterion.HAS_ATTACHMENT:
            return any(part.get_content_disposition() == "attachment" for part in message.walk()) is value
    if condition.criterion in _IN_THREAD:
        return _IN_THREAD[condition.criterion](value in one.flags for one in _thread(mail, kept))
    if isinstance(value, date):
        return _dated(kept, condition.criterion, value)
    return any(_has(str(text), value) for text in message.get_all(condition.criterion.value, []))


_IN_THREAD: dict[Criterion, Callable[[Iterable[bool]], bool]] = {
    Criterion.ALL_IN_THREAD: all,
    Criterion.SOME_IN_THREAD: any,
    Criterion.NONE_IN_THREAD: lambda found: not any(found),
}


def _dated(kept: Kept, criterion: Criterion, value: date) -> bool:
    is_since = criterion in {Criterion.SINCE, Criterion.SENT_SINCE}
    if isinstance(value, datetime):
        return kept.received_at >= value if is_since else kept.received_at < value
    sent = parsedate_to_datetime(str(kept.message["Date"]))
    day = kept.received_at.date() if criterion in {Criterion.SINCE, Criterion.BEFORE} else sent.date()
    return day >= value if is_since else day < value


def _thread(mail: list[Kept], kept: Kept) -> list[Kept]:
    """Every fifth message answers the one before it."""
    pair = {
        kept.number,
        kept.number - 1 if kept.number % 5 == 4 else kept.number + 1 if kept.number % 5 == 3 else kept.number,
    }
    return [one for one in mail if one.number in pair]


def _has(text: str, part: object) -> bool:
    return str(part).casefold() in text.casefold()
