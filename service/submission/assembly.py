"""From the pieces of a draft to a complete message: octets as they are, copies of other messages, uploads."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

from service.mail.backend import Backend
from service.mail.errors import TooLarge
from service.mail.exchange import PartRef, Source
from service.mail.mime.compose.base64_lines import Base64Lines
from service.mail.mime.compose.outgoing import Outgoing
from service.mail.mime.compose.values import Composition, Copied, Uploaded
from service.spooled import Spooled

PIECE = 128 << 10
MAX_OCTETS = 256 << 20
"""Of a message: more than any mail server takes. A request of some KiB could name files of gigabytes."""


@asynccontextmanager
async def assembled(
    mailbox: Backend, composition: Composition, uploads: Sequence[Source] = ()
) -> AsyncIterator[Spooled]:
    """The message, complete. Memory is constant: what is large lies in a file. Raises TooLarge, and what reading other
    messages raises."""
    message = Spooled()
    try:
        for piece in composition.pieces:
            if isinstance(piece, bytes):
                await message.write(piece)
                continue
            async with aclosing(_octets(mailbox, piece, uploads)) as octets:
                async for chunk in octets:
                    await message.write(chunk)
                    del chunk  # it is not held while the next one is read
                    if message.size > MAX_OCTETS:
                        raise TooLarge(f"With its attachments the message exceeds {MAX_OCTETS >> 20} MiB.")
        yield message
    finally:
        message.close()


def parts_of(composition: Composition) -> list[bytes | PartRef] | None:
    """The pieces, if the mail server may put them together: some are parts of other messages. Whole messages lose
    fields on the way, so they are streamed."""
    pieces: list[bytes | PartRef] = []
    for piece in composition.pieces:
        if isinstance(piece, bytes):
            pieces.append(piece)
        elif isinstance(piece, Copied) and piece.part is not None:
            pieces.append(PartRef(piece.message, piece.part, is_base64=not piece.encoded))
        else:
            return None
    return pieces if len(pieces) > 1 else None


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
        async for chunk in _written(piece, chunks):
            yield chunk


def _written(piece: Copied, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """As it stands in the message. A message loses its blind copies, and our own fields, also if it is attached."""
    if piece.part is None:
        return outgoing(chunks)
    return chunks if piece.encoded else _base64(chunks)


async def outgoing(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """A stored message as it is sent; see ``Outgoing``."""
    departing = Outgoing()
    async for chunk in chunks:
        fed = [departing.feed(chunk)]
        del chunk  # nothing is held while the next one is read
        yield fed.pop()
    yield departing.finish()


async def _base64(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Encoding takes four times the memory of its piece."""
    encoder = Base64Lines()
    async for chunk in chunks:
        for start in range(0, len(chunk), PIECE):
            yield encoder.feed(chunk[start : start + PIECE])
        del chunk  # as in ``outgoing``
    yield encoder.finish()
