"""A mailbox in memory that keeps every promise of the port: the reference of the contract suite."""

import asyncio
import json
import re
import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from itertools import count
from secrets import token_hex
from typing import Any
from zlib import crc32

from service.adapters.imap.sync.watch import Listener
from service.mail.backend import Backend
from service.mail.changes import AccountChanges, Changes, FolderChanges, Watch
from service.mail.errors import (
    AlreadyExists,
    Changed,
    InvalidRequest,
    MailError,
    NotFound,
    NotPermitted,
    StaleId,
    StaleToken,
)
from service.mail.exchange import Download, FoundMessages, Outcome, Source, Span
from service.mail.ids import account_id, account_tag, make_id, read_id, thread_id
from service.mail.inventory import Item, name_of
from service.mail.mime import structure
from service.mail.mime.body import Leaf as Text
from service.mail.mime.body import choose, has_attachment, read_body
from service.mail.mime.digest import Digest
from service.mail.mime.headers.fields import first, list_headers, parse_message_ids, split_headers
from service.mail.mime.message import read_message, read_summary
from service.mail.mime.structure import Entity
from service.mail.mime.transfer import decoding as transfer
from service.mail.model import (
    Capability,
    EvaluatedBy,
    Flags,
    Folder,
    Grant,
    Header,
    HtmlMode,
    Message,
    MessageSummary,
    Page,
    Protocol,
    Quota,
)
from service.mail.search.filter import Condition, Criterion, Filter, HeaderText, ListQuery, Logic, Order, SortKey
from service.mail.search.matching import sort_value
from service.mail.settings import settings_version

CHUNK = 64 << 10
_FLAG = re.compile(r'\$?[^\x00-\x20\x7f-\U0010ffff(){%*"\\\]]{1,250}\Z')
_HEADERS = {
    Criterion.FROM: "From",
    Criterion.TO: "To",
    Criterion.CC: "Cc",
    Criterion.BCC: "Bcc",
    Criterion.SUBJECT: "Subject",
}


@dataclass
class Stored:
    """A message where it lies."""

    uid: int
    source: bytes
    flags: tuple[str, ...]
    received_at: datetime
    version: int = 0
    guid: str = field(default_factory=lambda: token_hex(8))
    """Kept by moves, and shared by copies."""

    @cached_property
    def entity(self) -> Entity:
        return structure.parse(self.source)

    @property
    def header_block(self) -> bytes:
        return self.source[self.entity.header_start : self.entity.body_start]

    @cached_property
    def body(self) -> str:
        """What a person reads of it."""
        return read_body([self._text(part.id) for part in choose(self.entity.part).text], []).text or ""

    def words_of(self, *names: str) -> str:
        """The named header fields decoded, or all of them."""
        return "\n".join(f"{header.name}: {header.value}" for header in list_headers(self.header_block, names))

    @cached_property
    def names(self) -> list[str]:
        """All Message-IDs it names, the oldest first and its own last."""
        fields = split_headers(self.header_block)
        found = [parse_message_ids(first(fields, name) or b"") for name in ("References", "In-Reply-To", "Message-ID")]
        return [name for names in found for name in names]

    def find(self, part: str) -> Entity:
        found = structure.find(self.entity, part)
        if found is None:
            raise NotFound("part")
        return found

    def _text(self, part: str) -> Text:
        entity = self.find(part)
        return Text(entity.part, self.source[entity.body_start : entity.stop])


@dataclass(eq=False)
class Box:
    """A folder. ``validity`` changes where its messages are numbered anew."""

    name: str
    role: str | None = None
    validity: int = 1
    parent: "Box | None" = None
    is_subscribed: bool = True
    grants: dict[str, str] = field(default_factory=dict)
    messages: dict[int, Stored] = field(default_factory=dict)
    uids: "count[int]" = field(default_factory=lambda: count(1))
    guid: str = field(default_factory=lambda: token_hex(8))

    @property
    def path(self) -> tuple[str, ...]:
        return (*(self.parent.path if self.parent else ()), self.name)

    @property
    def key(self) -> str:
        return "/".join(self.path)


