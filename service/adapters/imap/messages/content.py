"""A message's body, headers, parts and source."""

import re
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import NamedTuple

from service.adapters.imap.ids import MessageRef
from service.adapters.imap.messages.cache import Description, MessageCache
from service.adapters.imap.messages.download import (
    HEAD,
    Octets,
    Read,
    count,
    cut,
    decoded,
    from_grid,
    size_of,
    sized_grid,
    stored,
)
from service.adapters.imap.messages.envelope import trusted_structure, weight
from service.adapters.imap.messages.folder_messages import FolderMessages
from service.adapters.imap.messages.leaves import FIELDS, header_item, read_leaves, read_root
from service.adapters.imap.messages.reading import changing, changing_items, content_items, read_message
from service.adapters.imap.session.access import Access, again
from service.adapters.imap.session.fetch import find_existing
from service.adapters.imap.session.pool import Lane
from service.adapters.imap.session.selection import Selection
from service.adapters.imap.wire.commands import Answer
from service.adapters.imap.wire.responses import (
    FetchResponse,
    fetch_rows,
    header_fields,
    octets,
    require_attributed,
    version_of,
)
from service.adapters.shared.parsing import MAX_PARSED, parse_message, parse_structure
from service.adapters.shared.threads import in_thread
from service.mail.errors import NotFound, NotSupported, UpstreamProtocol
from service.mail.exchange import Download, Span
from service.mail.mime.charset import is_foreign
from service.mail.mime.headers.fields import list_headers
from service.mail.mime.message import text_charset
from service.mail.mime.structure import find
from service.mail.mime.transfer.decoding import is_identity
from service.mail.model import Header, HtmlMode, Message, MessageSummary, Part
from service.mail.numbers import read_number
from service.spool import Spool

MAX_HEADER = 256 << 10
MAX_BEGINNING = 64 << 10
"""Octets in which a message's first text begins, which says its charset."""
_DESCRIPTION = b"RFC822.SIZE ENVELOPE BODYSTRUCTURE"
SAMPLE = 4 << 10
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/=]{1,76}\r\n)*(?:[A-Za-z0-9+/=]{1,76}\r?)?\Z")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")


def _ignore() -> None:
    """The default of ``begin``."""


class _Label(NamedTuple):
    etag: str
    type: str
    name: str | None


