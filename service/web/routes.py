"""``/app/``. It is for people and no part of the contract."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from service.site.documents import shown
from service.web.files import file

router = APIRouter(include_in_schema=False)
_METHODS = ["GET", "HEAD"]
_FOREVER = "public, max-age=31536000, immutable"
"""For files whose name changes with their content."""


@router.api_route("/app", methods=_METHODS)
def move_to_page() -> Response:
    """The page's own addresses are relative, so it needs the slash."""
    return RedirectResponse("app/", status_code=308)


# Plain functions: Starlette runs them in a thread, since a file is read and compressed when it is asked for first.
@router.api_route("/app/", methods=_METHODS)
def show_page(request: Request) -> Response:
    """The page."""
    return shown(request, file("index.html"))


@router.api_route("/app/{name:path}", methods=_METHODS)
def show_file(request: Request, name: str) -> Response:
    """A file of the page."""
    return shown(request, file(name), _FOREVER if name.startswith("assets/") else "no-cache")
