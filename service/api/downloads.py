"""A Download as an HTTP response: Range, ETag and HEAD (RFC 9110), and headers that keep browsers from running content
of a message."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from service.api.parameters import response_headers
from service.api.responses import etag_matches, not_modified, strong_etag
from service.mail.cleaning import CONTROLS, INVISIBLE
from service.mail.errors import RangeNotSatisfiable
from service.mail.exchange import Download, Span

PIECE = 64 << 10
_RANGE = re.compile(r"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*\Z", re.IGNORECASE)
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\Z")
# Types that a browser only shows and never runs.
_INERT = re.compile(r"(image/(png|jpeg|gif|webp|avif|bmp)|audio/[a-z0-9.+-]+|video/[a-z0-9.+-]+|text/plain)\Z")
# Types never sent as themselves: a browser may run them, or sniff in them for something to run.
_ACTIVE = re.compile(
    r"(text/(?!plain\Z|csv\Z|calendar\Z|vcard\Z).*|.*(xml|html|javascript|ecmascript|svg|xslt|flash|multipart).*)\Z"
)
_BEFORE_RANGE = frozenset({"if-none-match", "if-range"})
_SAFE_NAME = re.compile(r"[^A-Za-z0-9 ._()+,=@~-]")
_NO_ATTR = re.compile(rf'[{CONTROLS}{INVISIBLE}/\\"]')

_OCTETS = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
BINARY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The whole content. Media types that browsers could run become application/octet-stream.",
        "headers": response_headers("ETag", "Content-Disposition"),
        "content": _OCTETS,
    },
    206: {
        "description": "The requested range.",
        "headers": response_headers("ETag", "Content-Disposition", "Content-Range"),
        "content": _OCTETS,
    },
    304: {"description": "If-None-Match has the current ETag. The content never changes."},
}


def span_of(request: Request) -> Span | None:
    """The requested range of a GET. None, for the whole content, if there is none, more than one or a malformed one.
    HEAD has none (RFC 9110, 14.2)."""
    match = _RANGE.match(request.headers.get("range", ""))
    if match is None or not (match[1] or match[2]) or request.method == "HEAD":
        return None
    first, last = (int(digits) if digits else None for digits in match.groups())
    if first is not None and last is not None and last < first:
        return None
    return Span(first, last)


async def respond(
    request: Request, open_span: Callable[[Span | None], Awaitable[Download]], *, inline: bool = False
) -> Response:
    """304, 206, 200 or 416. The octets of a message never change, so neither does its ETag."""
    span, beyond = span_of(request), None
    try:
        download = await open_span(span)
    except RangeNotSatisfiable as error:
        if _BEFORE_RANGE.isdisjoint(request.headers.keys()):
            raise
        download, beyond = await open_span(None), error
    if span is not None:
        download, span = await _chosen(request, open_span, download, span, beyond)
    headers = _headers(download, inline)
    if "ticket" in request.query_params:  # for an image tag in a page of any origin
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if _is_known(request, download):
        await download.chunks.aclose()
        return not_modified({name: headers[name] for name in ("ETag", "Cache-Control")})
    if span:
        headers["Content-Range"] = f"bytes {download.start}-{(download.stop or 0) - 1}/{download.size}"
    if download.stop is not None:
        headers["Content-Length"] = str(download.stop - download.start)
    status = 206 if span else 200
    if request.method == "HEAD":
        await download.chunks.aclose()
        return _Head(status, headers)
    return StreamingResponse(_octets(download), status, headers)


async def _chosen(
    request: Request,
    open_span: Callable[[Span | None], Awaitable[Download]],
    download: Download,
    span: Span,
    beyond: RangeNotSatisfiable | None,
) -> tuple[Download, Span | None]:
    """The content to send, and the range that it is; None: the whole. If-None-Match comes before If-Range, and both
    before Range (RFC 9110, 13.2.2). Raises ``beyond``: the range is not in the content."""
    if _is_known(request, download):
        return download, span
    etag = strong_etag(download.etag)
    is_wanted = request.headers.get("if-range", etag) == etag
    if is_wanted and beyond is None:
        return download, span
    await download.chunks.aclose()
    if is_wanted and beyond is not None:
        raise beyond
    return await open_span(None), None


def _is_known(request: Request, download: Download) -> bool:
    return etag_matches(request.headers.get("if-none-match", ""), strong_etag(download.etag))


class _Head(Response):
    """A response without content. Its Content-Length is that of the GET response, absent if that is unknown."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        super().__init__(status_code=status, headers=headers)
        if "Content-Length" not in headers:
            del self.headers["Content-Length"]


async def _octets(download: Download) -> AsyncIterator[memoryview]:
    """The octets in pieces of at most PIECE: the HTTP server copies what a slow client has not received yet, at most
    one piece. Closing the response closes the download, which stops the work upstream."""
    async with aclosing(download.chunks) as chunks:
        async for chunk in chunks:
            view = memoryview(chunk)
            for at in range(0, len(view), PIECE):
                yield view[at : at + PIECE]


def _headers(download: Download, inline: bool) -> dict[str, str]:
    declared = download.type if _TYPE.match(download.type) else "application/octet-stream"
    media_type = "application/octet-stream" if _ACTIVE.match(declared) and declared != "message/rfc822" else declared
    placement = "inline" if inline and _INERT.match(media_type) else "attachment"
    return {
        "Content-Type": media_type,
        "Content-Disposition": disposition(placement, download.name),
        "ETag": strong_etag(download.etag),
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def disposition(placement: str, name: str | None) -> str:
    """The Content-Disposition field (RFC 6266): an ASCII file name for old clients, and the full name in UTF-8.
    Characters that could end the field are replaced."""
    if not name:
        return placement
    clean = _NO_ATTR.sub("_", name.encode(errors="replace").decode())[:150]
    plain = _SAFE_NAME.sub("_", clean)
    extended = f"; filename*=UTF-8''{quote(clean, safe='')}" if clean != plain else ""
    return f'{placement}; filename="{plain}"{extended}'
