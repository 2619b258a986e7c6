"""From the pieces of a draft to a complete message: octets as they are, copies of other messages, uploads."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

from service.mail.backend import Backend
from service.mail.mime.compose.base64_lines import Base64Lines
from service.mail.mime.compose.values import Composition, Copied, Uploaded
from service.mail.model import Source
from service.submission.spooled import Spooled


@asynccontextmanager
async def assembled(
    mailbox: Backend, composition: Composition, uploads: Sequence[Source] = ()
) -> AsyncIterator[Spooled]:
    """The message, complete. Memory is constant: what is large lies in a file. Raises what reading other messages
    raises."""
    message = Spooled()
    try:
        for piece in composition.pieces:
            if isinstance(piece, bytes):
                await message.write(piece)
                continue
            async with aclosing(_octets(mailbox, piece, uploads)) as octets:
                async for chunk in octets:
                    await message.write(chunk)
        yield message
    finally:
        message.close()


async def _octets(mailbox: Backend, piece: Copied | Uploaded, uploads: Sequence[Source]) -> AsyncGenerator[bytes, None]:
    if isinstance(piece, Uploaded):
        async for chunk in _base64(uploads[piece.index].chunks()):
            yield chunk
        return
    if piece.part is None:
        download = await mailbox.open_source(piece.message)
    else:
        download = await mailbox.open_part(piece.message, piece.part, encoded=piece.encoded)
    async with aclosing(download.chunks) as chunks:
        is_ready = piece.part is None or piece.encoded
        async for chunk in chunks if is_ready else _base64(chunks):
            yield chunk


async def _base64(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    encoder = Base64Lines()
    async for chunk in chunks:
        yield encoder.feed(chunk)
    yield encoder.finish()
