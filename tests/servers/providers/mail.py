"""What the servers keep: messages, and folders that show them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

WHEN = datetime(2026, 10, 1, 9, 30, tzinfo=UTC)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@dataclass(eq=False)
class Letter:
    """A message. ``attachment`` is the name of one more part."""

    subject: str
    from_: str = "anna@example.org"
    to: str = "user@example.org"
    cc: str = ""
    text: str = "Good morning."
    attachment: str = ""
    sent: datetime = WHEN
    flags: set[str] = field(default_factory=set)
    labels: list[str] = field(default_factory=list)
    thread: int = 0
    """Of the letters with the same number, none with 0."""
    number: int = 0
    """The same in all folders; given by the server."""
    changed: int = 0
    """Its MODSEQ (RFC 7162)."""

    @property
    def header(self) -> bytes:
        fields = {"From": self.from_, "To": self.to, "Cc": self.cc, "Subject": self.subject}
        lines = [f"{name}: {value}" for name, value in fields.items() if value]
        return "\r\n".join([*lines, f"Message-ID: <{self.number}@example.org>", "", ""]).encode()

    @property
    def octets(self) -> bytes:
        return self.header + self.text.encode() + b"\r\n"

    @property
    def internal_date(self) -> str:
        return f"{self.sent.day:02}-{_MONTHS[self.sent.month - 1]}-{self.sent:%Y %H:%M:%S} +0000"


@dataclass(eq=False)
class Folder:
    """A folder, or a label that is shown as one."""

    name: str
    attributes: str = "\\HasNoChildren"
    uid_validity: int = 7
    letters: dict[int, Letter] = field(default_factory=dict)
    """By UID, ascending."""
    uids: "count[int]" = field(default_factory=lambda: count(1))

    def add(self, letter: Letter) -> int:
        uid = next(self.uids)
        self.letters[uid] = letter
        return uid

    @property
    def uid_next(self) -> int:
        return max(self.letters, default=0) + 1

    @property
    def is_selectable(self) -> bool:
        return "\\noselect" not in self.attributes.lower()


class Mailbox:
    """All folders of an account, by name."""

    def __init__(self, *folders: Folder) -> None:
        self.folders = {folder.name: folder for folder in folders}
        self._numbers = count(1278455344230334865)
        self.changes = 1

    def note(self, letter: Letter) -> None:
        """The letter has changed."""
        self.changes += 1
        letter.changed = self.changes

    def deliver(self, letter: Letter, *names: str) -> Letter:
        """Put one letter into these folders."""
        letter.number = letter.number or next(self._numbers)
        self.note(letter)
        for name in names:
            self.folders[name].add(letter)
        return letter
