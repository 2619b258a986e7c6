"""What the site serves: content with an ETag."""

from dataclasses import dataclass
from hashlib import sha256

HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Document:
    """``packed`` is the content compressed by gzip, if that was done in advance. ``policy`` is the
    Content-Security-Policy of a page."""

    content: bytes
    media_type: str
    etag: str
    packed: bytes | None = None
    policy: str = "default-src 'none'"


def document(content: bytes, media_type: str, *, packed: bytes | None = None) -> Document:
    """A file beside the pages: a script, a style or an image."""
    return Document(content, media_type, _etag(content), packed)


def html(text: str, policy: str) -> Document:
    """A page with its policy."""
    content = text.encode()
    return Document(content, HTML, _etag(content), policy=policy)


def _etag(content: bytes) -> str:
    return f'"{sha256(content).hexdigest()[:20]}"'