class Content:
    """Reads what is inside messages."""

    def __init__(self, access: Access, cache: MessageCache) -> None:
        self.access = access
        self._ids = access.ids
        self._cache = cache

    async def message(self, ref: MessageRef, html: HtmlMode, begin: Callable[[], None] = _ignore) -> Message:
        """One round trip for a message that was in a list before, otherwise two: its structure says which parts hold
        its texts. One that was opened before is not read again: only what changes is. Calls ``begin`` when a connection
        is there and reading begins."""
        key = (self._ids.account, ref.folder, ref.uid_validity, ref.uid, html)
        if (opened := self._cache.opened.get(key)) is not None:
            row = await self._read_changing(ref, begin)
            return opened.model_copy(update=changing(row) | {"version": version_of(row)})
        message = await self._message(ref, html, begin)
        self._cache.opened.keep(key, message)
        return message

    async def _message(self, ref: MessageRef, html: HtmlMode, begin: Callable[[], None]) -> Message:
        known, row = await self._read(ref, begin)
        size = known.octets + sum(len(value) for value in row.values() if isinstance(value, bytes))
        message = await in_thread(partial(read_message, known, row, html), size)
        if isinstance(message, Message):
            self._amend(ref, message, known)
            return message
        message = await self._from_source(ref, message, html)
        self._amend(ref, message.model_copy(update={"structure": None}))
        return message

    def _amend(self, ref: MessageRef, message: Message, known: Description | None = None) -> None:
        """Lists show the message from now on as it is shown here, if it is not as the server described it."""
        key = (self._ids.account, ref.folder, ref.uid_validity)
        cached = self._cache.folder(key).messages.get(ref.uid)
        if cached is not None and not cached.is_confirmed:
            self._cache.keep(key, {ref.uid: cached.as_in(message, known)})

    @again
    async def _read_changing(self, ref: MessageRef, begin: Callable[[], None]) -> FetchResponse:
        """A response with the flags, the labels and the version."""
        async with self.access.messages(ref.folder, ref.uid_validity, [ref.uid]) as selection:
            begin()
            items = b" ".join(changing_items(selection))
            return await _response(selection, ref.uid, await selection.connection.run(_fetch(ref.uid, b"(%b)" % items)))

    @again
    async def _read(self, ref: MessageRef, begin: Callable[[], None]) -> tuple[Description, FetchResponse]:
        """What is known of the message, and a response with its flags, some header fields and the texts of its body."""
        async with self.access.messages(ref.folder, ref.uid_validity, [ref.uid]) as selection:
            begin()
            messages = FolderMessages(self._cache, self._ids, selection)
            cached = messages.known(ref.uid) or (await messages.get([ref.uid])).get(ref.uid)
            if cached is None:  # it is gone, or its response has no UID: then the error is another one
                answer = await selection.connection.run(_fetch(ref.uid, messages.items.row))
                row = await _response(selection, ref.uid, answer)
                cached = (await messages.learn({ref.uid: row}))[ref.uid]
            known = cached.description
            items = [*changing_items(selection), *content_items(known.details.structure)]
            answer = await selection.connection.run(_fetch(ref.uid, b"(%b)" % b" ".join(items)))
            return known, await _response(selection, ref.uid, answer)

    async def _from_source(self, ref: MessageRef, summary: MessageSummary, html: HtmlMode) -> Message:
        """Reads a message whose BODYSTRUCTURE is unusable from its octets."""
        found = await parse_message(
            await self._whole(ref, summary.size),
            id=summary.id,
            folder_id=summary.folder_id,
            received_at=summary.received_at,
            flags=summary.flags,
            html=html,
        )
        return found.model_copy(update={"size": summary.size, "labels": summary.labels})

    async def _whole(self, ref: MessageRef, announced: int | None) -> Spool:
        """All octets of the message. Raises TooLarge if it is too long to be parsed here."""
        source = Spool(MAX_PARSED)
        async with aclosing(stored(self._reader(ref, b""), announced=announced)) as pieces:
            async for piece in pieces:
                source.write(piece)
        if announced and not source.size:
            raise _without_octets("message")
        return source

    async def headers(self, ref: MessageRef, names: Sequence[str]) -> tuple[Header, ...]:
        """The header fields in one round trip; of a header longer than 256 KiB the beginning. Another round trip if
        text in it is in no charset but the body's."""
        items = b"(UID BODY.PEEK[HEADER]<0.%d>)" % MAX_HEADER
        row = await self._row(ref, items, Lane.INTERACTIVE)
        block = octets(row, b"BODY[HEADER]<0>")
        if block is None:
            raise _without_octets("header")
        block = block[:MAX_HEADER]
        charset = await self._body_charset(ref) if is_foreign(block) else None
        return await in_thread(partial(list_headers, block, names, charset), len(block))

    async def _body_charset(self, ref: MessageRef) -> str | None:
        """One round trip."""
        row = await self._row(ref, b"(UID BODY.PEEK[]<0.%d>)" % MAX_BEGINNING)
        beginning = _window(row, b"", 0, MAX_BEGINNING) or b""
        return await in_thread(partial(text_charset, beginning), len(beginning))

    async def source(self, ref: MessageRef, span: Span | None) -> Download:
        """One round trip for size and first window. The size of a message longer than the window is confirmed by
        another."""
        row = await self._row(ref, b"(UID RFC822.SIZE BODY.PEEK[]<0.%d>)" % HEAD)
        announced = read_number(row.get(b"RFC822.SIZE"))
        label = _Label(self._id(ref), "message/rfc822", "message.eml")
        head = _window(row, b"", 0, HEAD)
        if head is None and announced:
            raise _without_octets("message")
        return await self._stored(label, self._reader(ref, b""), head or b"", announced, span)

    async def part(self, ref: MessageRef, part_id: str, *, encoded: bool, span: Span | None) -> Download:
        """Structure and first window in one round trip. If the structure is unusable or in doubt, the server may number
        parts in another way than ``message`` shows them: then the part is read from the source."""
        section = _section(part_id)
        items = [_DESCRIPTION, FIELDS, b"BODY.PEEK[%b]<0.%d>" % (section, HEAD)]
        if not section.endswith(b"TEXT"):  # a multipart that is a body has no header of its own, and servers say BAD
            items.append(header_item(part_id))
        row = await self._row(ref, b"(UID %b)" % b" ".join(items))
        described = {name: value for name, value in row.items() if not name.startswith(b"BODY[%b]" % section)}
        structure = await in_thread(partial(_structure, described), weight(described))
        cached = self._cache.folder((self._ids.account, ref.folder, ref.uid_validity)).messages.get(ref.uid)
        if structure is not None and (cached is None or cached.details.structure is not None):
            part, read = _find(structure, part_id), self._reader(ref, section)
            window = _window(row, section, 0, HEAD)
            if window is None and part.size:
                raise _without_octets("part")
            head = window or b""
        else:
            part, read = await self._within(ref, part_id)
            head = await read(0, HEAD)
        stays = encoded or part.parts is not None or is_identity(part.encoding)
        etag = f"{self._id(ref)}.{part_id}{'.e' if encoded else ''}"
        label = _Label(etag, part.type, part.name)
        if stays:
            return await self._stored(label, read, head, part.size, span)
        return await _decoded(label, read, head, part, span)

    async def _within(self, ref: MessageRef, part_id: str) -> tuple[Part, Read]:
        """The part as the message's source has it. Raises NotFound("part")."""
        source = await self._whole(ref, None)
        if (found := find(await parse_structure(source), part_id)) is None:
            raise NotFound("part")
        start, stop = found.body_start, found.stop

        async def read(at: int, length: int) -> bytes:
            return source.read(start + at, min(start + at + length, stop))

        return found.part, read

    async def _stored(
        self, label: _Label, read: Read, head: bytes, announced: int | None, span: Span | None
    ) -> Download:
        size = len(head) if len(head) < HEAD else await size_of(read, announced)
        if span is None:
            return _download(label, stored(read, first=head, announced=size, stop=size), size, 0, size)
        start, stop = span.within(size)
        if stop <= len(head):
            return _download(label, cut(stored(read, first=head, stop=stop), start, stop), size, start, stop)
        return _download(label, stored(read, start, stop), size, start, stop)

    def _reader(self, ref: MessageRef, section: bytes) -> Read:
        async def read(start: int, length: int) -> bytes:
            row = await self._row(ref, b"(UID BODY.PEEK[%b]<%d.%d>)" % (section, start, length))
            return _window(row, section, start, length) or b""

        return read

    async def section(self, ref: MessageRef, part_id: str, *, is_base64: bool) -> bytes:
        """The part as BODY[…] names it. Raises NotSupported if the server may number the parts in another way, if it
        has not described the message lately, or if base64 is wanted and the part is stored in another way: of its lines
        the first are looked at, which takes one round trip."""
        cached = self._cache.folder((self._ids.account, ref.folder, ref.uid_validity)).messages.get(ref.uid)
        structure = cached.details.structure if cached else None
        if structure is None:
            raise NotSupported("sections")
        part, section = _find(structure, part_id), _section(part_id)
        if is_base64 and not (part.encoding == "base64" and _BASE64.match(await self._reader(ref, section)(0, SAMPLE))):
            raise NotSupported("sections")
        return section

    @again
    async def _row(self, ref: MessageRef, items: bytes, lane: Lane = Lane.BULK) -> FetchResponse:
        async with self.access.messages(ref.folder, ref.uid_validity, [ref.uid], lane) as selection:
            answer = await selection.connection.run(_fetch(ref.uid, items))
            return await _response(selection, ref.uid, answer)

    def _id(self, ref: MessageRef) -> str:
        return self._ids.message(ref.folder, ref.uid_validity, ref.uid)


