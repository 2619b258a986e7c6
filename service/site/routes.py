"""``/``, ``/guides``, ``/problems`` and ``/docs``, which are for people, and the contract."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from service.site import pages
from service.site.assets import asset
from service.site.documents import shown
from service.site.problems import problem
from service.site.reference import reference, trying

router = APIRouter(include_in_schema=False)
_METHODS = ["GET", "HEAD"]


@router.api_route("/", methods=_METHODS)
def show_home(request: Request) -> Response:
    """A page; its links as JSON for a program that accepts JSON and not HTML."""
    accepted = request.headers.get("accept", "")
    wants_json = "application/json" in accepted and "text/html" not in accepted
    has_page: bool = request.app.state.has_page
    response = JSONResponse(pages.links(has_page)) if wants_json else shown(request, pages.home(has_page))
    response.headers["Vary"] = "Accept"
    return response


# Plain functions: Starlette runs them in a thread, since a page that is shown for the first time is read and rendered.
@router.api_route("/guides", methods=_METHODS)
def show_guides(request: Request) -> Response:
    """The list of guides."""
    return shown(request, pages.index())


@router.api_route("/guides/{name}", methods=_METHODS)
def show_guide(request: Request, name: str) -> Response:
    """One guide."""
    return shown(request, pages.guide(name))


@router.api_route("/problems/{name}", methods=_METHODS)
def show_problem(request: Request, name: str) -> Response:
    """What a problem type means."""
    return shown(request, problem(name))


@router.api_route("/docs", methods=_METHODS)
def show_reference(request: Request) -> Response:
    """The API reference."""
    return shown(request, reference())


@router.api_route("/openapi.json", methods=_METHODS)
def show_contract(request: Request) -> Response:
    """The contract. To build it takes a third of a second, once."""
    return JSONResponse(request.app.openapi())


@router.api_route("/docs/try", methods=_METHODS)
def show_trying(request: Request) -> Response:
    """The API reference that sends requests."""
    return shown(request, trying())


@router.api_route("/docs/assets/{name}", methods=_METHODS)
def show_asset(request: Request, name: str) -> Response:
    """A script or a style of the reference."""
    return shown(request, asset(name))
