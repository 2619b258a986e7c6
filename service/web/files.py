"""The built files of the page, with the policy under which a browser shows each."""

import gzip
from functools import cache
from pathlib import Path

from service.mail.errors import NotFound
from service.site.documents import NOTHING, Document, document

_FOLDER = Path(__file__).with_name("files")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
_SMALL = 512
"""Octets that are not worth compressing."""
_PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types casella"
)
"""Everything from this service, and no text ever becomes script."""
_FRAME = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:{pictures}; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
)
"""The frame of a message: its styles, but no script, no form, and pictures of others only if the reader wants them."""
_POLICIES = {
    "index.html": _PAGE,
    "frame.html": _FRAME.format(pictures=""),
    "pictures.html": _FRAME.format(pictures=" https: http:"),
    "worker.js": "default-src 'none'; connect-src 'self'; script-src 'self'; img-src 'self'",
}
_TWINS = {"pictures.html": "frame.html"}
"""The same file under two policies."""


@cache
def names() -> frozenset[str]:
    """The files that there are, by their path below ``/app/``."""
    files = (file.relative_to(_FOLDER).as_posix() for file in _FOLDER.rglob("*") if file.is_file())
    return frozenset([*files, *_TWINS])


@cache
def file(name: str) -> Document:
    """A file of the page. It is read and compressed once. Raises NotFound."""
    if name not in names():
        raise NotFound("route")
    path = _FOLDER / _TWINS.get(name, name)
    content = path.read_bytes()
    packed = gzip.compress(content, 9, mtime=0) if len(content) > _SMALL and path.suffix != ".png" else None
    return document(content, _TYPES[path.suffix], packed=packed, policy=_POLICIES.get(name, NOTHING))
