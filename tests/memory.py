"""A mailbox in memory that keeps every promise of the port: the reference of the contract suite."""

import asyncio
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from itertools import count
from zlib import crc32

from service.mail.backend import Backend
from service.mail.errors import InvalidRequest, MailError, NotFound, StaleId, StaleToken
from service.mail.ids import account_id, account_tag, make_id, read_id
from service.mail.mime import structure, transfer
from service.mail.mime.body import Leaf as Text
from service.mail.mime.body import choose, has_attachment, read_body
from service.mail.mime.headers import list_headers
from service.mail.mime.message import read_message, read_summary
from service.mail.mime.structure import Entity
from service.mail.model import (
    Capability,
    Download,
    Folder,
    Header,
    HtmlForm,
    Message,
    MessageSummary,
    Outcome,
    Page,
    Protocol,
    Span,
)
from service.mail.query import Condition, Criterion, Filter, ListQuery, Logic

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

    @cached_property
    def entity(self) -> Entity:
        return structure.parse(self.source)

    @property
    def header_block(self) -> bytes:
        return self.source[self.entity.header_start : self.entity.body_start]

    @cached_property
    def body(self) -> str:
        """What a person reads of it."""
        text, html = (self._text(part.id) if part else None for part in choose(self.entity.part))
        return read_body(text, html).text or ""

    def words_of(self, *names: str) -> str:
        """The named header fields decoded, or all of them."""
        return "\n".join(f"{header.name}: {header.value}" for header in list_headers(self.header_block, names))

    def find(self, part: str) -> Entity:
        found = structure.find(self.entity, part)
        if found is None:
            raise NotFound("part")
        return found

    def _text(self, part: str) -> Text:
        entity = self.find(part)
        return Text(entity.part, self.source[entity.body_start : entity.stop])


@dataclass
class Box:
    """A folder. ``validity`` changes where its messages are numbered anew."""

    name: str
    role: str | None = None
    validity: int = 1
    messages: dict[int, Stored] = field(default_factory=dict)
    uids: "count[int]" = field(default_factory=lambda: count(1))


class MemoryBackend(Backend):
    """``INBOX`` and a Trash; ``deliver`` puts mail in. Every call gives way once, as one that does I/O would."""

    protocol = Protocol.IMAP
    capabilities = frozenset({Capability.FLAGS, Capability.SEARCH})

    def __init__(self, username: str = "user@example.org") -> None:
        self.account = account_id("memory", Protocol.IMAP, username)
        self.is_closed = False
        self._tag = account_tag(self.account)
        self._boxes = [Box("INBOX", "inbox"), Box("Trash", "trash")]

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
        return tuple(
            Folder(
                id=self._folder_id(box),
                name=box.name,
                path=(box.name,),
                role=box.role,
                total_messages=len(box.messages),
                unread_messages=sum("$seen" not in stored.flags for stored in box.messages.values()),
                is_subscribed=True,
                is_selectable=True,
            )
            for box in self._boxes
        )

    async def list_messages(self, folder: str, query: ListQuery) -> Page:
        await asyncio.sleep(0)
        box = self._box(folder)
        below = None if query.cursor is None else self._read_cursor(box, query)
        found = [
            stored
            for stored in reversed(box.messages.values())
            if query.filter is None or matches(query.filter, stored)
        ]
        older = [stored for stored in found if below is None or stored.uid < below]
        shown = older[: query.limit]
        return Page(
            items=tuple(self._summary(box, stored) for stored in shown),
            next_cursor=self._cursor(box, query, shown[-1].uid) if len(older) > query.limit else None,
            total=len(found),
        )

    async def get_message(self, message: str, html: HtmlForm = HtmlForm.SAFE) -> Message:
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

    async def get_flags(self, message: str) -> tuple[str, ...]:
        await asyncio.sleep(0)
        return self._find(message)[1].flags

    async def set_flags(self, message: str, flags: Sequence[str]) -> tuple[str, ...]:
        await asyncio.sleep(0)
        _, stored = self._find(message)
        stored.flags = _flags(flags)
        return stored.flags

    async def change_flags(self, message: str, add: Sequence[str], remove: Sequence[str]) -> tuple[str, ...]:
        await asyncio.sleep(0)
        _, stored = self._find(message)
        gone = set(_flags(remove))
        stored.flags = tuple(flag for flag in _flags([*stored.flags, *add]) if flag not in gone)
        return stored.flags

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
        return make_id("f", self._tag, box.name.encode())

    def _id(self, box: Box, stored: Stored) -> str:
        return make_id("m", self._tag, f"{stored.uid}/{box.validity}/{box.name}".encode())

    def _find(self, message: str) -> tuple[Box, Stored]:
        place = read_id("m", self._tag, message, "message").decode(errors="replace")
        uid, _, rest = place.partition("/")
        validity, _, name = rest.partition("/")
        for box in self._boxes:
            if box.name == name and validity.isdecimal() and uid.isdecimal():
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

    def _cursor(self, box: Box, query: ListQuery, uid: int) -> str:
        text = f"{_list_of(box, query)} {box.validity} {uid}"
        return urlsafe_b64encode(text.encode()).decode()

    def _read_cursor(self, box: Box, query: ListQuery) -> int:
        """The UID of the message shown last."""
        try:
            list_of, validity, uid = map(int, urlsafe_b64decode((query.cursor or "").encode()).split())
        except ValueError:
            raise InvalidRequest("This is no cursor.") from None
        if list_of != _list_of(box, query):
            raise InvalidRequest("This cursor belongs to another list.")
        if validity != box.validity:
            raise StaleToken
        return uid


