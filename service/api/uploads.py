"""Uploaded messages. They are spooled first, so that a slow client does not occupy a connection to the mail server, and
an incomplete upload is never stored."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from service.mail.errors import InvalidRequest
from service.mail.mime.digest import Digest
from service.mail.mime.headers.fields import first, parse_message_ids, split_headers
from service.spool import Spool

CHUNK = 256 << 10
_HEADER = 256 << 10


@dataclass
class Spooled:
    """A message that was received completely. Implements ``model.Source``."""

    size: int
    message_id: str | None
    digest: bytes
    _spool: Spool

    async def chunks(self) -> AsyncIterator[bytes]:
        for start in range(0, self.size, CHUNK):
            yield await self._read(start, min(start + CHUNK, self.size))

    async def _read(self, start: int, stop: int) -> bytes:
        if self._spool.stays_in_memory():
            return self._spool.read(start, stop)
        return await run_in_threadpool(self._spool.read, start, stop)


@asynccontextmanager
async def spooled(request: Request) -> AsyncIterator[Spooled]:
    """The request's body. Raises InvalidRequest if it is empty, or has a NUL, which IMAP cannot transfer (RFC 9051,
    9)."""
    digest, head, spool = Digest(), bytearray(), Spool()
    with closing(spool):
        async for chunk in request.stream():
            if b"\0" in chunk:
                raise InvalidRequest("A message must not contain NUL.")
            digest.feed(chunk)
            head += chunk[: max(0, _HEADER - len(head))]
            await _write(spool, chunk)
        if not spool.size:
            raise InvalidRequest("The body is empty. Send a message as message/rfc822.")
        yield Spooled(spool.size, _message_id(bytes(head)), digest.finish(), spool)


async def _write(spool: Spool, chunk: bytes) -> None:
    if spool.stays_in_memory(len(chunk)):
        spool.write(chunk)
    else:
        await run_in_threadpool(spool.write, chunk)


def _message_id(head: bytes) -> str | None:
    block = head.replace(b"\r\n", b"\n").partition(b"\n\n")[0].replace(b"\n", b"\r\n") + b"\r\n\r\n"
    ids = parse_message_ids(first(split_headers(block), "Message-ID") or b"")
    return ids[0] if ids else None
