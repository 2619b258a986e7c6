"""Reads messages of a mailbox for another one: many small ones at once, large ones alone and into a file."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from service.mail.backend import Backend
from service.mail.errors import MailError, NotFound
from service.mail.inventory import BEGINNING, UNNAMED, Item, header_name, id_name, name_of
from service.mail.line_ends import BLANK
from service.mail.mime.digest import Digest
from service.spooled import Spooled
from service.transfer.links import SOURCE, concerns_all, is_lost, named
from service.transfer.model import short

SMALL = 256 << 10
"""Octets of a message that is read together with others."""
BATCH = 1 << 20
"""Octets that are read at once. Two batches are in memory, and a third on its way out."""
MOST = 200
"""Messages that are read at once."""
MAX_HEADER = 1 << 20
"""Octets in which a body has to begin."""
MAX_LOSSES = 3
"""How often the connection may be lost while one message is read. Then it is left at the source."""
T = TypeVar("T")


class Marks(NamedTuple):
    """The digests of a message, of its body alone, and of all with the line ends behind its last line."""

    whole: bytes
    body: bytes
    exact: bytes


@dataclass(slots=True)
class Letter:
    """A message that was read, or why it was not. ``place`` is that of the item in its list."""

    place: int
    item: Item
    source: Spooled
    has_nul: bool = False
    error: MailError | None = None

    @property
    def name(self) -> bytes:
        """By the octets. That in the inventory is by what the mail server took for the header."""
        return name_of(self.source.header[:BEGINNING])

    @property
    def is_as_listed(self) -> bool:
        """Whether these octets are the message that the inventory has under this id, as far as its name says."""
        header = self.source.header
        names = {UNNAMED, self.name, id_name(header)}
        if header.startswith(b"\r\n"):  # it is empty, and by POP3 no more is listed
            names.add(header_name(b""))
        return self.item.name in names

    async def marks(self) -> Marks:
        """Of its octets."""
        return await _marks(self.source.chunks())

    async def write(self, octets: bytes) -> None:
        """More of its octets."""
        self.has_nul = self.has_nul or b"\0" in octets
        await self.source.write(octets)

    def close(self) -> None:
        """Free its octets."""
        self.source.close()


class Batch(NamedTuple):
    """Messages that were read at once; of those that the mail server did not give, the places."""

    letters: list[Letter]
    missing: list[int]


def in_pieces(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The values, at most ``size`` of them at a time."""
    return (values[start : start + size] for start in range(0, len(values), size))


def batches(items: Sequence[tuple[int, Item]]) -> Iterator[list[tuple[int, Item]]]:
    """The items in their order, in batches that are read at once. A large one is alone."""
    batch: list[tuple[int, Item]] = []
    octets = 0
    for place, item in items:
        size = item.size
        is_large = size is None or size > SMALL
        if batch and (is_large or octets + (size or 0) > BATCH or len(batch) >= MOST):
            yield batch
            batch, octets = [], 0
        batch.append((place, item))
        octets += size or 0
        if is_large:
            yield batch
            batch, octets = [], 0
    if batch:
        yield batch


async def letters(
    mailbox: Backend, items: Sequence[tuple[int, Item]], suspects: dict[str, int], *, with_crlf: bool = False
) -> AsyncGenerator[Batch, None]:
    """The messages in batches. ``with_crlf``: each line end that is a LF
    becomes CRLF, as the files of a Maildir are sent. ``suspects`` counts how often the connection was lost while one
    was read."""
    for batch in batches(items):
        is_suspect = bool(suspects) and any(short(item.id) in suspects for _, item in batch)
        async with named(SOURCE):
            read = {} if is_suspect else await _read(mailbox, batch)
        found: list[Letter] = []
        missing: list[int] = []
        for place, item in batch:
            letter = Letter(place, item, Spooled())
            async with named(SOURCE):
                await _fill(mailbox, letter, read.get(item.id), suspects, with_crlf=with_crlf)
            if isinstance(letter.error, NotFound):
                missing.append(place)
            else:
                found.append(letter)
        yield Batch(found, missing)


async def _read(mailbox: Backend, batch: Sequence[tuple[int, Item]]) -> dict[str, bytes]:
    """Small messages. If one of them cannot be read, or costs the connection, all are read alone."""
    if len(batch) == 1 and (batch[0][1].size or SMALL + 1) > SMALL:
        return {}
    try:
        return dict(await mailbox.read_sources([item.id for _, item in batch]))
    except MailError as error:
        if not is_lost(error):
            raise
        return {}


async def _fill(
    mailbox: Backend, letter: Letter, octets: bytes | None, suspects: dict[str, int], *, with_crlf: bool
) -> None:
    ends = LineEnds() if with_crlf else None
    if octets is not None:
        await letter.write(ends(octets) if ends else octets)
        return
    try:
        async with aclosing((await mailbox.open_source(letter.item.id)).chunks) as chunks:
            async for chunk in chunks:
                await letter.write(ends(chunk) if ends else chunk)
    except MailError as error:
        letter.error = error
        if is_lost(error):
            key = short(letter.item.id)
            suspects[key] = suspects.get(key, 0) + 1
            if suspects[key] < MAX_LOSSES:
                raise
        elif concerns_all(error):
            raise


class LineEnds:
    """Makes CRLF of each LF without a CR before it, in octets that come in pieces. Nothing else is changed."""

    def __init__(self) -> None:
        self._follows_cr = False

    def __call__(self, octets: bytes) -> bytes:
        begins_within = self._follows_cr and octets.startswith(b"\n")
        self._follows_cr = octets.endswith(b"\r") if octets else self._follows_cr
        if octets.count(b"\n") == octets.count(b"\r\n") + begins_within:
            return octets
        rest = octets[1:] if begins_within else octets
        changed = rest.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return b"\n" + changed if begins_within else changed


async def marks_of(mailbox: Backend, items: Sequence[Item]) -> dict[str, Marks | None]:
    """The marks of messages as they are stored; None for those that no longer exist."""
    marks: dict[str, Marks | None] = {item.id: None for item in items}
    for batch in batches(list(enumerate(items))):
        read = await _read(mailbox, batch)
        for _, item in batch:
            octets = read.get(item.id)
            marks[item.id] = await (_stored_marks(mailbox, item.id) if octets is None else _marks(_only(octets)))
    return marks


async def _stored_marks(mailbox: Backend, message: str) -> Marks | None:
    try:
        async with aclosing((await mailbox.open_source(message)).chunks) as chunks:
            return await _marks(chunks)
    except NotFound:
        return None


async def _only(octets: bytes) -> AsyncIterator[bytes]:
    yield octets


async def _marks(chunks: AsyncIterator[bytes]) -> Marks:
    whole, body, head = Digest(), Digest(), b""
    is_body = False
    async for chunk in chunks:
        whole.feed(chunk)
        if is_body:
            body.feed(chunk)
            continue
        searched = max(0, len(head) - 2)
        head += chunk
        end = BLANK.search(head, searched)
        is_body = end is not None or len(head) > MAX_HEADER
        if is_body:
            body.feed(head[end.end() if end else len(head) :])
            head = b""
    return Marks(whole.finish(), body.finish(), whole.finish_exactly())


async def ahead(stream: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The values of the stream, each while the next one is being made."""
    async with aclosing(stream):
        following = asyncio.ensure_future(anext(stream))
        try:
            while True:
                try:
                    value = await following
                except StopAsyncIteration:
                    return
                following = asyncio.ensure_future(anext(stream))
                yield value
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
