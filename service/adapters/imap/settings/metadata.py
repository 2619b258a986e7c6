"""Entries of the server's METADATA (RFC 5464). They are read by name: Dovecot finds none by ``DEPTH infinity``.

No command sets an entry under a condition. So a process takes a turn before it compares and writes. The turn is an
entry too, and is taken by Fischer's algorithm: a process that reads that the turn is free writes its own name, waits
until no other process that has read the same can still write, and has the turn if its name is still there.
``TAKING_SECONDS`` bounds the time from that reading to the end of the writing. Each process measures its own, and does
not enter if it was too slow. So clocks need not agree, and no delay of the network lets two processes in.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from secrets import token_hex

from service.adapters.imap.session.access import Access, again
from service.adapters.imap.wire.arguments import string
from service.adapters.imap.wire.status import Status, error_from, lost
from service.adapters.imap.wire.tokens import parse
from service.mail.errors import InUse, MailError, NotPermitted, TooLarge, UpstreamTimeout

_TURN = b"/private/vendor/vendor.casella/turn"
METADATA = frozenset({"METADATA", "METADATA-SERVER"})
TAKING_SECONDS = 0.8
_WAIT_SECONDS = 1.0
"""Longer than ``TAKING_SECONDS``."""
_HELD_SECONDS = 4.0
"""How long a turn is used for writers of this process that wait. None begins to write later."""
_SLACK_SECONDS = 2.0
"""How much later a write may end."""
_LEASE_SECONDS = 8.0
"""A turn that stays the same for longer was left by a process that died, or that was too slow to take it."""
_PATIENCE_SECONDS = 25.0
_POLL_SECONDS = 0.1


class Unavailable(Exception):
    """The server announces METADATA and refuses private entries."""


class Metadata:
    """The entries of one mailbox."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._mine = asyncio.Lock()
        self._writers = 0
        self._held_until = 0.0

    @again
    async def is_announced(self) -> bool:
        """Whether the server says that it has METADATA."""
        async with self.access.anywhere() as connection:
            return not METADATA.isdisjoint(connection.capabilities)

    @again
    async def read(self, entry: bytes) -> bytes | None:
        """The value; None if there is none. One round trip. Raises Unavailable."""
        async with self.access.anywhere() as connection:
            [answer] = await connection.attempt([b"GETMETADATA", b'""', entry])
            if answer.status.kind != "OK":
                raise _refusal(answer.status)
            return _value(answer.untagged, entry)

    async def change(self, entry: bytes, change: Callable[[bytes | None], bytes | None], advice: str) -> None:
        """Replace the value of the entry with the result of ``change``; None means no entry. A second, and a few round
        trips; writers that come meanwhile share the turn. What ``change`` raises is raised, without a turn if it raises
        at once. Raises Unavailable. ``advice`` is for a client that cannot know what was stored."""
        present = await self.read(entry)
        if change(present) == present:
            return
        async with self._turn():
            await self._set_in_turn(entry, change(await self.read(entry)), advice)

    async def _set_in_turn(self, entry: bytes, value: bytes | None, advice: str) -> None:
        """Raises InUse if the turn is over, and UpstreamError ``outcomeUnknown`` if it ends before the answer comes."""
        if self._now() > self._held_until + 0.5 * _SLACK_SECONDS:
            raise InUse("The mail server was too slow. Nothing was stored. Try again.", retry_after=1)
        try:
            async with asyncio.timeout_at(self._held_until + _SLACK_SECONDS):
                await self._set(entry, value)
        except TimeoutError:
            raise lost(UpstreamTimeout(protocol="imap"), advice) from None

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One writer at a time, in all processes. The turn is kept as long as writers of this process wait, for
        ``_HELD_SECONDS`` at most."""
        self._writers += 1
        try:
            async with self._mine:
                if self._now() > self._held_until:
                    await self._take()
                yield
        finally:
            self._writers -= 1
            if not self._mine.locked() and (not self._writers or self._now() > self._held_until):
                await self._leave()

    async def _take(self) -> None:
        seen, since = None, self._now()
        end = since + _PATIENCE_SECONDS
        while (began := self._now()) < end:
            present = await self.read(_TURN)
            if present != seen:
                seen, since = present, began
            if present and began < since + _LEASE_SECONDS:
                await asyncio.sleep(_POLL_SECONDS)
                continue
            own = token_hex(8).encode()  # another one each time: an earlier write may come late
            await self._set(_TURN, own)
            if self._now() > began + TAKING_SECONDS:
                continue
            await asyncio.sleep(_WAIT_SECONDS)
            checked = self._now()
            if await self.read(_TURN) == own:
                self._held_until = checked + _HELD_SECONDS
                return
        raise InUse("Other requests are changing what is stored. Try again shortly.", retry_after=5)

    async def _leave(self) -> None:
        """If that is too late or fails, the lease ends the turn."""
        end, self._held_until = self._held_until, 0.0
        if self._now() < end + 0.5 * _SLACK_SECONDS:
            with suppress(MailError, Unavailable, TimeoutError):
                async with asyncio.timeout_at(end + _SLACK_SECONDS):
                    await self._set(_TURN, None)

    @again
    async def _set(self, entry: bytes, value: bytes | None) -> None:
        """Setting the same value twice has the same result."""
        async with self.access.anywhere() as connection:
            piece = b"NIL" if value is None else string(value)
            [answer] = await connection.attempt([b"SETMETADATA", b'""', b"(", entry, piece, b")"])
            if answer.status.kind != "OK":
                raise _refusal(answer.status)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _refusal(status: Status) -> Exception:
    """RFC 5464, 4.3: NOPRIVATE says that the server keeps no private entries. Cyrus keeps only those that its operator
    has defined, unless ``annotation_allow_undefined`` is set, and denies permission for others."""
    words, error = status.argument.upper().split(), error_from(status)
    is_denied = isinstance(error, NotPermitted) or (status.code == "METADATA" and words[:1] == [b"NOPRIVATE"])
    if status.kind == "BAD" or is_denied:
        return Unavailable()
    if status.code == "METADATA" and words[:1] == [b"MAXSIZE"]:
        return TooLarge("The mail server keeps fewer octets in an entry.")
    return error


def _value(untagged: Iterable[bytes], entry: bytes) -> bytes | None:
    """``METADATA "" (entry value …)``."""
    for line in untagged:
        if line[:9].upper() == b"METADATA ":
            match parse(line, 9):
                case [_, list() as words]:
                    for name, value in zip(words[::2], words[1::2], strict=False):
                        if isinstance(name, bytes) and name.lower() == entry and isinstance(value, bytes):
                            return bytes(value)
    return None
