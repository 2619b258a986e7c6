"""Caches what never changes of a message: envelope, structure, dates and size by (UIDVALIDITY, UID). Flags are kept
with the change up to which they hold, and never shown without asking for later ones.

The cache is bounded by octets over all accounts of the process; the folder used least recently goes first. A folder's
cache changes only while it is out of the cache of folders, and going back in counts it: so nothing is counted that is
not kept. Do not hold a FolderCache over an await, because it may be dropped meanwhile.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from sys import getsizeof
from typing import NamedTuple

from cachetools import Cache, LRUCache

from service.adapters.imap.messages.envelope import envelope_of, envelope_values, structure_of
from service.adapters.imap.messages.known_flags import FlagsRead, KnownFlags
from service.adapters.imap.messages.opened import SHARE, OpenedMessages
from service.adapters.imap.wire.usual import read_described
from service.adapters.imap.wire.values.numbers import MAX_UID
from service.adapters.shared.cache_metrics import MeasuredCache
from service.mail.json_rows import row_json
from service.mail.model import Address, Message, MessageSummary, Part, Protocol, Value

BUDGET = 64 << 20
PAGES = 200
"""Ends of pages that are remembered for a folder."""
FOLDER_COST = 1200
"""Octets of a FolderCache in memory beside its messages and pages."""
PAGE_COST = 260
MESSAGE_COST = 400
"""Octets of a CachedMessage in memory beside its JSON. This and the two above were measured with tracemalloc."""
FolderKey = tuple[str, bytes, int]
"""Account, folder and UIDVALIDITY."""


class Details(Value):
    """What lists do not show. Searches and the message itself need it."""

    structure: Part | None = None
    sender: tuple[Address, ...] = ()
    """This and ``reply_to`` are empty if they equal From, which servers put there by default."""
    reply_to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()


class Description(NamedTuple):
    """What a CachedMessage says of a message."""

    summary: MessageSummary
    details: Details
    octets: int
    """About as many were read of it."""

    def says(self, message: Message) -> bool:
        """Whether the message itself says the same."""
        pairs = ((self.summary, _OF_SUMMARY - {"flags"}), (self.details, _OF_DETAILS))
        return all(getattr(one, name) == getattr(message, name) for one, names in pairs for name in names)


@dataclass(frozen=True, slots=True)
class CachedMessage:
    """A list row as octets; models are made of it on demand. It is frozen, so that its counted cost stays true: to
    change it, put another one in its place."""

    row: bytes
    """The JSON of the summary, without flags."""
    described: bytes
    """The JSON of the details, or ENVELOPE and BODYSTRUCTURE as the server wrote them: most are never asked for."""
    preview: str | None = None
    thread_id: str | None = None
    email_id: int | None = None
    """Gmail's number of the message, the same in all folders that show it. None elsewhere."""

    is_in_doubt: bool = False
    """Whether the structure is left out that the server wrote."""

    is_confirmed: bool = False
    """Whether the message itself was read since, so that these are its values."""

    def as_in(self, message: Message, described: Description | None = None) -> "CachedMessage":
        """With the values of the whole message. ``described``: what this one has, if it was read before."""
        if described is not None and described.says(message):
            return replace(self, is_confirmed=True)
        summary = MessageSummary.model_construct(**{name: getattr(message, name) for name in _OF_SUMMARY})
        details = Details.model_construct(**{name: getattr(message, name) for name in _OF_DETAILS})
        return replace(self, row=row_json(summary), described=details_json(details), is_confirmed=True)

    @property
    def summary(self) -> MessageSummary:
        """Without flags."""
        return MessageSummary.model_validate_json(self.row)

    @property
    def details(self) -> Details:
        if self.described.startswith(b"{"):
            return Details.model_validate_json(self.described)
        row = read_described(self.described)
        structure = None if self.is_in_doubt else structure_of(row)
        return Details(structure=structure, **envelope_values(envelope_of(row)))

    @property
    def description(self) -> Description:
        """All of it."""
        return Description(self.summary, self.details, len(self.row) + len(self.described))

    @property
    def cost(self) -> int:
        """Its approximate size in memory, in octets."""
        cost = MESSAGE_COST + len(self.row) + len(self.described)
        for value in (self.preview, self.thread_id, self.email_id):
            if value:
                cost += getsizeof(value)
        return cost


