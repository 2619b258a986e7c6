"""Settings in the server's METADATA (RFC 5464). Entries are read by name: Dovecot finds none by ``DEPTH infinity``.

No command sets an entry under a condition. So a process takes a turn before it compares and writes. The turn is an
entry too, and is taken by Fischer's algorithm: a process that reads that the turn is free writes its own name, waits
until no other process that has read the same can still write, and has the turn if its name is still there.
``TAKING_SECONDS`` bounds the time from that reading to the end of the writing. Each process measures its own, and does
not enter if it was too slow. So clocks need not agree, and no delay of the network lets two processes in.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from secrets import token_hex

from service.adapters.imap.session.access import Access, again
from service.adapters.imap.wire.arguments import string
from service.adapters.imap.wire.status import Status, error_from, lost
from service.adapters.imap.wire.tokens import parse
from service.mail.errors import Changed, InUse, MailError, NotPermitted, TooLarge, UpstreamTimeout
from service.mail.settings import settings_version

ENTRY = b"/private/vendor/vendor.casella/settings"
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


class MetadataSettings:
    """The settings of one mailbox in its METADATA."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._mine = asyncio.Lock()
        self._writers = 0
        self._held_until = 0.0

    async def read(self) -> bytes | None:
        """The settings; None if there are none. One round trip."""
        return await self._get(ENTRY)

    async def write(self, settings: bytes, version: str | None, moved: bytes | None) -> None:
        """Store the settings if the present ones have ``version`` (None: any). ``moved`` are the present ones if there
        is no entry. A second, and a few round trips; writers that come meanwhile share the turn. Raises Changed."""
        await self._require(version, moved)  # a writer that is too late need not wait for a turn
        async with self._turn():
            await self._require(version, moved)
            await self._set_in_turn(settings)

    async def _require(self, version: str | None, moved: bytes | None) -> None:
        if version is not None:
            present = await self._get(ENTRY)
            if settings_version(moved if present is None else present) != version:
                raise Changed("The settings have changed meanwhile. Read them again.")

    async def _set_in_turn(self, settings: bytes) -> None:
        """Raises InUse if the turn is over, and UpstreamError ``outcomeUnknown`` if it ends before the answer comes."""
        if self._now() > self._held_until + 0.5 * _SLACK_SECONDS:
            raise InUse("The mail server was too slow. Nothing was stored. Try again.", retry_after=1)
        try:
            async with asyncio.timeout_at(self._held_until + _SLACK_SECONDS):
                await self._set(ENTRY, settings)
        except TimeoutError:
            raise lost(UpstreamTimeout(protocol="imap"), "Read the settings to see whether they were stored.") from None

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
            present = await self._get(_TURN)
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
            if await self._get(_TURN) == own:
                self._held_until = checked + _HELD_SECONDS
                return
        raise InUse("Other requests are changing the settings. Try again shortly.", retry_after=5)

    async def _leave(self) -> None:
        """If that is too late or fails, the lease ends the turn."""
        end, self._held_until = self._held_until, 0.0
        if self._now() < end + 0.5 * _SLACK_SECONDS:
            with suppress(MailError, Unavailable, TimeoutError):
                async with asyncio.timeout_at(end + _SLACK_SECONDS):
                    await self._set(_TURN, None)

    @again
    async def _get(self, entry: bytes) -> bytes | None:
        async with self.access.anywhere() as connection:
            [answer] = await connection.attempt([b"GETMETADATA", b'""', entry])
            if answer.status.kind != "OK":
                raise _refusal(answer.status)
            return _value(answer.untagged, entry)

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
        return TooLarge("The mail server keeps settings of fewer octets.")
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
