"""The one error table: RFC 9457 problem+json for everything that goes wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from traceback import extract_tb
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from service.api.parameters import response_headers
from service.mail import errors
from service.mail.model import PROTOCOLS, Number, Value

MEDIA_TYPE = "application/problem+json"
_log = structlog.get_logger("service.api")


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A problem type. ``retryable``: the same request may succeed later. ``advice`` is the page at its address."""

    name: str
    status: int
    title: str
    advice: str
    retryable: bool = False


PROBLEM_TYPES: Mapping[type[errors.MailError], ProblemType] = {
    errors.Unauthenticated: ProblemType("unauthenticated", 401, "Sign in", "Send Authorization: Basic with the mailbox's login and password, or Bearer with a token from POST /v1/sessions."),
    errors.LoginRefused: ProblemType("login-refused", 401, "The mail server refused the login", "Check username and password, or get a new access token. The service does not try again by itself, so that the account is not locked."),
    errors.NotPermitted: ProblemType("not-permitted", 403, "The mail server does not allow this", "The signed-in user lacks the right for this folder or action."),
    errors.NotFound: ProblemType("not-found", 404, "Not found", "`what` says what is missing: folder, message, part, server, account or address. Ids belong to one account and end with the thing they name."),
    errors.AlreadyExists: ProblemType("already-exists", 409, "It exists already", "Choose another name."),
    errors.AlreadyDone: ProblemType("already-done", 409, "It was done already", "The first request with this Idempotency-Key was carried out, and its answer is no longer kept. Look at the mailbox for what came of it."),
    errors.InUse: ProblemType("in-use", 409, "The mailbox is in use", "Another client holds the maildrop. Wait as Retry-After says.", retryable=True),
    errors.StaleId: ProblemType("stale-id", 410, "The id is from before a renumbering", "The folder got a new UIDVALIDITY, so ids given earlier name nothing. List the folder again."),
    errors.StaleToken: ProblemType("stale-token", 410, "The cursor or token is too old", "What it continues can no longer be told. Start the list again."),
    errors.Changed: ProblemType("changed", 412, "It changed meanwhile", "Read it again and decide anew."),
    errors.TooLarge: ProblemType("too-large", 413, "Too large", "Send or ask less at once."),
    errors.RangeNotSatisfiable: ProblemType("range-not-satisfiable", 416, "The range lies outside", "Content-Range says how many octets there are."),
    errors.InvalidRequest: ProblemType("invalid-request", 422, "The request has an invalid value", "`errors` or `detail` says which value and why."),
    errors.TooManyRequests: ProblemType("too-many-requests", 429, "Too many requests", "Wait as Retry-After says.", retryable=True),
    errors.NotSupported: ProblemType("not-supported", 501, "This mailbox cannot do that", "`capability` names what is missing. GET /v1/accounts/me lists what the mailbox can do."),
    errors.UpstreamError: ProblemType("upstream-error", 502, "The mail server refused", "`upstream` has its code where it gave one."),
    errors.UpstreamProtocol: ProblemType("upstream-protocol", 502, "The mail server broke its protocol", "Its answer was malformed or beyond a limit; the connection was closed. The server's operator should know."),
    errors.UpstreamTls: ProblemType("upstream-tls", 502, "No trusted TLS to the mail server", "Certificate, host name or TLS version do not hold. Only the operator can change what is trusted."),
    errors.UpstreamUnavailable: ProblemType("upstream-unavailable", 503, "The mail server is unavailable", "It cannot be reached or is going down. Wait as Retry-After says.", retryable=True),
    errors.ServerBusy: ProblemType("busy", 503, "All connections are busy", "Too many requests for this mailbox at once. Wait as Retry-After says.", retryable=True),
    errors.StoreUnavailable: ProblemType("store-unavailable", 503, "The shared store is unavailable", "What replicas know of ended sessions cannot be read or written. Reads go on. Wait as Retry-After says.", retryable=True),
    errors.UpstreamTimeout: ProblemType("upstream-timeout", 504, "The mail server did not answer in time", "Try again; a search may need to be narrower.", retryable=True),
    errors.OverQuota: ProblemType("over-quota", 507, "The mailbox is full", "Delete something first."),
}  # fmt: skip
_MEDIA = ProblemType("unsupported-media-type", 415, "Not this media type", "Send JSON with Content-Type: application/json, a message with message/rfc822.")  # fmt: skip
MALFORMED = ProblemType("malformed-request", 400, "This is no HTTP request", "One Host, one length, CRLF at each line's end, an address that begins with a slash (RFC 9112). The connection was closed.")  # fmt: skip
TIMEOUT = ProblemType("request-timeout", 408, "The request did not arrive in time", "Send it without pauses. The connection was closed.", retryable=True)  # fmt: skip
HEAD_TOO_LARGE = ProblemType("head-too-large", 431, "The request's address, fields or chunk lines are too large", "Send fewer or shorter header fields, trailers and chunk extensions. The connection was closed.")  # fmt: skip
_METHOD = ProblemType("method-not-allowed", 405, "Not this way", "The Allow header lists the methods of this address.")
_INTERNAL = ProblemType("internal-error", 500, "A fault of ours", "Tell the operator the requestId.")
_ALL_TYPES: Mapping[type[errors.MailError], ProblemType] = {**PROBLEM_TYPES, errors.UnsupportedMedia: _MEDIA}
BUSY = PROBLEM_TYPES[errors.ServerBusy]
_OF_HTTP = (MALFORMED, TIMEOUT, HEAD_TOO_LARGE, _METHOD, _MEDIA, _INTERNAL)
_BY_STATUS = {kind.status: kind for kind in (*PROBLEM_TYPES.values(), *_OF_HTTP)} | {
    404: PROBLEM_TYPES[errors.NotFound],
    401: PROBLEM_TYPES[errors.Unauthenticated],
    400: PROBLEM_TYPES[errors.InvalidRequest],
    502: PROBLEM_TYPES[errors.UpstreamError],
    503: BUSY,
}
BY_NAME = {kind.name: kind for kind in (*PROBLEM_TYPES.values(), *_OF_HTTP)}


