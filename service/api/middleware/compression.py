"""Compressed responses (RFC 9110, 8.4.1): zstd, br or gzip, as the client accepts them.

Compressed is what programs read: lists, messages, folders. Not compressed are files, because they have ranges and are
compressed already if they are large; streams of events, which have to arrive at once; and whatever shows a token, which
could be guessed by the length of a response that also repeats a text of somebody else's choice (BREACH). The tickets in
a message's HTML are encrypted anew for each response, so there is nothing to guess.
"""

import asyncio
import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette_compress import CompressMiddleware

MIN_OCTETS = 1000
"""Less fits into one packet in any case."""
PIECE = 64 << 10
"""Octets compressed at a time, in about a millisecond."""
_NEVER = re.compile(r"/v1/sessions|/v1/accounts/[^/]+/(?:events|messages/[^/]+/(?:parts/|source)|changes)|/metrics")


class Compression:
    """The middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressed = CompressMiddleware(
            _Pieces(app), minimum_size=MIN_OCTETS, zstd_level=5, brotli_quality=4, gzip_level=6
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_plain = scope["type"] != "http" or _NEVER.match(scope["path"])
        await (self._app if is_plain else self._compressed)(scope, receive, send)


class _Pieces:
    """Hands long bodies on in pieces, with a turn for other requests after each."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def cut(message: Message) -> None:
            body = message.get("body", b"")
            if len(body) <= PIECE:
                await send(message)
                return
            last = (len(body) - 1) // PIECE * PIECE
            for at in range(0, last, PIECE):
                await send({"type": message["type"], "body": body[at : at + PIECE], "more_body": True})
                await asyncio.sleep(0)
            await send({**message, "body": body[last:]})

        await self._app(scope, receive, cut)
