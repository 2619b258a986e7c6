"""What the site serves: content with an ETag."""

from dataclasses import dataclass
from hashlib import sha256

from fastapi import Request
from fastapi.responses import Response

HTML = "text/html; charset=utf-8"
NOTHING = "default-src 'none'"
"""The policy of files that are not pages."""


@dataclass(frozen=True, slots=True)
class Document:
    """``packed`` is the content compressed by gzip, if that was done in advance. ``policy`` is the
    Content-Security-Policy of a page."""

    content: bytes
    media_type: str
    etag: str
    packed: bytes | None = None
    policy: str = NOTHING


def document(content: bytes, media_type: str, *, packed: bytes | None = None, policy: str = NOTHING) -> Document:
    """A file beside the pages: a script, a style or an image."""
    return Document(content, media_type, _etag(content), packed, policy)


def html(text: str, policy: str) -> Document:
    """A page with its policy."""
    content = text.encode()
    return Document(content, HTML, _etag(content), policy=policy)


def _etag(content: bytes) -> str:
    return f'"{sha256(content).hexdigest()[:20]}"'


def shown(request: Request, document: Document, caching: str = "no-cache") -> Response:
    """With an ETag, or 304 if the client has this version. With ``no-cache`` browsers keep it and ask each time."""
    headers = {"ETag": document.etag, "Cache-Control": caching, "Content-Security-Policy": document.policy}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if document.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    content = document.content
    if document.packed is not None:
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in request.headers.get("accept-encoding", ""):
            content, headers["Content-Encoding"] = document.packed, "gzip"
    return Response(content, headers=headers, media_type=document.media_type)
