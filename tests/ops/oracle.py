"""The expected content of a mailbox after each step: folders by path, messages in the order of their UIDs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes

from tests.contract.letters import RICH, large, plain

Path = tuple[str, ...]
INBOX: Path = ("INBOX",)
SPECIAL = ("Drafts", "Sent", "Trash", "Junk", "Archive")


def subject(number: int) -> str:
    """A marker that is not part of the marker of another message."""
    return f"letter-{number:06d}."


def source(number: int) -> bytes:
    """Every fourth has parts, every ninth is long; no two are the same."""
    if number % 9 == 8:
        return large(70_000).replace(b"large", subject(number).encode())
    if number % 4 == 3:
        message_id = f"Message-ID: <{subject(number)}@example.org>\r\n".encode()
        rich = b"".join(line for line in RICH.splitlines(keepends=True) if b"essage-ID" not in line[:11])
        head, _, rest = rich.partition(b"Subject:")
        return head + message_id + f"Subject: {subject(number)}".encode() + rest[rest.index(b"\r\n") :]
    return plain(subject(number), body=f"Über {number}\r\n.\r\n" * (number % 5 + 1))


def number_of(octets: bytes) -> int:
    """Which message it is."""
    return int(str(message_from_bytes(octets)["Subject"]).removeprefix("letter-").removesuffix("."))


@dataclass(eq=False)
class Kept:
    """A message in one folder. ``id`` is the API's, when it is known."""

    number: int
    flags: frozenset[str] = frozenset()
    id: str | None = None

    def copied(self) -> "Kept":
        return Kept(self.number, self.flags)


@dataclass
class Oracle:
    folders: dict[Path, list[Kept]] = field(default_factory=lambda: {(name,): [] for name in (*INBOX, *SPECIAL)})
    gone: list[str] = field(default_factory=list)
    """Ids of messages that are gone."""
    given: int = 0

    def new(self) -> int:
        """A new message."""
        self.given += 1
        return self.given

    @property
    def made(self) -> list[Path]:
        """Folders that are not the server's own."""
        return [path for path in self.folders if path != INBOX and path[0] not in SPECIAL]

    def messages(self) -> list[tuple[Path, Kept]]:
        return [(path, kept) for path, rows in self.folders.items() for kept in rows]

    def below(self, path: Path) -> list[Path]:
        """The folder and all in it."""
        return [one for one in self.folders if one[: len(path)] == path]

    def remove(self, path: Path, messages: Iterable[Kept]) -> None:
        for kept in messages:
            self.folders[path].remove(kept)
            self._forget([kept])

    def put(self, path: Path, messages: Sequence[Kept]) -> list[Kept]:
        new = [kept.copied() for kept in messages]
        self.folders[path] += new
        return new

    def rename(self, path: Path, to: Path) -> None:
        """With all that is in it, which is known by other ids from now on."""
        for old in self.below(path):
            rows = self.folders.pop(old)
            self._forget(rows)
            self.folders[to + old[len(path) :]] = rows

    def delete(self, path: Path) -> None:
        self._forget(self.folders.pop(path))

    def _forget(self, messages: Iterable[Kept]) -> None:
        self.gone += _ids(messages)
        for kept in messages:
            kept.id = None


def _ids(messages: Iterable[Kept]) -> Iterator[str]:
    return (kept.id for kept in messages if kept.id is not None)
