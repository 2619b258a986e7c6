"""A Download as an HTTP response: Range, ETag, HEAD, and headers under which no octet of a mail can run (RFC 9110,
6266)."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from service.api.parameters import response_headers
from service.api.responses import matches
from service.mail.cleaning import CONTROLS, INVISIBLE
from service.mail.model import Download, Span

PIECE = 64 << 10
_RANGE = re.compile(r"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*\Z")
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\Z")
# What a browser does nothing with but show it.
_INERT = re.compile(r"(image/(png|jpeg|gif|webp|avif|bmp)|audio/[a-z0-9.+-]+|video/[a-z0-9.+-]+|text/plain)\Z")
# Never sent under their own name: a browser may run them, or look into them for something to run.
_ACTIVE = re.compile(
    r"(text/(?!plain\Z|csv\Z|calendar\Z|vcard\Z).*|.*(xml|html|javascript|ecmascript|svg|xslt|flash|multipart).*)\Z"
)
_SAFE_NAME = re.compile(r"[^A-Za-z0-9 ._()+,=@~-]")
_NO_ATTR = re.compile(rf'[{CONTROLS}{INVISIBLE}/\\"]')

_OCTETS = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
BINARY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "All of it, under its own media type where that cannot run.",
        "headers": response_headers("ETag", "Content-Disposition"),
        "content": _OCTETS,
    },
    206: {
        "description": "The range asked for.",
        "headers": response_headers("ETag", "Content-Disposition", "Content-Range"),
        "content": _OCTETS,
    },
    304: {"description": "What If-None-Match has is still so; it never changes."},
}


def span_of(request: Request) -> Span | None:
    """The range asked for. Several, or one that is malformed, mean all of it; so does a stale If-Range (RFC 9110,
    14.2)."""
    found = _RANGE.match(request.headers.get("range", ""))
    if found is None or not (found[1] or found[2]):
        return None
    first, last = (int(digits) if digits else None for digits in found.groups())
    if first is not None and last is not None and last < first:
        return None
    return Span(first, last)


async def respond(
    request: Request, open_span: Callable[[Span | None], Awaitable[Download]], *, inline: bool = False
) -> Response:
    """200, 206 or 304. The octets of a message never change, so neither does its tag."""
    span = span_of(request)
    download = await open_span(span)
    if span and request.headers.get("if-range", f'"{download.etag}"') != f'"{download.etag}"':
        await download.chunks.aclose()
        span, download = None, await open_span(None)
    headers = _headers(download, inline)
    if "ticket" in request.query_params:  # an image tag, in a page of anybody's who has the link
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if matches(request.headers.get("if-none-match", ""), headers["ETag"]):
        await download.chunks.aclose()
        return Response(status_code=304, headers={name: headers[name] for name in ("ETag", "Cache-Control")})
    if span:
        headers["Content-Range"] = f"bytes {download.start}-{(download.stop or 0) - 1}/{download.size}"
    if download.stop is not None:
        headers["Content-Length"] = str(download.stop - download.start)
    status = 206 if span else 200
    if request.method == "HEAD":
        await download.chunks.aclose()
        return _Head(status, headers)
    return StreamingResponse(_octets(download), status, headers)


class _Head(Response):
    """No octets, and no Content-Length but that of the octets there would be."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        super().__init__(status_code=status, headers=headers)
        if "Content-Length" not in headers:
            del self.headers["Content-Length"]


async def _octets(download: Download) -> AsyncIterator[memoryview]:
    """In pieces that the HTTP server may copy: of what a slow caller has not taken it holds one. Closing the response
    closes the download, and with it the work upstream."""
    async with aclosing(download.chunks) as chunks:
        async for chunk in chunks:
            view = memoryview(chunk)
            for at in range(0, len(view), PIECE):
                yield view[at : at + PIECE]


def _headers(download: Download, inline: bool) -> dict[str, str]:
    declared = download.type if _TYPE.match(download.type) else "application/octet-stream"
    kind = "application/octet-stream" if _ACTIVE.match(declared) and declared != "message/rfc822" else declared
    placed = "inline" if inline and _INERT.match(kind) else "attachment"
    return {
        "Content-Type": kind,
        "Content-Disposition": disposition(placed, download.name),
        "ETag": f'"{download.etag}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def disposition(placed: str, name: str | None) -> str:
    """RFC 6266: an ASCII name for old clients, the real one in UTF-8 beside it; nothing in either can end the
    header."""
    if not name:
        return placed
    clean = _NO_ATTR.sub("_", name.encode(errors="replace").decode())[:150]
    plain = _SAFE_NAME.sub("_", clean)
    extended = f"; filename*=UTF-8''{quote(clean, safe='')}" if clean != plain else ""
    return f'{placed}; filename="{plain}"{extended}'
