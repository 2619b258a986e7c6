"""Octets of a message on their way, a window at a time.

A window is one partial FETCH, checked whole (UID, section, origin) before an octet of it goes out. Between two windows
no connection is held, so a slow reader costs the mailbox nothing, memory stays at one window, and who stops reading
stops the work upstream.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from service.mail.mime.transfer import decoder

WINDOW = 1 << 20
Read = Callable[[int, int], Awaitable[bytes]]
"""Up to so many stored octets from an offset; empty at the end, NotFound where the message is gone."""
Octets = AsyncGenerator[bytes, None]


async def stored(
    read: Read, start: int = 0, stop: int | None = None, *, first: bytes = b"", announced: int | None = None
) -> Octets:
    """The stored octets from ``start`` to ``stop``. ``first`` are those already read at ``start``. The end is where a
    window is short and the size is what the server announced, else where a window is empty: sizes are not to be
    trusted."""
    at, piece, first = start, first, b""  # what was sent is not kept
    while stop is None or at < stop:
        wanted = WINDOW if stop is None else min(WINDOW, stop - at)
        piece = piece or await read(at, wanted)
        if not piece:
            return
        size, at = len(piece), at + len(piece)
        yield piece
        piece = b""
        if size < WINDOW and at == announced:
            return


async def decoded(source: Octets, encoding: str | None) -> Octets:
    """The source without its content transfer encoding."""
    work = decoder(encoding)
    async with aclosing(source):
        async for piece in source:
            if octets := work.feed(piece):
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
