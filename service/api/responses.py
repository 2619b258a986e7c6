"""JSON answers that a client may keep: a weak ETag, and 304 where nothing changed (RFC 9110, 8.8 and 13.1.2)."""

import asyncio
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, SerializeAsAny, TypeAdapter

from service.api.parameters import request_headers, response_headers
from service.mail.json_rows import page_json
from service.mail.model import Page

_NOT_STORED_BUT_KEPT = "private, no-cache"
_LIST = TypeAdapter(list[SerializeAsAny[BaseModel]])
_AT_ONCE = 1000
"""Values that are written in a few milliseconds."""
KEPT: dict[int | str, dict[str, Any]] = {
    200: {"headers": response_headers("ETag")},
    304: {"description": "What If-None-Match has is still so."},
}
"""What a route declares that may answer 304, beside ``IF_NONE_MATCH``."""
IF_NONE_MATCH = request_headers("If-None-Match")


def matches(condition: str, etag: str) -> bool:
    """If-None-Match compares weakly (RFC 9110, 13.1.2)."""
    strong = etag.removeprefix("W/")
    return condition.strip() == "*" or strong in (one.strip().removeprefix("W/") for one in condition.split(","))


def weak_tag(*parts: str | bytes) -> str:
    """Of whatever an answer depends on."""
    digest = blake2b(digest_size=12)
    for part in parts:
        octets = part.encode(errors="surrogatepass") if isinstance(part, str) else part
        digest.update(b"%d:" % len(octets) + octets)
    return f'W/"{digest.hexdigest()}"'


def list_tag(request: Request, account: str, state: str) -> str:
    """Of a list of this account: the folder's state and what was asked."""
    return weak_tag(account, request.url.path, request.url.query, state)


def json_answer(request: Request, value: BaseModel, etag: str | None = None) -> Response:
    """The value, or 304 where the client has it. Without a tag its own octets make one."""
    return _answer(request, value.model_dump_json(by_alias=True, exclude_none=True).encode(), etag)


async def items_answer(request: Request, items: Sequence[BaseModel]) -> Response:
    """``{"items": […]}`` of any length: others have their turn between two pieces of it."""
    pieces = []
    for at in range(0, len(items), _AT_ONCE):
        if at:
            await asyncio.sleep(0)
        pieces.append(_LIST.dump_json(list(items[at : at + _AT_ONCE]), by_alias=True, exclude_none=True)[1:-1])
    return _answer(request, b'{"items":[%b]}' % b",".join(pieces), None)


def page_answer(request: Request, page: Page, etag: str | None, include: Any) -> Response:
    """As ``json_answer``, with only some members of its rows where ``include`` names them as pydantic does."""
    return _answer(request, page_json(page, include), etag)


def _answer(request: Request, body: bytes, etag: str | None) -> Response:
    etag = etag or weak_tag(body)
    headers = {"ETag": etag, "Cache-Control": _NOT_STORED_BUT_KEPT}
    if matches(request.headers.get("if-none-match", ""), etag):
        return not_modified(headers)
    return Response(body, media_type="application/json", headers=headers)


def not_modified(headers: dict[str, str]) -> Response:
    """304: the client has it already."""
    return Response(status_code=304, headers=headers)
