"""Uploaded messages. They are spooled first, so that a slow client does not occupy a connection to the mail server, and
an incomplete upload is never stored."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from fastapi import Request

from service.mail.errors import InvalidRequest
from service.spooled import Spooled


@asynccontextmanager
async def spooled_content(request: Request) -> AsyncIterator[Spooled]:
    """The request's body, with any octets."""
    with closing(Spooled()) as content:
        async for chunk in request.stream():
            await content.write(chunk)
        yield content


@asynccontextmanager
async def spooled(request: Request) -> AsyncIterator[Spooled]:
    """The request's body. Raises InvalidRequest if it is empty, or has a NUL, which IMAP cannot transfer (RFC 9051,
    9)."""
    with closing(Spooled()) as source:
        async for chunk in request.stream():
            if b"\0" in chunk:
                raise InvalidRequest("A message must not contain NUL.", location="body")
            await source.write(chunk)
        if not source.size:
            raise InvalidRequest("The body is empty. Send a message as message/rfc822.", location="body")
        yield source
