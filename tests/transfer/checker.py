"""What is in a mailbox, read by imaplib and poplib: no code of the service is used."""

import imaplib
import poplib
import re
import socket
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple, Protocol

from imapclient import imap_utf7

from tests.servers.dovecot import PASSWORD, Mail
from tests.servers.process import HOST

imaplib._MAXLINE = 100_000_000  # type: ignore[attr-defined]  # answers with large messages
NEVER = frozenset({"\\recent", "\\deleted"})
_LIST = re.compile(rb'\((?P<attributes>[^)]*)\) (?:"(?:.)"|NIL) (?P<name>.*)')
_ITEMS = re.compile(rb"FLAGS \((?P<flags>[^)]*)\)")
_DATE = re.compile(rb'INTERNALDATE "(?P<date>[^"]*)"')
_AT_ONCE = 100


class Server(Protocol):
    """Anything with IMAP."""

    def connect(self, user: str) -> AbstractContextManager[imaplib.IMAP4]:
        """A client, signed in."""
        ...


class Seen(NamedTuple):
    """A message as a mailbox shows it. Flags are in lower case, without those that are never copied."""

    octets: str
    flags: frozenset[str]
    at: datetime | None

    def without(self, *, flags: bool = False, at: bool = False) -> "Seen":
        """For servers that do not know these."""
        return Seen(self.octets, frozenset() if flags else self.flags, None if at else self.at)


Contents = dict[str, Counter[Seen]]


def digest(octets: bytes) -> str:
    """Of all octets."""
    return sha256(octets).hexdigest()


def contents(server: Server, user: str) -> Contents:
    """Every folder with every message."""
    with server.connect(user) as client:
        return {name: folder(client, wire) for name, wire in folders(client).items()}


def folders(client: imaplib.IMAP4) -> dict[str, bytes]:
    """The folders that hold messages: names on the wire by their names."""
    found = {}
    for row in client.list()[1]:
        wire = b""
        if isinstance(row, tuple):
            row, wire = row
        assert isinstance(row, bytes)
        listed = _LIST.match(row)
        assert listed, row
        if b"noselect" not in listed["attributes"].lower() and b"nonexistent" not in listed["attributes"].lower():
            wire = wire or listed["name"].strip(b'"').replace(b'\\"', b'"')
            found[imap_utf7.decode(wire)] = wire
    return found


def folder(client: imaplib.IMAP4, wire: bytes) -> Counter[Seen]:
    """The messages of a folder."""
    quoted = wire.decode("ascii").replace("\\", "\\\\").replace('"', '\\"')
    kind, selected = client.select(f'"{quoted}"', readonly=True)
    assert kind == "OK", selected
    exists = int(selected[0] or b"0")
    found: Counter[Seen] = Counter()
    for first in range(1, exists + 1, _AT_ONCE):
        last = min(exists, first + _AT_ONCE - 1)
        kind, items = client.fetch(f"{first}:{last}", "(FLAGS INTERNALDATE)")  # alone: see mailutils
        assert kind == "OK"
        kind, rows = client.fetch(f"{first}:{last}", "(BODY.PEEK[])")
        assert kind == "OK"
        octets = [row[1] for row in rows if isinstance(row, tuple)]
        found.update(_seen(*each) for each in zip(items, octets, strict=True))
    assert found.total() == exists
    return found


def _seen(items: object, octets: bytes) -> Seen:
    assert isinstance(items, bytes), items
    flags, at = _ITEMS.search(items), _DATE.search(items)
    assert flags, items
    words = frozenset(flags["flags"].decode("ascii", "replace").lower().split()) - NEVER
    return Seen(digest(octets), words, at and _moment(at["date"]))


def _moment(text: bytes) -> datetime:
    return datetime.strptime(text.decode().strip(), "%d-%b-%Y %H:%M:%S %z").astimezone(UTC)


def maildrop(port: int, user: str, password: str = PASSWORD) -> Counter[Seen]:
    """The messages of a POP3 server, which knows octets only."""
    poplib._MAXLINE = 100_000_000  # type: ignore[attr-defined]
    client = _opened(port, user, password)
    found: Counter[Seen] = Counter()
    for number in range(1, len(client.uidl()[1]) + 1):
        octets = b"\r\n".join([*client.retr(number)[1], b""])
        found[Seen(digest(octets), frozenset(), None)] += 1
    client.quit()
    return found


class _Client(poplib.POP3):
    """pop3d writes an answer in pieces, and waits until the one before is acknowledged: often 40 ms."""

    def _getline(self) -> tuple[bytes, int]:
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        line: tuple[bytes, int] = super()._getline()  # type: ignore[misc]
        return line


def _opened(port: int, user: str, password: str) -> poplib.POP3:
    """Once no other client is in the maildrop."""
    deadline = time.monotonic() + 10
    while True:
        client = _Client(HOST, port, timeout=60)
        client.user(user)
        try:
            client.pass_(password)
        except poplib.error_proto as error:
            client.close()
            if b"IN-USE" not in error.args[0] or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return client


def of_files(mails: Iterable[Mail]) -> Counter[Seen]:
    """Messages as a server shows them that has them in files with any line ends."""
    return Counter(_as_shown(mail) for mail in mails)


def _as_shown(mail: Mail) -> Seen:
    source, flags, at = mail
    words = frozenset(f"\\{flag[1:]}" if flag in _SYSTEM else flag for flag in flags)
    return Seen(digest(re.sub(rb"(?<!\r)\n", b"\r\n", source)), words - NEVER, at)


_SYSTEM = frozenset({"$seen", "$answered", "$flagged", "$draft", "$deleted"})


def differences(source: Mapping[str, Counter[Seen]], destination: Mapping[str, Counter[Seen]]) -> list[str]:
    """In words; empty if all folders of the source are there, with exactly their messages, and no other messages."""
    found = []
    for name in sorted(source.keys() | destination.keys()):
        here, there = source.get(name, Counter()), destination.get(name, Counter())
        if name in source and name not in destination:
            found.append(f"{name}: no such folder")
        if missing := here - there:
            found.append(f"{name}: {missing.total()} missing, such as {next(iter(missing))}")
        if extra := there - here:
            found.append(f"{name}: {extra.total()} too many, such as {next(iter(extra))}")
    return found
