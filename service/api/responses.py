"""JSON responses that clients can cache: weak ETags, and 304 if nothing has changed (RFC 9110, 8.8 and 13.1.2)."""

import asyncio
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, SerializeAsAny, TypeAdapter

from service.api.parameters import request_headers, response_headers
from service.mail.json_rows import page_json
from service.mail.model import Page

_CACHE_CONTROL = "private, no-cache"  # no shared cache stores it, and clients revalidate it each time
_LIST = TypeAdapter(list[SerializeAsAny[BaseModel]])
_AT_ONCE = 1000
"""As many values as are serialized in a few milliseconds."""
CACHEABLE: dict[int | str, dict[str, Any]] = {
    200: {"headers": response_headers("ETag")},
    304: {"description": "If-None-Match has the current ETag."},
}
"""For a route's ``responses``, if it can respond 304. Such a route also declares ``IF_NONE_MATCH``."""
IF_NONE_MATCH = request_headers("If-None-Match")


def etag_matches(condition: str, etag: str) -> bool:
    """Whether If-None-Match contains the ETag, compared weakly (RFC 9110, 13.1.2)."""
    strong = etag.removeprefix("W/")
    return condition.strip() == "*" or strong in (each.strip().removeprefix("W/") for each in condition.split(","))


def strong_etag(version: str) -> str:
    """The ETag of a version that identifies every octet, or that If-Match compares (RFC 9110, 8.8.1)."""
    return f'"{version}"'


def weak_etag(*parts: str | bytes) -> str:
    """A weak ETag of everything that a response depends on."""
    digest = blake2b(digest_size=12)
    for part in parts:
        octets = part.encode(errors="surrogatepass") if isinstance(part, str) else part
        digest.update(b"%d:" % len(octets) + octets)
    return f'W/"{digest.hexdigest()}"'


def list_etag(request: Request, account: str, state: str) -> str:
    """The ETag of a list of this account: of the folder's state and the request's path and query."""
    return weak_etag(account, request.url.path, request.url.query, state)


def json_response(request: Request, value: BaseModel, etag: str | None = None, include: Any = None) -> Response:
    """The value, or 304 if the client has it. Without ``etag``, the ETag is made from the body. ``include`` selects
    fields, in pydantic's form; None for all."""
    return _response(request, value.model_dump_json(by_alias=True, exclude_none=True, include=include).encode(), etag)


async def items_response(request: Request, items: Sequence[BaseModel]) -> Response:
    """``{"items": […]}`` of any length. Serializes it in pieces, so that it does not block the event loop."""
    return _response(request, b'{"items":%b}' % await array_json(items), None)


async def array_json(items: Sequence[BaseModel], include: Any = None) -> bytes:
    """The items as JSON, made in pieces. ``include`` as in ``json_response``, of each."""
    pieces = []
    for start in range(0, len(items), _AT_ONCE):
        if start:
            await asyncio.sleep(0)
        piece = list(items[start : start + _AT_ONCE])
        each = {"__all__": include} if include else None
        pieces.append(_LIST.dump_json(piece, by_alias=True, exclude_none=True, include=each)[1:-1])
    return b"[%b]" % b",".join(pieces)


def page_response(request: Request, page: Page, etag: str | None, include: Any) -> Response:
    """As ``json_response``. ``include`` selects fields of the messages, in pydantic's form; None for all."""
    return _response(request, page_json(page, include), etag)


def _response(request: Request, body: bytes, etag: str | None) -> Response:
    etag = etag or weak_etag(body)
    headers = {"ETag": etag, "Cache-Control": _CACHE_CONTROL}
    if etag_matches(request.headers.get("if-none-match", ""), etag):
        return not_modified(headers)
    return Response(body, media_type="application/json", headers=headers)


def json_octets(body: bytes) -> Response:
    """JSON that is written already."""
    return Response(body, media_type="application/json")


def not_modified(headers: dict[str, str]) -> Response:
    """304: the client has the current version."""
    return Response(status_code=304, headers=headers)