async def _decoded(label: _Label, read: Read, head: bytes, part: Part, span: Span | None) -> Download:
    """The size is known if the head is all of the part. A range needs the size, so the part is decoded once to count
    it."""

    def source() -> Octets:
        return decoded(
            stored(read, first=head, announced=part.size, stop=len(head) if len(head) < HEAD else None), part.encoding
        )

    if span and len(head) == HEAD and part.encoding == "base64" and (sized := await sized_grid(read, head, part.size)):
        grid, length = sized
        start, stop = span.within(length)
        if (chunks := await from_grid(read, grid, start, stop)) is not None:
            return _download(label, chunks, length, start, stop)
    size = await count(source()) if span or len(head) < HEAD else None
    if span is None or size is None:
        return _download(label, source(), size, 0, size)
    start, stop = span.within(size)
    return _download(label, cut(source(), start, stop), size, start, stop)


def _download(label: _Label, chunks: Octets, size: int | None, start: int, stop: int | None) -> Download:
    return Download(chunks, label.etag, label.type, label.name, size, start, stop)


def _fetch(uid: int, items: bytes) -> list[bytes]:
    return [b"UID", b"FETCH", b"%d" % uid, items]


async def _response(selection: Selection, uid: int, answer: Answer) -> FetchResponse:
    """The response for one message. Raises NotFound if the server has no message with this UID, and UpstreamProtocol if
    that cannot be known."""
    row = (await fetch_rows(answer.untagged)).get(uid)
    if row is None:
        await require_attributed(answer.untagged)
    if row is None or len(row) <= 3:
        raise NotFound("message")
    is_empty = answer.status.code == "EXPUNGEISSUED" and None in row.values()
    if is_empty and not await find_existing(selection, [uid]):  # Dovecot answers for a removed one, without octets
        raise NotFound("message")
    return row


