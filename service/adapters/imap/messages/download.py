"""Octets of a message on their way, a window at a time.

A window is one partial FETCH, checked whole (UID, section, origin) before an octet of it goes out. Between two windows
no connection is held, so a slow reader costs the mailbox nothing, memory stays at one window, and who stops reading
stops the work upstream.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial

from service.adapters.shared.threads import apart
from service.mail.errors import UpstreamProtocol
from service.mail.mime.grid import Grid, grid_of
from service.mail.mime.transfer import decoder, feed_all

HEAD = 256 << 10
"""What is read before anything is answered. Most parts end here."""
WINDOW = 768 << 10
"""What is read at a time for who is quick; for a slow reader it is less, so that less is held for it."""
_LEAST = 64 << 10
_QUICK = 0.25
"""Seconds to take a window in."""
Read = Callable[[int, int], Awaitable[bytes]]
"""Up to so many stored octets from an offset; empty at the end, NotFound where the message is gone."""
Octets = AsyncGenerator[bytes, None]


async def stored(
    read: Read, start: int = 0, stop: int | None = None, *, first: bytes = b"", announced: int | None = None
) -> Octets:
    """The stored octets from ``start`` to ``stop``. ``first`` are those already read at ``start``. The end is where a
    window is short and the size is what the server announced, else where a window is empty: sizes are not to be
    trusted."""
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
            octets = await apart(partial(feed_all, work, piece), len(piece))
            del piece  # as in ``stored``
            if octets:
                yield octets
    if octets := work.finish():
        yield octets


async def cut(source: Octets, start: int, stop: int) -> Octets:
    """The source's octets from ``start`` to ``stop``; what lies behind is not read."""
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
    """How many stored octets there are: the announced size where a look across its edge confirms it, else counted."""
    if announced and len(await read(announced - 1, 2)) == 1:
        return announced
    return await count(stored(read))


async def sized_grid(read: Read, head: bytes, announced: int | None) -> tuple[Grid, int] | None:
    """The lines of a base64 part, and how many octets it decodes to: one round trip for its end."""
    grid = grid_of(head, announced) if announced else None
    if grid is None:
        return None
    size = grid.size(await read(grid.last, grid.stored - grid.last + 1))
    return None if size is None else (grid, size)


async def from_grid(read: Read, grid: Grid, start: int, stop: int) -> Octets | None:
    """The decoded octets from ``start`` to ``stop``, without those before. The first of them are read and held against
    the grid before this returns; None where they are not on it."""
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