class MemoryBackend(Backend):
    """``INBOX`` and a Trash; ``deliver`` puts mail in. Every call gives way once, as one that does I/O would."""

    protocol = Protocol.IMAP
    capabilities = frozenset(Capability) - {Capability.SEND}

    def __init__(self, username: str = "user@example.org") -> None:
        self.account = account_id("memory", Protocol.IMAP, username)
        self.is_closed = False
        self._tag = account_tag(self.account)
        self._boxes = [Box("INBOX", "inbox"), Box("Trash", "trash")]
        self._settings: bytes | None = None
        self._changes = count(1)
        self._listeners: set[Listener] = set()

    def deliver(
        self,
        source: bytes,
        flags: Iterable[str] = (),
        received_at: datetime | None = None,
        folder: str = "inbox",
    ) -> str:
        """A message arrives; answers its id."""
        box = self._box(folder)
        stored = Stored(next(box.uids), source, _flags(flags), received_at or datetime.now(UTC).replace(microsecond=0))
        box.messages[stored.uid] = stored
        return self._id(box, stored)

    def renumber(self, folder: str = "inbox") -> None:
        """The folder gets another UIDVALIDITY: ids and cursors given so far are stale."""
        self._box(folder).validity += 1

    async def list_folders(self) -> tuple[Folder, ...]:
        await asyncio.sleep(0)
        return tuple(self._folder(box) for box in self._boxes)

    def _folder(self, box: Box) -> Folder:
        return Folder(
            id=self._folder_id(box),
            name=box.name,
            path=box.path,
            parent_id=self._folder_id(box.parent) if box.parent else None,
            role=box.role,
            total_messages=len(box.messages),
            unread_messages=sum("$seen" not in stored.flags for stored in box.messages.values()),
            is_subscribed=box.is_subscribed,
            is_selectable=True,
        )

    async def create_folder(self, name: str, parent: str | None = None) -> Folder:
        await asyncio.sleep(0)
        above = self._box(parent) if parent else None
        self._refuse_name(name, above)
        self._boxes.append(Box(unicodedata.normalize("NFC", name), validity=next(self._changes), parent=above))
        return self._folder(self._boxes[-1])

    async def change_folder(
        self, folder: str, *, name: str | None = None, parent: str | None = None, is_subscribed: bool | None = None
    ) -> Folder:
        await asyncio.sleep(0)
        box = self._box(folder)
        if name is not None or parent is not None:
            if box.role == "inbox":
                raise NotPermitted
            above = box.parent if parent is None else self._box(parent) if parent else None
            if above and box in _upwards(above):
                raise InvalidRequest
            if (name or box.name, above) != (box.name, box.parent):
                self._refuse_name(name or box.name, above)
            box.name, box.parent = name or box.name, above
        if is_subscribed is not None:
            box.is_subscribed = is_subscribed
        return self._folder(box)

    async def delete_folder(self, folder: str) -> None:
        await asyncio.sleep(0)
        box = self._box(folder)
        if box.role == "inbox":
            raise NotPermitted
        if any(one.parent is box for one in self._boxes):
            raise AlreadyExists
        self._boxes.remove(box)

    def _refuse_name(self, name: str, parent: Box | None) -> None:
        if not name.strip() or name != name.strip() or not name.isprintable() or "/" in name or len(name) > 255:
            raise InvalidRequest
        if any(box.parent is parent and box.name.casefold() == name.casefold() for box in self._boxes):
            raise AlreadyExists

    async def list_grants(self, folder: str) -> tuple[Grant, ...]:
        await asyncio.sleep(0)
        grants = self._box(folder).grants
        return tuple(Grant(identifier=name, rights=rights) for name, rights in grants.items())

    async def set_grant(self, folder: str, identifier: str, rights: str) -> Grant:
        await asyncio.sleep(0)
        self._box(folder).grants[identifier] = rights
        return Grant(identifier=identifier, rights=rights)

    async def delete_grant(self, folder: str, identifier: str) -> None:
        await asyncio.sleep(0)
        self._box(folder).grants.pop(identifier, None)

    async def list_quotas(self) -> tuple[Quota, ...]:
        await asyncio.sleep(0)
        used = sum(len(stored.source) for box in self._boxes for stored in box.messages.values())
        return (Quota(root="", resource="storage", used=used, limit=1 << 30),)

    async def list_messages(self, folder: str, query: ListQuery) -> Page:
        await asyncio.sleep(0)
        box = self._box(folder)
        return self._page([box], query, f"{box.name} {box.validity}").model_copy(update={"state": self._state(box)})

    async def get_state(self, folder: str) -> str | None:
        await asyncio.sleep(0)
        return self._state(self._box(folder))

    async def get_sync_token(self, folder: str | None) -> bytes:
        await asyncio.sleep(0)
        boxes = self._boxes if folder is None else [self._box(folder)]
        return json.dumps({box.key: self._snapshot(box) for box in boxes}).encode()

    async def list_changes(self, folder: str, since: bytes) -> Changes:
        box, before = self._box(folder), json.loads(since)
        if before.keys() != {box.key} or before[box.key][0] != box.validity:
            raise StaleToken
        return Changes(self._told(box, before[box.key]), await self.get_sync_token(folder))

    async def list_all_changes(self, since: bytes) -> AccountChanges:
        before = json.loads(since)
        there = {box.key: box for box in self._boxes}
        told = [self._told(there[key], before[key]) for key in before.keys() & there.keys()]
        return AccountChanges(
            await self.get_sync_token(None),
            [one for one in told if one],
            [self._folder_id(there[key]) for key in there.keys() - before.keys()],
            [make_id("f", self._tag, key.encode()) for key in before.keys() - there.keys()],
        )

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[Watch]:
        """Looks by itself: nothing here tells of what happens."""
        listener = Listener()
        self._listeners.add(listener)
        ticking = asyncio.create_task(_tick(listener))
        try:
            yield listener
        finally:
            ticking.cancel()
            self._listeners.discard(listener)

    def _snapshot(self, box: Box) -> list[Any]:
        return [box.validity, {self._id(box, one): list(one.flags) for one in box.messages.values()}]

    def _told(self, box: Box, before: list[Any]) -> FolderChanges:
        folder_id = self._folder_id(box)
        validity, old = before
        if validity != box.validity:
            return FolderChanges(folder_id=folder_id, resync=True)
        _, new = self._snapshot(box)
        return FolderChanges(
            folder_id=folder_id,
            created=tuple(new.keys() - old.keys()),
            updated=tuple(one for one in new.keys() & old.keys() if new[one] != old[one]),
            destroyed=tuple(old.keys() - new.keys()),
        )

    async def search_messages(self, folders: Sequence[str] | None, query: ListQuery) -> Page:
        await asyncio.sleep(0)
        boxes = self._boxes if folders is None else [self._box(folder) for folder in folders]
        query = query if query.sort else replace(query, sort=(Order(SortKey.RECEIVED_AT, is_descending=True),))
        return self._page(boxes, query, " ".join(sorted(box.name for box in boxes)))

    async def find_messages(self, folder: str, tree: Filter | None, limit: int) -> FoundMessages:
        await asyncio.sleep(0)
        box = self._box(folder)
        matching = (
            stored for stored in reversed(box.messages.values()) if not tree or self._matches(tree, box, stored)
        )
        ids = [self._id(box, stored) for stored in matching]
        return FoundMessages(ids[:limit], len(ids) > limit)

    async def get_messages(
        self, messages: Sequence[str], *, with_preview: bool = False, with_thread: bool = False
    ) -> tuple[MessageSummary, ...]:
        await asyncio.sleep(0)
        found = []
        query = ListQuery(with_preview=with_preview, with_thread=with_thread)
        for message in dict.fromkeys(messages):
            with suppress(NotFound, StaleId):
                found.append(self._row(*self._find(message), query))
        return tuple(found)

    has_email_ids = True

    async def get_email_ids(self, messages: Sequence[str]) -> dict[str, str]:
        await asyncio.sleep(0)
        found = {}
        for message in messages:
            with suppress(NotFound, StaleId):
                found[message] = self._email_id(self._find(message)[1])
        return found

    async def find_emails(self, email_ids: Sequence[str]) -> dict[str, list[str]]:
        await asyncio.sleep(0)
        found: dict[str, list[str]] = {}
        for box in self._boxes:
            for stored in box.messages.values():
                if (email := self._email_id(stored)) in email_ids:
                    found.setdefault(email, []).append(self._id(box, stored))
        return found

    def _email_id(self, stored: Stored) -> str:
        return make_id("g", self._tag, stored.guid.encode())

    async def get_folder_ids(self) -> dict[str, str]:
        await asyncio.sleep(0)
        return {self._folder_id(box): make_id("x", self._tag, box.guid.encode()) for box in self._boxes}

    def _state(self, box: Box) -> str:
        return f"{box.validity} {[(stored.uid, stored.version) for stored in box.messages.values()]}"

    def _page(self, boxes: Sequence[Box], query: ListQuery, list_of: str) -> Page:
        """All that match in order, cut behind the last message shown."""
        tree = query.filter
        places = [
            (box, stored)
            for box in boxes
            for stored in reversed(box.messages.values())
            if tree is None or self._matches(tree, box, stored)
        ]
        if query.sort:
            places.reverse()
        for order in reversed(query.sort):
            places.sort(
                key=lambda place: sort_value(order.key, self._summary(*place)),
                reverse=order.is_descending,
            )
        ids = [self._id(box, stored) for box, stored in places]
        start = self._behind(ids, query, f"{list_of} {query.filter!r} {query.sort!r}")
        stop = min(start + query.limit, len(ids))
        return Page(
            items=tuple(self._row(*place, query) for place in places[start:stop]),
            next_cursor=_cursor(f"{list_of} {query.filter!r} {query.sort!r}", ids[:stop]) if stop < len(ids) else None,
            total=len(ids),
            evaluated_by=EvaluatedBy.SERVER if query.filter or query.sort else None,
        )

    def _behind(self, ids: Sequence[str], query: ListQuery, list_of: str) -> int:
        if query.cursor is None:
            return 0
        shown = _read_cursor(list_of, query.cursor)
        left = [ids.index(one) for one in shown if one in ids]
        if not left:
            raise StaleToken
        return max(left) + 1

    def _row(self, box: Box, stored: Stored, query: ListQuery) -> MessageSummary:
        summary = self._summary(box, stored)
        preview = " ".join(stored.body.split())[:256] or None if query.with_preview else None
        thread = thread_id(next(iter(stored.names), self._id(box, stored))) if query.with_thread else None
        return summary.model_copy(update={"preview": preview, "thread_id": thread})

    async def get_message(self, message: str, html: HtmlMode = HtmlMode.SAFE) -> Message:
        await asyncio.sleep(0)
        box, stored = self._find(message)
        return read_message(
            stored.source,
            id=message,
            folder_id=self._folder_id(box),
            size=len(stored.source),
            received_at=stored.received_at,
            flags=stored.flags,
            html=html,
        )

    async def list_headers(self, message: str, names: Sequence[str] = ()) -> tuple[Header, ...]:
        await asyncio.sleep(0)
        _, stored = self._find(message)
        return list_headers(stored.header_block, names)

    async def open_part(self, message: str, part: str, *, encoded: bool = False, span: Span | None = None) -> Download:
        await asyncio.sleep(0)
        _, stored = self._find(message)
        entity = stored.find(part)
        octets = stored.source[entity.body_start : entity.stop]
        if not encoded:
            octets = transfer.decode(octets, entity.part.encoding)
        etag = f"{message}.{part}{'.e' if encoded else ''}"
        return _download(octets, etag, entity.part.type, entity.part.name, span)

    async def open_source(self, message: str, *, span: Span | None = None) -> Download:
        await asyncio.sleep(0)
        _, stored = self._find(message)
        return _download(stored.source, message, "message/rfc822", None, span)

    async def delete_messages(self, messages: Sequence[str]) -> tuple[Outcome, ...]:
        await asyncio.sleep(0)
        found: dict[str, MailError | None] = {}
        for message in dict.fromkeys(messages):
            found[message] = self._delete(message)
        return tuple(Outcome(message, found[message]) for message in messages)

    async def get_flags(self, message: str) -> Flags:
        await asyncio.sleep(0)
        return self._flags_of(self._find(message)[1])

    async def set_flags(self, message: str, flags: Sequence[str], *, version: str | None = None) -> Flags:
        await asyncio.sleep(0)
        return self._change(message, lambda _: _flags(flags), version)

    async def change_flags(
        self, message: str, add: Sequence[str], remove: Sequence[str], *, version: str | None = None
    ) -> Flags:
        await asyncio.sleep(0)
        gone = set(_flags(remove))
        return self._change(
            message, lambda had: tuple(flag for flag in _flags([*had, *add]) if flag not in gone), version
        )

    def _change(
        self, message: str, change: Callable[[tuple[str, ...]], tuple[str, ...]], version: str | None = None
    ) -> Flags:
        _, stored = self._find(message)
        if version is not None and version != str(stored.version):
            raise Changed
        stored.flags = change(stored.flags)
        stored.version = next(self._changes)
        return self._flags_of(stored)

    def _flags_of(self, stored: Stored) -> Flags:
        return Flags(flags=stored.flags, version=str(stored.version))

    async def change_many(
        self, messages: Sequence[str], add: Sequence[str], remove: Sequence[str]
    ) -> tuple[Outcome, ...]:
        outcomes = []
        for message in messages:
            try:
                await self.change_flags(message, add, remove)
                outcomes.append(Outcome(message))
            except NotFound as error:
                outcomes.append(Outcome(message, error))
        return tuple(outcomes)

    async def append_message(
        self, folder: str, source: Source, flags: Sequence[str] = (), received_at: datetime | None = None
    ) -> str | None:
        octets = b"".join([chunk async for chunk in source.chunks()])
        return self.deliver(octets, flags, received_at, folder)

    async def list_ids(self, folder: str) -> list[str]:
        await asyncio.sleep(0)
        box = self._box(folder)
        return [self._id(box, stored) for stored in box.messages.values()]

    async def get_items(self, messages: Sequence[str]) -> list[Item]:
        await asyncio.sleep(0)
        items = []
        for message in messages:
            with suppress(NotFound, StaleId):
                octets = (stored := self._find(message)[1]).source
                size = len(octets) + octets.count(b"\n") - octets.count(b"\r\n")
                items.append(Item(message, name_of(octets), size, stored.received_at, stored.flags))
        return items

    async def append_once(
        self, folder: str, source: Source, flags: Sequence[str] = (), received_at: datetime | None = None
    ) -> str | None:
        box = self._box(folder)
        for stored in box.messages.values():
            if digest_of(stored.source) == source.digest:
                return self._id(box, stored)
        return await self.append_message(folder, source, flags, received_at)

    async def copy_messages(self, messages: Sequence[str], folder: str) -> tuple[Outcome, ...]:
        await asyncio.sleep(0)
        self._box(folder)
        return tuple(self._copy(message, folder) for message in messages)

    async def move_messages(self, messages: Sequence[str], folder: str, *, once: bool = False) -> tuple[Outcome, ...]:
        copied = await self.copy_messages(messages, folder)
        for outcome in copied:
            if outcome.error is None:
                self._delete(outcome.id)
        return copied

    def _copy(self, message: str, folder: str) -> Outcome:
        try:
            _, stored = self._find(message)
        except MailError as error:
            return Outcome(message, error)
        new = self.deliver(stored.source, stored.flags, stored.received_at, folder)
        self._find(new)[1].guid = stored.guid
        return Outcome(message, None, new)

    async def empty_folder(self, folder: str) -> int:
        await asyncio.sleep(0)
        box = self._box(folder)
        gone = len(box.messages)
        box.messages.clear()
        return gone

    async def get_settings(self) -> bytes | None:
        await asyncio.sleep(0)
        return self._settings

    async def set_settings(self, settings: bytes, *, version: str | None = None) -> None:
        await asyncio.sleep(0)
        if version is not None and settings_version(self._settings) != version:
            raise Changed
        self._settings = settings

    async def check(self) -> None:
        await asyncio.sleep(0)

    async def aclose(self) -> None:
        self.is_closed = True

    def _box(self, folder: str) -> Box:
        for box in self._boxes:
            if folder in {box.role, self._folder_id(box)}:
                return box
        raise NotFound("folder")

    def _folder_id(self, box: Box) -> str:
        return make_id("f", self._tag, box.key.encode())

    def _id(self, box: Box, stored: Stored) -> str:
        return make_id("m", self._tag, f"{stored.uid}/{box.validity}/{box.key}".encode())

    def _find(self, message: str) -> tuple[Box, Stored]:
        place = read_id("m", self._tag, message, "message").decode(errors="replace")
        uid, _, rest = place.partition("/")
        validity, _, name = rest.partition("/")
        for box in self._boxes:
            if box.key == name and validity.isdecimal() and uid.isdecimal():
                if int(validity) != box.validity:
                    raise StaleId
                if int(uid) in box.messages:
                    return box, box.messages[int(uid)]
        raise NotFound("message")

    def _delete(self, message: str) -> MailError | None:
        try:
            box, stored = self._find(message)
        except MailError as error:
            return error
        del box.messages[stored.uid]
        return None

    def _summary(self, box: Box, stored: Stored) -> MessageSummary:
        return read_summary(
            stored.header_block,
            id=self._id(box, stored),
            folder_id=self._folder_id(box),
            size=len(stored.source),
            received_at=stored.received_at,
            flags=stored.flags,
            has_attachment=has_attachment(stored.entity.part),
        )

    def _matches(self, tree: Filter, box: Box, stored: Stored) -> bool:
        """Whether the filter holds for the message."""
        if isinstance(tree, Condition):
            return self._holds(tree, box, stored)
        found = (self._matches(condition, box, stored) for condition in tree.conditions)
        match tree.logic:
            case Logic.AND:
                return all(found)
            case Logic.OR:
                return any(found)
        return not any(found)

    def _holds(self, condition: Condition, box: Box, stored: Stored) -> bool:
        value = condition.value
        match condition.criterion:
            case Criterion.IN_FOLDER:
                return value in {box.role, self._folder_id(box)}
            case Criterion.IN_FOLDER_OTHER_THAN:
                return isinstance(value, tuple) and not {box.role, self._folder_id(box)} & set(value)
            case Criterion.ALL_IN_THREAD:
                return all(value in other.flags for other in _thread(box, stored))
            case Criterion.SOME_IN_THREAD:
                return any(value in other.flags for other in _thread(box, stored))
            case Criterion.NONE_IN_THREAD:
                return not any(value in other.flags for other in _thread(box, stored))
        return holds(condition, stored)


