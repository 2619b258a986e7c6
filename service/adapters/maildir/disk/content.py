"""The content of a message's file: its row, its header, its text, and its parts as a stream."""

from collections.abc import AsyncGenerator, Iterator
from hashlib import blake2s
from typing import NamedTuple

from service.adapters.maildir.disk.files import PROTOCOL, File
from service.adapters.maildir.disk.threads import ThreadLane
from service.mail.errors import NotFound, UpstreamError
from service.mail.exchange import Download, Span
from service.mail.mime import structure
from service.mail.mime.body import body_charset, has_attachment
from service.mail.mime.message import read_message, read_summary
from service.mail.mime.structure import Entity
from service.mail.mime.transfer import decoding as transfer
from service.mail.model import MessageSummary

MAX_HEADER = 256 << 10
"""Octets that are read of a message for its row or its header."""
MAX_TEXT = 8 << 20
"""Octets that are read of a message for its text, in a search or a preview."""
WINDOW = 128 << 10
"""Octets that are read at a time while a message is streamed. Two windows are in memory."""


def summary(file: File, message: str, folder: str) -> MessageSummary:
    """The row, without flags. In a message longer than MAX_HEADER only an attachment that begins early is seen."""
    octets = header(file)
    root = structure.parse(octets)
    is_attached = has_attachment(root.part)
    return read_summary(
        octets[root.header_start : root.body_start],
        id=message,
        folder_id=folder,
        size=file.size,
        received_at=file.received_at,
        has_attachment=is_attached if is_attached or file.size <= MAX_HEADER else None,
        charset=body_charset(root.part),
    )


def header(file: File) -> bytes:
    """The header block, and what follows it within MAX_HEADER."""
    return file.read(0, min(file.size, MAX_HEADER))


def text(file: File) -> str:
    """The body as text for people."""
    octets = file.read(0, min(file.size, MAX_TEXT))
    return read_message(octets, id="", folder_id="", size=file.size).body.text or ""


def etag_of(*identity: str) -> str:
    """The octets behind an id never change, so the id makes the ETag."""
    return blake2s("\0".join(identity).encode(), digest_size=16).hexdigest()


class PartQuery(NamedTuple):
    """Which part of a message is downloaded, and how much of it; ``encoded`` asks for the octets as stored."""

    message: str
    part: str
    encoded: bool
    span: Span | None

    @property
    def etag(self) -> str:
        return etag_of(self.message, self.part, "encoded" if self.encoded else "decoded")


class Windows:
    """The octets of a download in windows. The first two are read at once: errors come before the response begins, and
    what fits into one window needs no further thread hop. Each ``advance`` reads one more."""

    def __init__(self, windows: Iterator[bytes]) -> None:
        self._windows = windows
        self.current = next(windows, b"")
        self.following = next(windows, b"")

    def advance(self) -> None:
        """Moves to ``following``, which is empty at the end. Raises UpstreamError if the file was cut."""
        self.current, self.following = self.following, next(self._windows, b"")


def open_source(file: File, etag: str, span: Span | None, lane: ThreadLane) -> Download:
    """The octets of the file."""
    start, stop = span.within(file.size) if span else (0, file.size)
    chunks = _stream(Windows(_stored(file, start, stop)), lane)
    return Download(chunks, etag, "message/rfc822", None, file.size, start, stop)


def open_part(file: File, root: Entity, query: PartQuery, lane: ThreadLane) -> Download:
    """Raises NotFound if the message has no such part. A span of a decoded part is decoded twice, since its size is
    known only at its end."""
    entity = structure.find(root, query.part)
    if entity is None:
        raise NotFound("part")
    part, span = entity.part, query.span
    if query.encoded or transfer.is_identity(part.encoding):
        size = entity.stop - entity.body_start
        start, stop = span.within(size) if span else (0, size)
        windows = _stored(file, entity.body_start + start, entity.body_start + stop)
    elif span is None:
        chunks = _stream(Windows(_decoded(file, entity)), lane)
        return Download(chunks, query.etag, part.type, part.name)
    else:
        size = sum(map(len, _decoded(file, entity)))
        start, stop = span.within(size)
        windows = _cut(_decoded(file, entity), start, stop)
    return Download(_stream(Windows(windows), lane), query.etag, part.type, part.name, size, start, stop)


async def _stream(windows: Windows, lane: ThreadLane) -> AsyncGenerator[bytes, None]:
    if windows.current:
        yield windows.current
    while windows.following:
        await lane.run(windows.advance)
        yield windows.current


def _stored(file: File, start: int, stop: int) -> Iterator[bytes]:
    for position in range(start, stop, WINDOW):
        wanted = min(WINDOW, stop - position)
        octets = file.read(position, position + wanted)
        if len(octets) < wanted:
            raise UpstreamError("The message's file was cut.", protocol=PROTOCOL)
        yield octets


def _decoded(file: File, entity: Entity) -> Iterator[bytes]:
    """No window is empty: an empty one means the end."""
    decoder = transfer.decoder(entity.part.encoding)
    for stored in _stored(file, entity.body_start, entity.stop):
        if octets := decoder.feed(stored):
            yield octets
    if octets := decoder.finish():
        yield octets


def _cut(windows: Iterator[bytes], start: int, stop: int) -> Iterator[bytes]:
    """Octets ``start`` to ``stop`` of all windows."""
    position = 0
    for octets in windows:
        if position >= stop:
            return
        if wanted := octets[max(0, start - position) : stop - position]:
            yield wanted
        position += len(octets)
