"""Streams the octets of a message, a window at a time.

A window is one partial FETCH, checked whole (UID, section, origin) before an octet of it is sent. Between two windows
no connection is held: a slow reader costs the mailbox nothing, memory stays at one window, and a reader that stops ends
the work upstream.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial

from service.adapters.shared.threads import in_thread
from service.mail.errors import UpstreamProtocol
from service.mail.mime.transfer.decoding import decoder, feed_all, is_quick
from service.mail.mime.transfer.grid import Grid, grid_of

HEAD = 256 << 10
"""Octets that are read before the answer begins. Most parts are shorter."""
WINDOW = 768 << 10
"""Octets of a window for a quick reader. A slow reader gets less, so that less is held for it."""
_LEAST = 64 << 10
_QUICK = 0.25
"""Seconds in which a quick reader takes a window."""
Read = Callable[[int, int], Awaitable[bytes]]
"""Called with offset and length: returns at most that many stored octets, none at the end. Raises NotFound if the
message is gone."""
Octets = AsyncGenerator[bytes, None]


async def stored(
    read: Read, start: int = 0, stop: int | None = None, *, first: bytes = b"", announced: int | None = None
) -> Octets:
    """The stored octets from ``start`` to ``stop``. ``first`` are those already read at ``start``. A short
    window is the last one if it ends at the announced size; otherwise an empty window is the end, because announced
    sizes may be wrong."""
    loop = asyncio.get_running_loop()
    at, piece, window = start, first, HEAD
    del first  # nothing is held while a slow reader takes it in
    while stop is None or at < stop:
        wanted = window if stop is None else min(window, stop - at)
        piece = piece or await read(at, wanted)
        if not piece:
            return
        at += len(piece)
        given, is_last = loop.time(), len(piece) < wanted and at == announced
        octets, piece = [piece], b""
        yield octets.pop()
        if is_last:
            return
        window = min(window * 2, WINDOW) if loop.time() < given + _QUICK else max(window // 2, _LEAST)


async def decoded(source: Octets, encoding: str | None) -> Octets:
    """The source without its content transfer encoding."""
    work = decoder(encoding)
    async with aclosing(source):
        async for piece in source:
            octets = await in_thread(partial(feed_all, work, piece), 0 if is_quick(work, piece) else len(piece))
            del piece  # as in ``stored``
            if octets:
                yield octets
    if octets := work.finish():
        yield octets


async def cut(source: Octets, start: int, stop: int) -> Octets:
    """The source's octets from ``start`` to ``stop``; those after ``stop`` are not read."""
    at = 0
    async with aclosing(source):
        async for piece in source:
            begin, end = max(0, start - at), stop - at
            at += len(piece)
            if octets := piece[begin:end]:
                yield octets
            if at >= stop:
                return


async def count(source: Octets) -> int:
    """How many octets there are."""
    return sum([len(piece) async for piece in source])


async def size_of(read: Read, announced: int | None) -> int:
    """The number of stored octets: the announced size if reading across it confirms it, else counted."""
    if announced and len(await read(announced - 1, 2)) == 1:
        return announced
    return await count(stored(read))


async def sized_grid(read: Read, head: bytes, announced: int | None) -> tuple[Grid, int] | None:
    """The grid of lines of a base64 part, and the number of octets that it decodes to. One round trip, for its end."""
    grid = grid_of(head, announced) if announced else None
    if grid is None:
        return None
    size = grid.size(await read(grid.last, grid.stored - grid.last + 1))
    return None if size is None else (grid, size)


async def from_grid(read: Read, grid: Grid, start: int, stop: int) -> Octets | None:
    """The decoded octets from ``start`` to ``stop``; those before are not read. The first of them are read and compared
    with the grid before this returns; None if they do not fit it."""
    first = grid.place(start)
    end = min(grid.stored, grid.place(stop - 1) + grid.row)
    step = HEAD // grid.row * grid.row

    async def rows(at: int, length: int) -> bytes | None:
        octets = await read(at, length)
        return grid.decode(at, octets) if len(octets) == length else None

    piece = await rows(first, min(step, end - first))
    if piece is None:
        return None

    async def all_rows() -> Octets:
        at, octets, length = first, piece, step
        while True:
            yield octets
            at += length
            if at >= end:
                return
            length = min(WINDOW // grid.row * grid.row, end - at)
            more = await rows(at, length)
            if more is None:
                raise UpstreamProtocol("The part is not encoded as it began.", protocol="imap")
            octets = more

    skipped = first // grid.row * grid.yields
    return cut(all_rows(), start - skipped, stop - skipped)