def _upwards(box: Box) -> list[Box]:
    return [box, *(_upwards(box.parent) if box.parent else ())]


def _thread(box: Box, stored: Stored) -> list[Stored]:
    """All that are joined by Message-IDs they name."""
    names, thread = set(stored.names), [stored]
    while more := [one for one in box.messages.values() if one not in thread and names & set(one.names)]:
        thread += more
        names.update(name for one in more for name in one.names)
    return thread


def holds(condition: Condition, stored: Stored) -> bool:
    """Whether a condition on the message alone holds."""
    value = condition.value
    if isinstance(value, date):
        return _holds_date(condition.criterion, value, stored)
    match condition.criterion:
        case Criterion.MIN_SIZE:
            return isinstance(value, int) and len(stored.source) >= value
        case Criterion.MAX_SIZE:
            return isinstance(value, int) and len(stored.source) < value
        case Criterion.HAS_ATTACHMENT:
            return has_attachment(stored.entity.part) is bool(value)
        case Criterion.HEADER:
            assert isinstance(value, HeaderText)
            found = list_headers(stored.header_block, [value.name])
            return any(value.text.casefold() in header.value.casefold() for header in found)
    return _holds_text(condition.criterion, str(value), stored)


def _holds_text(criterion: Criterion, value: str, stored: Stored) -> bool:
    match criterion:
        case Criterion.HAS_KEYWORD:
            return value.lower() in stored.flags
        case Criterion.NOT_KEYWORD:
            return value.lower() not in stored.flags
        case Criterion.BODY:
            return value.casefold() in stored.body.casefold()
        case Criterion.TEXT:
            return value.casefold() in f"{stored.words_of()}\n{stored.body}".casefold()
    return value.casefold() in stored.words_of(_HEADERS[criterion]).casefold()