class UpstreamCause(Value):
    """Whose words a problem repeats."""

    protocol: str = Field(description=f"{PROTOCOLS}; more may come.")
    code: str | None = Field(None, description="The server's response code (RFC 5530, RFC 2449).")


class InvalidValue(Value):
    """One value that does not fit. The value itself is not repeated."""

    location: str = Field(description="Where it is, such as `query.limit` or `body.username`.")
    message: str = Field(description="Why it does not.")
    column: Number | None = Field(None, description="In a search text: where, counted from 1.")


class Problem(Value):
    """RFC 9457: what went wrong, for programs (`type`, `retryable`) and for people (`title`, `detail`)."""

    type: str = Field(description="`/problems/<name>`, which explains itself when opened.")
    title: str = Field(description="The same for all of a type.")
    status: Number = Field(description="The HTTP status.")
    detail: str = Field(description="What went wrong this time.")
    instance: str = Field(description="The path of the request.")
    retryable: bool = Field(description="Whether the same request may succeed later.")
    request_id: str = Field(description="As in X-Request-Id, to be found in the operator's log.")
    upstream: UpstreamCause | None = Field(None, description="Where the mail server is the cause.")
    what: str | None = Field(None, description="With not-found: the kind of thing that is missing.")
    capability: str | None = Field(None, description="With not-supported: what the mailbox lacks.")
    errors: tuple[InvalidValue, ...] | None = Field(
        None, description="With invalid-request: the values that do not fit."
    )


SIGNED_IN = (
    "unauthenticated",
    "not-permitted",
    "not-found",
    "in-use",
    "too-large",
    "invalid-request",
    "too-many-requests",
    "internal-error",
    "not-supported",
    "upstream-error",
    "upstream-unavailable",
    "upstream-timeout",
)
"""What any request that reaches a mailbox may be answered."""
_HEADERS = {401: "WWW-Authenticate", 409: "Retry-After", 416: "Content-Range", 429: "Retry-After", 503: "Retry-After"}


def problem_responses(*names: str) -> dict[int | str, dict[str, Any]]:
    """What a route declares. One problem stands for all of its status."""
    return {BY_NAME[name].status: {"model": Problem} for name in names}


OF_NO_OPERATION = frozenset({400, 405, 408, 431})
"""Answered before the request is known to mean an operation of the contract."""


def response_components() -> dict[str, Any]:
    """The contract's answer for each status, with its problems."""
    statuses = sorted({kind.status for kind in BY_NAME.values()})
    return {
        f"Problem{status}": _component(status, [kind for kind in BY_NAME.values() if kind.status == status])
        for status in statuses
        if status not in OF_NO_OPERATION
    }


def _component(status: int, kinds: list[ProblemType]) -> dict[str, Any]:
    component: dict[str, Any] = {
        "description": " ".join(f"`{kind.name}`: {kind.title}. {kind.advice}" for kind in kinds),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {kind.name: {"summary": kind.title, "value": _example(kind)} for kind in kinds},
            }
        },
    }
    if (name := _HEADERS.get(status)) is not None:
        component["headers"] = response_headers(name)
    return component


def _example(kind: ProblemType) -> dict[str, Any]:
    more = _EXAMPLES.get(kind.name, {})
    return {
        "type": f"/problems/{kind.name}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.advice,
        "instance": "/v1/accounts/me/folders",
        "retryable": kind.retryable,
        "requestId": "c0ffee00c0ffee00",
        **more,
    }


_EXAMPLES: Mapping[str, dict[str, Any]] = {
    "not-found": {"detail": "There is no such folder.", "what": "folder"},
    "not-supported": {"detail": "This IMAP server offers no quota (QUOTA).", "capability": "quota"},
    "invalid-request": {
        "errors": [{"location": "query.limit", "message": "Input should be less than or equal to 200"}]
    },
    "upstream-unavailable": {"upstream": {"protocol": "imap", "code": "UNAVAILABLE"}},
}


