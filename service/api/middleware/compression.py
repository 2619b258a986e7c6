"""Compressed responses (RFC 9110, 8.4.1): zstd, br or gzip, as the client accepts them.

Lists, messages and folders are compressed. Files are not: they have ranges, and most large ones are compressed already.
Streams of events are not, because each event must be sent at once. Responses with a token are not: if a response also
repeats text that an attacker chose, its length would help to guess the token (BREACH). The tickets in a message's HTML
cannot be guessed in this way: each is of one message, whose text stays the same, so no two lengths can be compared.
"""

import asyncio
import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette_compress import CompressMiddleware

MIN_OCTETS = 1000
"""Less fits into one packet in any case."""
SHORT = 32 << 10
"""A page of usual length. Working harder on it takes twice as long and saves a packet at most."""
PIECE = 64 << 10
"""Octets compressed at a time, in about a millisecond."""
_NEVER = re.compile(r"/v1/sessions|/v1/events|/v1/accounts/[^/]+/(?:events|messages/[^/]+/(?:parts/|source))|/metrics")
_COMPLETE = "casella_complete_response"


class Compression:
    """The middleware. It compresses what comes as one message, as all but files and events do."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._quick = CompressMiddleware(_replay, zstd_level=1, brotli_quality=2, gzip_level=1)
        self._thorough = CompressMiddleware(_replay, zstd_level=5, brotli_quality=4, gzip_level=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _NEVER.match(scope["path"]):
            await self._app(scope, receive, send)
            return
        start: Message | None = None

        async def compress(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if start is not None:
                head, start = start, None
                octets = 0 if message.get("more_body") else len(message.get("body", b""))
                if octets >= MIN_OCTETS:
                    compressed = self._quick if octets <= SHORT else self._thorough
                    await compressed({**scope, _COMPLETE: (head, message)}, receive, send)
                    return
                await send(head)
            await send(message)

        await self._app(scope, receive, compress)


async def _replay(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends a response that is complete: a long one in pieces, with a turn for other requests after each."""
    head, message = scope[_COMPLETE]
    await send(head)
    body = message["body"]
    last = (len(body) - 1) // PIECE * PIECE
    for at in range(0, last, PIECE):
        await send({"type": message["type"], "body": body[at : at + PIECE], "more_body": True})
        await asyncio.sleep(0)
    await send({**message, "body": body[last:]})
