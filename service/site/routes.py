"""``/`` and ``/guides``. They are for people and no part of the contract."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from service.site import pages
from service.site.layout import POLICY
from service.site.pages import Document

router = APIRouter(include_in_schema=False)
_METHODS = ["GET", "HEAD"]


@router.api_route("/", methods=_METHODS)
def show_home(request: Request) -> Response:
    """A page; its links as JSON for a program that accepts JSON and not HTML."""
    accepted = request.headers.get("accept", "")
    wants_json = "application/json" in accepted and "text/html" not in accepted
    response = JSONResponse(pages.links()) if wants_json else _shown(request, pages.home())
    response.headers["Vary"] = "Accept"
    return response


# Plain functions: Starlette runs them in a thread, since a page that is shown for the first time is read and rendered.
@router.api_route("/guides", methods=_METHODS)
def show_guides(request: Request) -> Response:
    """The list of guides."""
    return _shown(request, pages.index())


@router.api_route("/guides/{name}", methods=_METHODS)
def show_guide(request: Request, name: str) -> Response:
    """One guide."""
    return _shown(request, pages.guide(name))


def _shown(request: Request, document: Document) -> Response:
    """With an ETag, or 304 if the client has this version. ``no-cache``: browsers keep it and ask each time."""
    headers = {"ETag": document.etag, "Cache-Control": "no-cache", "Content-Security-Policy": POLICY}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if document.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return HTMLResponse(document.html, headers=headers)