def matches(tree: Filter, stored: Stored) -> bool:
    """Whether the filter holds for the message."""
    if isinstance(tree, Condition):
        return _holds(tree, stored)
    found = (matches(condition, stored) for condition in tree.conditions)
    match tree.logic:
        case Logic.AND:
            return all(found)
        case Logic.OR:
            return any(found)
    return not any(found)


def _holds(condition: Condition, stored: Stored) -> bool:
    value = condition.value
    if isinstance(value, date):
        return _holds_date(condition.criterion, value, stored)
    if isinstance(value, int):
        size = len(stored.source)
        return size >= value if condition.criterion is Criterion.MIN_SIZE else size < value
    match condition.criterion:
        case Criterion.HAS_KEYWORD:
            return value.lower() in stored.flags
        case Criterion.NOT_KEYWORD:
            return value.lower() not in stored.flags
        case Criterion.BODY:
            return value.casefold() in stored.body.casefold()
        case Criterion.TEXT:
            return value.casefold() in f"{stored.words_of()}\n{stored.body}".casefold()
    return value.casefold() in stored.words_of(_HEADERS[condition.criterion]).casefold()


def _holds_date(criterion: Criterion, day: date, stored: Stored) -> bool:
    if criterion in {Criterion.SINCE, Criterion.BEFORE}:
        told: datetime | None = stored.received_at
    else:
        told = read_summary(stored.header_block, id="", folder_id="", size=0).sent_at
    is_since = criterion in {Criterion.SINCE, Criterion.SENT_SINCE}
    return told is not None and (told.date() >= day if is_since else told.date() < day)


def _flags(flags: Iterable[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(flag.lower() for flag in flags))
    for name in names:
        if not _FLAG.match(name):
            raise InvalidRequest(f"{name!r} is no flag.")
    return names


def _list_of(box: Box, query: ListQuery) -> int:
    return crc32(f"{box.name} {query.filter!r}".encode())


def _download(octets: bytes, etag: str, media_type: str, name: str | None, span: Span | None) -> Download:
    start, stop = (0, len(octets)) if span is None else span.within(len(octets))
    return Download(_chunks(octets[start:stop]), etag, media_type, name, len(octets), start, stop)


async def _chunks(octets: bytes) -> AsyncGenerator[bytes, None]:
    for at in range(0, len(octets), CHUNK):
        await asyncio.sleep(0)
        yield octets[at : at + CHUNK]
