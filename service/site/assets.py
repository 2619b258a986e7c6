"""Scripts and styles of the reference: our own, and those of Redoc and Swagger UI from the package fastapi-offline."""

import gzip
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from service.mail.errors import NotFound
from service.site.documents import Document, document

_OWN = Path(__file__).parent
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


def _bundles() -> Path:
    spec = find_spec("fastapi_offline")
    assert spec is not None
    [folder] = spec.submodule_search_locations or []
    return Path(folder, "static")


@cache
def _files() -> dict[str, Path]:
    bundles = _bundles()
    return {
        "icon.svg": _OWN / "icon.svg",
        "reference.js": _OWN / "reference.js",
        "try.js": _OWN / "try.js",
        "redoc.js": bundles / "redoc.standalone.js",
        "swagger.js": bundles / "swagger-ui-bundle.js",
        "swagger.css": bundles / "swagger-ui.css",
    }


@cache
def asset(name: str) -> Document:
    """A file. It is compressed once: it is large, and the same in all responses. Raises NotFound."""
    path = _files().get(name)
    if path is None:
        raise NotFound("route")
    content = path.read_bytes()
    return document(content, _TYPES[path.suffix], packed=gzip.compress(content, 9, mtime=0))
