"""``/``, ``/guides``, ``/problems`` and ``/docs``. They are for people and no part of the contract."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from service.site import pages
from service.site.assets import asset
from service.site.documents import Document
from service.site.problems import problem
from service.site.reference import reference, trying

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


@router.api_route("/problems/{name}", methods=_METHODS)
def show_problem(request: Request, name: str) -> Response:
    """What a problem type means."""
    return _shown(request, problem(name))


@router.api_route("/docs", methods=_METHODS)
def show_reference(request: Request) -> Response:
    """The API reference."""
    return _shown(request, reference())


@router.api_route("/docs/try", methods=_METHODS)
def show_trying(request: Request) -> Response:
    """The API reference that sends requests."""
    return _shown(request, trying())


@router.api_route("/docs/assets/{name}", methods=_METHODS)
def show_asset(request: Request, name: str) -> Response:
    """A script or a style of the reference."""
    return _shown(request, asset(name))


def _shown(request: Request, document: Document) -> Response:
    """With an ETag, or 304 if the client has this version. ``no-cache``: browsers keep it and ask each time."""
    headers = {"ETag": document.etag, "Cache-Control": "no-cache", "Content-Security-Policy": document.policy}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if document.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    content = document.content
    if document.packed is not None:
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in request.headers.get("accept-encoding", ""):
            content, headers["Content-Encoding"] = document.packed, "gzip"
    return Response(content, headers=headers, media_type=document.media_type)
