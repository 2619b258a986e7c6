"""What a message's file holds: its row, its header, its parts, as octets on their way out."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from hashlib import blake2s

from service.adapters.maildir.disk import PROTOCOL, File
from service.adapters.shared.parsing import parse_structure
from service.mail.errors import NotFound, UpstreamError
from service.mail.mime import structure, transfer
from service.mail.mime.body import has_attachment
from service.mail.mime.message import read_message, read_summary
from service.mail.mime.structure import Entity
from service.mail.model import Download, MessageSummary, Span

FRONT = 256 << 10
"""Octets that are read of a message for its row, or its header."""
BODY = 8 << 20
"""And for the text that a person reads, where a search or a preview asks for it."""
CHUNK = 256 << 10


def summary(file: File, message: str, folder: str) -> MessageSummary:
    """The row, without flags. Of a long message an attachment is seen where it begins early."""
    octets = file.read(0, min(file.size, FRONT))
    root = structure.parse(octets)
    is_attached = has_attachment(root.part)
    return read_summary(
        octets[root.header_start : root.body_start],
        id=message,
        folder_id=folder,
        size=file.size,
        received_at=file.received_at,
        has_attachment=is_attached if is_attached or file.size <= FRONT else None,
    )


def header(file: File) -> bytes:
    """The header block, and what follows within the bound."""
    return file.read(0, min(file.size, FRONT))


def text(file: File) -> str:
    """What a person reads of the body."""
    octets = file.read(0, min(file.size, BODY))
    return read_message(octets, id="", folder_id="", size=file.size).body.text or ""


async def part(file: File, part_id: str) -> Entity:
    """NotFound where the message has none of that id."""
    found = structure.find(await parse_structure(file), part_id)
    if found is None:
        raise NotFound("part")
    return found


async def source(file: File, etag: str, span: Span | None) -> Download:
    """The octets of the file."""
    start, stop = span.within(file.size) if span else (0, file.size)
    return Download(_chunks(file, start, stop), etag, "message/rfc822", None, file.size, start, stop)


async def download(file: File, entity: Entity, etag: str, *, encoded: bool, span: Span | None) -> Download:
    """The octets of a part. Decoding one to a span of it counts first, since only then its size is known."""
    kind, name = entity.part.type, entity.part.name
    if encoded or transfer.is_identity(entity.part.encoding):
        size = entity.stop - entity.body_start
        start, stop = span.within(size) if span else (0, size)
        chunks = _chunks(file, entity.body_start + start, entity.body_start + stop)
        return Download(chunks, etag, kind, name, size, start, stop)
    if span is None:
        return Download(_decoded(file, entity, 0, None), etag, kind, name)
    size = await asyncio.to_thread(lambda: sum(map(len, _pieces(file, entity))))
    start, stop = span.within(size)
    return Download(_decoded(file, entity, start, stop), etag, kind, name, size, start, stop)


def etag_of(*identity: str) -> str:
    """The octets behind an id never change."""
    return blake2s("\0".join(identity).encode(), digest_size=16).hexdigest()


async def _chunks(file: File, start: int, stop: int) -> AsyncGenerator[bytes, None]:
    for at in range(start, stop, CHUNK):
        octets = await asyncio.to_thread(file.read, at, min(at + CHUNK, stop))
        if not octets:
            raise UpstreamError("The message's file was cut.", protocol=PROTOCOL)
        yield octets


def _pieces(file: File, entity: Entity) -> Iterator[bytes]:
    decoder = transfer.decoder(entity.part.encoding)
    for at in range(entity.body_start, entity.stop, CHUNK):
        yield decoder.feed(file.read(at, min(at + CHUNK, entity.stop)))
    yield decoder.finish()


async def _decoded(file: File, entity: Entity, start: int, stop: int | None) -> AsyncGenerator[bytes, None]:
    pieces, at = _pieces(file, entity), 0
    while (stop is None or at < stop) and (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        wanted = piece[max(0, start - at) : None if stop is None else stop - at]
        at += len(piece)
        if wanted:
            yield wanted