def _window(row: FetchResponse, section: bytes, start: int, length: int) -> bytes | None:
    """The octets of a window; None for NIL. A response without an origin is the whole section: some servers ignore
    ``<start.length>``."""
    window = octets(row, b"BODY[%b]<%d>" % (section, start))
    if window is not None and b"BODY[%b]<%d>" % (section, start) in row:
        return window[:length]
    whole = octets(row, b"BODY[%b]" % section)
    return None if whole is None else whole[start : start + length]


def _without_octets(subject: str) -> UpstreamProtocol:
    return UpstreamProtocol(f"The mail server sent no octets of the {subject}.", protocol="imap")


def _section(part_id: str) -> bytes:
    """The part's id as a section (RFC 9051, 6.4.5). Raises NotFound("part") if it is not an id."""
    numbers = part_id.split(".")
    if len(part_id) > 400 or not all(_NUMBER.fullmatch(number) for number in numbers):
        raise NotFound("part")
    if numbers[-1] == "0":
        numbers[-1] = "TEXT"
    if "0" in numbers:
        raise NotFound("part")
    return ".".join(numbers).encode()


def _structure(row: FetchResponse) -> Part | None:
    """The parts as the server and their own headers describe them; None if the server's description is unusable."""
    structure = trusted_structure(row)
    with suppress(UpstreamProtocol):
        return read_leaves(structure, row, read_root(structure, header_fields(row))) if structure else None
    return None


def _find(structure: Part, part_id: str) -> Part:
    for part in structure.walk():
        if part.id == part_id:
            return part
    raise NotFound("part")
