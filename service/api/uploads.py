"""Uploaded messages. They are spooled first, so that a slow client does not occupy a connection to the mail server, and
an incomplete upload is never stored."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from service.mail.errors import InvalidRequest
from service.mail.mime.digest import Digest
from service.mail.mime.headers import first, parse_message_ids, split_headers

IN_MEMORY = 1 << 20
"""Octets kept in memory. A longer message goes to an unnamed file, which disappears even if the process crashes."""
CHUNK = 256 << 10
_HEADER = 256 << 10


@dataclass
class Spooled:
    """A message that was received completely. Implements ``model.Source``."""

    size: int
    message_id: str | None
    digest: bytes
    _file: IO[bytes]

    async def chunks(self) -> AsyncIterator[bytes]:
        self._file.seek(0)
        while chunk := await self._read():
            yield chunk

    async def _read(self) -> bytes:
        is_in_memory = self.size <= IN_MEMORY
        return self._file.read(CHUNK) if is_in_memory else await run_in_threadpool(self._file.read, CHUNK)


@asynccontextmanager
async def spooled(request: Request) -> AsyncIterator[Spooled]:
    """The request's body. Raises InvalidRequest if it is empty, or has a NUL, which IMAP cannot transfer (RFC 9051,
    9)."""
    digest, size, head = Digest(), 0, bytearray()
    with SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        async for chunk in request.stream():
            if b"\0" in chunk:
                raise InvalidRequest("A message must not contain NUL.")
            digest.feed(chunk)
            size += len(chunk)
            head += chunk[: max(0, _HEADER - len(head))]
            await _write(file, chunk, size)
        if not size:
            raise InvalidRequest("The body is empty. Send a message as message/rfc822.")
        yield Spooled(size, _message_id(bytes(head)), digest.finish(), file)


async def _write(file: IO[bytes], chunk: bytes, size: int) -> None:
    if size <= IN_MEMORY:
        file.write(chunk)
    else:
        await run_in_threadpool(file.write, chunk)


def _message_id(head: bytes) -> str | None:
    block = head.replace(b"\r\n", b"\n").partition(b"\n\n")[0].replace(b"\n", b"\r\n") + b"\r\n\r\n"
    ids = parse_message_ids(first(split_headers(block), "Message-ID") or b"")
    return ids[0] if ids else None