def _problem(request: Request, kind: ProblemType, detail: str, **more: Any) -> Problem:
    return Problem(
        type=f"/problems/{kind.name}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=_shown(request.url.path),
        retryable=kind.retryable,
        request_id=request.scope.get("request_id", ""),
        **more,
    )


def answer(
    request: Request, kind: ProblemType, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """One problem as a response."""
    return _response(_problem(request, kind, detail, **more), headers)


def _response(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    body = problem.model_dump(mode="json", by_alias=True, exclude_none=True)
    return JSONResponse(body, problem.status, headers, media_type=MEDIA_TYPE)


def _shown(path: str) -> str:
    """Any path a client can send, as text that JSON can carry."""
    return path.encode(errors="replace").decode()[:1000]


def problem_type_of(error: errors.MailError) -> ProblemType:
    """The table's row: the error's own or its nearest base's."""
    return next((_ALL_TYPES[leaf] for leaf in type(error).__mro__ if leaf in _ALL_TYPES), _INTERNAL)


def describe(request: Request, error: errors.MailError) -> Problem:
    """The error as a problem, for an answer of its own or within one about many."""
    more: dict[str, Any] = {}
    match error:
        case errors.NotFound():
            more["what"] = error.what
        case errors.NotSupported():
            more["capability"] = error.capability
        case errors.InvalidQuery():
            more["errors"] = (InvalidValue(location="q", message=error.detail, column=error.column),)
        case errors.UpstreamFailure() if error.protocol:
            more["upstream"] = UpstreamCause(protocol=error.protocol, code=error.code)
    return _problem(request, problem_type_of(error), error.detail, **more)


async def _mail_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.MailError)
    return refused(request, error)


def refused(request: Request, error: errors.MailError) -> JSONResponse:
    """The error as a response, with the headers that belong to it."""
    headers: dict[str, str] = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.size}"
    problem = describe(request, error)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="casella", Basic realm="casella", charset="UTF-8"'
    return _response(problem, headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Says where and why, and never repeats what was sent: it may be a password."""
    assert isinstance(error, RequestValidationError)
    found = tuple(
        InvalidValue(location=".".join(_shown(str(step)) for step in one["loc"])[:200], message=str(one["msg"])[:200])
        for one in error.errors()[:20]
    )
    kind = PROBLEM_TYPES[errors.InvalidRequest]
    return answer(request, kind, "; ".join(f"{one.location}: {one.message}" for one in found)[:500], errors=found)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    """What the framework refuses by itself: unknown paths, wrong methods, bodies too large."""
    assert isinstance(error, HTTPException)
    kind = _BY_STATUS.get(error.status_code, PROBLEM_TYPES[errors.InvalidRequest])
    more = {"what": "address"} if kind.status == HTTPStatus.NOT_FOUND else {}
    headers = dict(error.headers or {})
    if kind is _METHOD and (methods := _allowed(request)):
        headers = {"Allow": ", ".join(methods)}
    return answer(request, kind, kind.advice, headers, **more)


def _allowed(request: Request) -> list[str]:
    """The methods of this address (RFC 9110, 10.2.1); the router names those of the first route it finds."""
    paths: Mapping[str, Mapping[str, Any]] = request.app.openapi()["paths"]
    matching = [path for path in paths if compile_path(path)[0].match(request.scope["path"])]
    closest = min(matching, key=lambda path: path.count("{"), default=None)
    return sorted(method.upper() for method in paths[closest]) if closest else []


def fault(request: Request, error: Exception) -> JSONResponse:
    """What nobody foresaw. The log says where; what the error says itself may repeat somebody's mail."""
    frames = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in extract_tb(error.__traceback__)[-8:]]
    _log.error("fault", request_id=request.scope.get("request_id"), kind=type(error).__name__, frames=frames)
    return answer(request, _INTERNAL, _INTERNAL.advice)


def foreign(request: Request, status: int) -> JSONResponse:
    """For what a library refuses in words of its own."""
    kind = _BY_STATUS.get(status, _INTERNAL)
    headers = {"Connection": "close"} if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else None
    return answer(request, kind, kind.advice, headers)


def install(app: FastAPI) -> None:
    """Every error of every route passes here."""
    app.add_exception_handler(errors.MailError, _mail_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)

    @app.get("/problems/{name}", include_in_schema=False)
    async def explain_problem(name: str) -> HTMLResponse:
        kind = BY_NAME.get(name)
        if kind is None:
            raise errors.NotFound("address")
        return HTMLResponse(_page(kind))


def _page(kind: ProblemType) -> str:
    again = "The same request may succeed later." if kind.retryable else "The same request will fail again."
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{kind.name}</title>"
        f"<h1>{kind.status} {kind.title}</h1><p>{kind.advice}</p><p>{again}</p>"
    )
