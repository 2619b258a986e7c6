"""An INBOX on the wire that is as odd as a test wants, and remembers what it was told."""

import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.mail.model import Protocol
from tests.adapters.imap.conftest import TIMING
from tests.servers.process import HOST
from tests.servers.scripted import Answer, Imap, ScriptedServer

USUAL = rb"\Answered \Flagged \Deleted \Seen \Draft \*"
_APPEND = re.compile(
    rb'APPEND "?INBOX"? ?(?:\((?P<flags>[^)]*)\) )?(?:"(?P<date>[^"]*)" )?\{(?P<size>\d+)\+?\}\r\n', re.IGNORECASE
)
_SECTION = re.compile(rb"BODY\.PEEK\[([^\]]*)\](?:<(\d+)\.(\d+)>)?")

Answered: TypeAlias = "Answer | Callable[[bytes], Answer]"


@dataclass
class Held:
    """A message."""

    octets: bytes
    flags: bytes = b""
    date: bytes = b"01-Feb-2020 08:00:00 +0000"


@dataclass
class Box:
    """``refuse`` gives the answer to an APPEND that is refused, by flags and octets; ``alter`` what is stored."""

    messages: dict[int, Held] = field(default_factory=dict)
    permanent: bytes = USUAL
    capabilities: bytes = b"IMAP4rev1 UIDPLUS LITERAL+"
    refuse: Callable[[bytes, bytes], bytes | None] = lambda flags, octets: None
    alter: Callable[[bytes], bytes] = bytes
    answers: dict[str, Answered] = field(default_factory=dict)
    appended: list[Held] = field(default_factory=list)

    @classmethod
    def of(cls, held: Iterable[Held], **more: object) -> "Box":
        return cls(dict(enumerate(held, 1)), **more)  # type: ignore[arg-type]

    @property
    def octets(self) -> list[bytes]:
        """Of all messages."""
        return [held.octets for held in self.messages.values()]

    def imap(self) -> Imap:
        """The script."""
        own = {
            "SELECT": self._select,
            "UID SEARCH": self._search,
            "UID FETCH": self._fetch,
            "APPEND": self._append,
            "UID STORE": self._store,
            "UID EXPUNGE": self._expunge,
        }
        return Imap(capabilities=self.capabilities, answers={**own, **self.answers})

    @asynccontextmanager
    async def opened(self, name: str) -> AsyncIterator[ImapBackend]:
        """The mailbox as the service opens it."""
        async with ScriptedServer([self.imap()]) as server:
            credentials = Credentials(name, Protocol.IMAP, f"{name}@example.org", "secret")
            endpoint = Endpoint(HOST, server.port, Security.NONE, server=name)
            backend = ImapBackend(endpoint, credentials, timing=TIMING)
            try:
                yield backend
            finally:
                await backend.aclose()

    def _select(self, command: bytes) -> bytes:
        newest = max(self.messages, default=0)
        return (
            b"* FLAGS (%b)\r\n* OK [PERMANENTFLAGS (%b)] limited\r\n* %d EXISTS\r\n* OK [UIDVALIDITY 5] v\r\n"
            b"* OK [UIDNEXT %d] n\r\n{tag} OK [READ-WRITE] done\r\n"
        ) % (USUAL, self.permanent, len(self.messages), newest + 1)

    def _search(self, command: bytes) -> bytes:
        return b"* SEARCH %b\r\n{tag} OK done\r\n" % b" ".join(b"%d" % uid for uid in self.messages)

    def _fetch(self, command: bytes) -> bytes:
        _, _, uids, items = command.split(b" ", 3)
        rows = [self._row(number, uid, items) for number, uid in enumerate(self.messages, 1) if uid in _members(uids)]
        return b"".join(rows) + b"{tag} OK done\r\n"

    def _row(self, number: int, uid: int, items: bytes) -> bytes:
        held, told = self.messages[uid], [b"UID %d" % uid]
        if b"FLAGS" in items:
            told.append(b"FLAGS (%b)" % held.flags)
        if b"RFC822.SIZE" in items:
            told.append(b"RFC822.SIZE %d" % len(held.octets))
        if b"INTERNALDATE" in items:
            told.append(b'INTERNALDATE "%b"' % held.date)
        for section, start, count in _SECTION.findall(items):
            octets, name = held.octets, b"BODY[%b]" % section
            if section:
                head = re.split(rb"\r?\n\r?\n", octets, maxsplit=1)[0] + b"\r\n"
                ids = re.findall(rb"(?im)^message-id:.*\n", head)
                octets = b"".join(ids) + b"\r\n"
            elif start:
                octets = octets[int(start) : int(start) + int(count)]
                name += b"<%b>" % start
            told.append(b"%b {%d}\r\n%b" % (name, len(octets), octets))
        return b"* %d FETCH (%b)\r\n" % (number, b" ".join(told))

    def _append(self, command: bytes) -> bytes:
        found = _APPEND.match(command)
        assert found, command[:200]
        octets = command[found.end() : found.end() + int(found["size"])]
        held = Held(self.alter(octets), found["flags"] or b"", found["date"] or b"")
        if (refused := self.refuse(held.flags, octets)) is not None:
            return b"{tag} %b\r\n" % refused
        uid = max(self.messages, default=0) + 1
        self.messages[uid] = held
        self.appended.append(held)
        code = b"[APPENDUID 5 %d] " % uid if b"UIDPLUS" in self.capabilities else b""
        return b"{tag} OK %bdone\r\n" % code

    def _store(self, command: bytes) -> bytes:
        return b"{tag} OK done\r\n"

    def _expunge(self, command: bytes) -> bytes:
        gone = _members(command.split(b" ")[2])
        told = b"".join(
            b"* %d EXPUNGE\r\n" % number for number, uid in reversed(list(enumerate(self.messages, 1))) if uid in gone
        )
        self.messages = {uid: held for uid, held in self.messages.items() if uid not in gone}
        return told + b"{tag} OK done\r\n"


def _members(uids: bytes) -> set[int]:
    found: set[int] = set()
    for run in uids.split(b","):
        low, _, high = run.partition(b":")
        found |= set(range(int(low), int(high or low) + 1))
    return found