_OF_SUMMARY = frozenset(name for name in MessageSummary.model_fields if name not in {"preview", "thread_id", "labels"})
_OF_DETAILS = frozenset(Details.model_fields)


def details_json(details: Details) -> bytes:
    """As a CachedMessage has them."""
    return details.model_dump_json(exclude_defaults=True).encode()


class FolderCache:
    """The cached messages of one folder by UID, and the ends of its pages."""

    def __init__(self, name: bytes = b"") -> None:
        self.own_octets = FOLDER_COST + len(name)
        """Its approximate size while it is empty."""
        self.messages: dict[int, CachedMessage] = {}
        self.pages: LRUCache[tuple[int, int], int] = LRUCache(PAGES)
        """The lowest UID of a page, by its limit and the UID that it lies below. A hint, never an answer."""
        self.flags = KnownFlags()
        self.lowest = MAX_UID + 1
        """No UID below it was read."""
        self._message_octets = 0

    @property
    def octets(self) -> int:
        """Its approximate size in memory."""
        return self.own_octets + PAGE_COST * len(self.pages) + self.flags.octets + self._message_octets

    @property
    def is_empty(self) -> bool:
        return not self.messages and not self.pages

    def put(self, uid: int, message: CachedMessage) -> None:
        """Add a message, or replace it."""
        self.take(uid)
        self.messages[uid] = message
        self._message_octets += message.cost
        self.lowest = min(self.lowest, uid)

    def take(self, uid: int) -> None:
        """Remove a message, if it is cached."""
        message = self.messages.pop(uid, None)
        if message is not None:
            self._message_octets -= message.cost

    def trim(self, budget: int) -> None:
        """Remove the messages that were put first, until the rest fits."""
        excess = self.octets - budget
        gone = []
        for uid, message in self.messages.items():
            if excess <= 0:
                break
            excess -= message.cost
            gone.append(uid)
        for uid in gone:
            self.take(uid)


class MessageCache(MeasuredCache):
    """The cached messages of all accounts, by folder, within a budget; and those that were opened, within ``SHARE``
    more."""

    def __init__(self, budget: int = BUDGET) -> None:
        super().__init__(Protocol.IMAP)
        self.opened = OpenedMessages(budget // SHARE)
        self._budget = budget
        self._nothing = FolderCache()
        self._folders: LRUCache[FolderKey, FolderCache] = LRUCache(budget, getsizeof=_octets_of)

    @property
    def octets(self) -> int:
        return int(self._folders.currsize) + self.opened.octets

    @property
    def kept_octets(self) -> int:
        return sum(folder.octets for folder in self.folders) + self.opened.octets

    @property
    def folders(self) -> list[FolderCache]:
        """All cached folders. Looking at them does not count as use."""
        return [Cache.__getitem__(self._folders, key) for key in self._folders]

    def folder(self, key: FolderKey) -> FolderCache:
        """The cache of a folder, or an empty one that is not kept. To be read at once: neither written to nor held."""
        return self._folders.get(key, self._nothing)

    def keep(self, key: FolderKey, messages: Mapping[int, CachedMessage]) -> None:
        """Add messages, or replace those with the same UIDs. The folders used least recently make room; a message that
        alone exceeds the budget is not kept."""
        with self._changed(key) as folder:
            for uid, message in messages.items():
                if folder.own_octets + message.cost <= self._budget:
                    folder.put(uid, message)
                else:
                    folder.take(uid)

    def keep_page(self, key: FolderKey, limit: int, below: int, lowest: int) -> None:
        """Remember the lowest UID of a page."""
        with self._changed(key) as folder:
            folder.pages[limit, below] = lowest

    def note_flags(self, key: FolderKey, read: FlagsRead) -> None:
        """Keep flags that were read just now."""
        with self._changed(key) as folder:
            folder.flags = folder.flags.noting(read)

    def confirm_flags(self, key: FolderKey, earlier: KnownFlags, read: FlagsRead) -> None:
        """See ``KnownFlags.replacing``."""
        with self._changed(key) as folder:
            folder.flags = folder.flags.replacing(earlier, read)

    @contextmanager
    def _changed(self, key: FolderKey) -> Iterator[FolderCache]:
        folder = self._folders.pop(key, None) or FolderCache(key[1])
        yield folder
        folder.trim(self._budget)
        if not folder.is_empty and folder.octets <= self._budget:
            self._folders[key] = folder


def _octets_of(folder: FolderCache) -> int:
    return folder.octets