def _holds_date(criterion: Criterion, day: date, stored: Stored) -> bool:
    is_since = criterion in {Criterion.SINCE, Criterion.SENT_SINCE}
    if isinstance(day, datetime):
        return stored.received_at >= day if is_since else stored.received_at < day
    if criterion in {Criterion.SINCE, Criterion.BEFORE}:
        told: datetime | None = stored.received_at
    else:
        told = read_summary(stored.header_block, id="", folder_id="", size=0).sent_at
    return told is not None and (told.date() >= day if is_since else told.date() < day)


def _flags(flags: Iterable[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(flag.lower() for flag in flags))
    for name in names:
        if not _FLAG.match(name):
            raise InvalidRequest(f"{name!r} is no flag.")
    return names


def _cursor(list_of: str, shown: Sequence[str]) -> str:
    return urlsafe_b64encode(f"{crc32(list_of.encode())} {' '.join(shown)}".encode()).decode()


def _read_cursor(list_of: str, cursor: str) -> list[str]:
    """The ids shown so far."""
    try:
        check, *shown = urlsafe_b64decode(cursor.encode()).decode().split()
    except ValueError:
        raise InvalidRequest("This is no cursor.") from None
    if check != str(crc32(list_of.encode())):
        raise InvalidRequest("This cursor belongs to another list.")
    return shown


def digest_of(octets: bytes) -> bytes:
    """As ``model.Source.digest``."""
    digest = Digest()
    digest.feed(octets)
    return digest.finish()


def _download(octets: bytes, etag: str, media_type: str, name: str | None, span: Span | None) -> Download:
    start, stop = (0, len(octets)) if span is None else span.within(len(octets))
    return Download(_chunks(octets[start:stop]), etag, media_type, name, len(octets), start, stop)


async def _tick(listener: Listener) -> None:
    while True:
        listener.wake()
        await asyncio.sleep(0.01)


async def _chunks(octets: bytes) -> AsyncGenerator[bytes, None]:
    for at in range(0, len(octets), CHUNK):
        await asyncio.sleep(0)
        yield octets[at : at + CHUNK]
