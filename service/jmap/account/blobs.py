"""Blobs opened: the source of an Email, a part of it, an upload, or a part of a message that is one of these."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, closing
from hashlib import blake2s

from service.jmap.account.account import Account
from service.jmap.account.sources import WHOLE
from service.jmap.account.uploads import read_all
from service.jmap.values.blob_ids import BlobId, read_blob_id
from service.jmap.values.bodies import parsed_body
from service.mail.errors import InvalidRequest, NotFound, RangeNotSatisfiable
from service.mail.exchange import Download, Span
from service.spooled import Spooled


async def open_blob(account: Account, blob: str, span: Span | None = None) -> Download:
    """Raises NotFound("blob")."""
    ref = read_blob_id(blob)
    if ref is None:
        raise NotFound("blob")
    try:
        if ref.staged is not None:
            return await account.uploads.open(ref.staged, span)
        if ref.within is not None:
            return await _open_within(account, ref.within, ref.part, span)
        return await _open(account, ref, span)
    except NotFound:
        raise NotFound("blob") from None


async def _open_within(account: Account, blob: str, part: str | None, span: Span | None) -> Download:
    """A part of a message that is read whole. Raises NotFound, and TooLarge for a message that is too large for it."""
    body = await parsed_body(await read_blob(account, blob, WHOLE))
    node = next((each for each in body.root.walk() if each.part.id == part and each.octets is not None), None)
    if node is None or node.octets is None:
        raise NotFound("part")
    octets = await node.octets()
    start, stop = (0, len(octets)) if span is None else span.within(len(octets))
    etag = f'"{blake2s(octets, digest_size=16).hexdigest()}"'
    return Download(_once(octets[start:stop]), etag, node.part.type, node.part.name, len(octets), start, stop)


async def _once(octets: bytes) -> AsyncGenerator[bytes, None]:
    yield octets


async def _open(account: Account, ref: BlobId, span: Span | None) -> Download:
    assert ref.email is not None

    async def read(message: str) -> Download:
        if ref.part is None:
            return await account.backend.open_source(message, span=span)
        return await account.backend.open_part(message, ref.part, span=span)

    return await at_a_place(account, ref.email, read)


async def at_a_place(account: Account, email: str, read: Callable[[str], Awaitable[Download]]) -> Download:
    """Reads the Email at a place that is known, else at one that is searched."""
    known = (await account.index.places_of([email])).get(email, ())
    for message in known:
        try:
            return await read(message)
        except NotFound as error:
            if error.what == "part":
                raise
            account.index.drop(message)
    for message in (await account.index.search([email])).get(email, ()):
        if message not in known:
            return await read(message)
    raise NotFound("message")


async def read_blob(account: Account, blob: str, limit: int) -> bytes:
    """All octets. Raises NotFound("blob") and TooLarge."""
    octets = await read_all(await open_blob(account, blob), limit)
    account.sources.spend(len(octets))
    return octets


async def read_range(account: Account, blob: str, offset: int, length: int | None, limit: int) -> tuple[bytes, int]:
    """The octets of a range, as far as there are some, and the size of the whole. Raises NotFound("blob"), and
    TooLarge for a range above the limit."""
    if not offset and length is None:
        octets = await read_blob(account, blob, limit)
        return octets, len(octets)
    last = None if length is None else offset + max(length, 1) - 1
    try:
        download = await open_blob(account, blob, Span(offset, last))
    except RangeNotSatisfiable as error:
        return b"", error.size
    if length == 0:
        await download.chunks.aclose()
        return b"", download.size or 0
    octets = await read_all(download, limit)
    account.sources.spend(len(octets))
    return octets, download.size or 0


@asynccontextmanager
async def spooled_blob(account: Account, blob: str) -> AsyncIterator[Spooled]:
    """A blob as a message to be stored. Raises NotFound("blob"), and InvalidRequest if it has a NUL or nothing."""
    download = await open_blob(account, blob)
    with closing(Spooled()) as message:
        async with aclosing(download.chunks) as chunks:
            async for chunk in chunks:
                if b"\0" in chunk:
                    raise InvalidRequest("A message must not contain NUL.")
                await message.write(chunk)
        if not message.size:
            raise InvalidRequest("The message is empty.")
        yield message
