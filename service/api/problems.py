"""The table of problem types: RFC 9457 problem+json for every error of the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.routing import Route, compile_path

from service.api.openapi.problem_examples import PROBLEM_EXAMPLES
from service.api.parameters import response_headers
from service.api.wording import NAME_TWICE, explain
from service.mail import errors
from service.mail.model import PROTOCOLS, Number, Value
from service.mail.submission.model import Rejected
from service.telemetry.logs import frames_of

MEDIA_TYPE = "application/problem+json"
_log = structlog.get_logger("service.api")


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A problem type. ``retryable``: the same request may succeed later. ``advice`` says what to do; the page at
    ``/problems/<name>`` shows it beside the cause and an example."""

    name: str
    status: int
    title: str
    advice: str
    retryable: bool = False


PROBLEM_TYPES: Mapping[type[errors.MailError], ProblemType] = {
    errors.Unauthenticated: ProblemType("unauthenticated", 401, "Authentication required", "Send Authorization: Basic with the mailbox's login and password, or Authorization: Bearer with a token from POST /v1/sessions."),
    errors.LoginRefused: ProblemType("login-refused", 401, "The mail server rejected the login", "Check the username and password, or get a new access token. The service never repeats a failed login, because that could lock the account."),
    errors.ConsentRequired: ProblemType("consent-required", 401, "Consent required", "The provider no longer accepts what the user granted. Send the user to the provider again, then POST /v1/sessions with the result. If another response has brought a newer Casella-Token meanwhile, repeat the request with that."),
    errors.AuthorizationPending: ProblemType("authorization-pending", 428, "Waiting for the user", "The user has not agreed at the provider yet. Send the same request again after the time in Retry-After.", retryable=True),
    errors.NotPermitted: ProblemType("not-permitted", 403, "Permission denied", "The mail server does not allow this user to do this. The user needs another right on the folder."),
    errors.NotFound: ProblemType("not-found", 404, "Not found", "`what` says what does not exist: folder, message, part, subscription, server, provider, account or route (the URL itself). An id is valid for one account, and only as long as the thing it names exists."),
    errors.AlreadyExists: ProblemType("already-exists", 409, "Already exists", "Choose another name. To delete a folder that has subfolders, delete the subfolders first."),
    errors.AlreadyDone: ProblemType("already-done", 409, "Already done", "The first request with this Idempotency-Key was carried out, but its response is no longer stored. Read the mailbox to see the result."),
    errors.InUse: ProblemType("in-use", 409, "Mailbox in use", "Another client has locked the mailbox. Try again after the time in Retry-After.", retryable=True),
    errors.StaleId: ProblemType("stale-id", 410, "The id has expired", "The mail server renumbered the folder (its UIDVALIDITY changed), so earlier ids are no longer valid. List the folder again."),
    errors.StaleToken: ProblemType("stale-token", 410, "The cursor or token has expired", "The service cannot continue from it. Start again from the first page, or list the folder again and get a new token."),
    errors.Changed: ProblemType("changed", 412, "Precondition failed", "The message has changed since its ETag was read. Read it again, then decide whether to repeat the request."),
    errors.TooLarge: ProblemType("too-large", 413, "Too large", "Send less data, or request fewer items at once."),
    errors.RangeNotSatisfiable: ProblemType("range-not-satisfiable", 416, "Range not satisfiable", "Content-Range has the size in octets. Request a range within it."),
    errors.InvalidRequest: ProblemType("invalid-request", 422, "Invalid request", "`errors` says which values are invalid, and what to send."),
    errors.RecipientsRefused: ProblemType("recipients-refused", 422, "Recipients refused", "`recipients` names those that the mail server refuses, and why. Nothing was sent: correct them, or send with `partial=true` to the others."),
    errors.MessageRefused: ProblemType("message-refused", 422, "Message refused", "The mail server refuses the sender or the content for good; `upstream.code` has its reply. Nothing was sent, and the draft is unchanged."),
    errors.TooManyRequests: ProblemType("too-many-requests", 429, "Too many requests", "Try again after the time in Retry-After.", retryable=True),
    errors.NotSupported: ProblemType("not-supported", 501, "Not supported by this mailbox", "`capability` names the missing capability. GET /v1/accounts/me lists those that the mailbox has."),
    errors.UpstreamError: ProblemType("upstream-error", 502, "The mail server rejected the request", "`upstream.code` has the mail server's response code, if it sent one."),
    errors.UpstreamProtocol: ProblemType("upstream-protocol", 502, "Invalid response from the mail server", "The response was malformed or exceeded a limit, and the connection was closed. Report it to the operator of the mail server."),
    errors.UpstreamTls: ProblemType("upstream-tls", 502, "TLS connection to the mail server failed", "The mail server's certificate, host name or TLS version is not accepted. Only the operator of this service can change which certificates are trusted."),
    errors.UpstreamUnavailable: ProblemType("upstream-unavailable", 503, "Mail server unavailable", "The mail server cannot be reached or is shutting down. Try again after the time in Retry-After.", retryable=True),
    errors.ServerBusy: ProblemType("busy", 503, "Busy", "Too many requests are running, for this mailbox or in total. Try again after the time in Retry-After.", retryable=True),
    errors.StoreUnavailable: ProblemType("store-unavailable", 503, "Shared store unavailable", "The list of ended sessions that the replicas share cannot be read or written. Requests that only read still work. Try again after the time in Retry-After.", retryable=True),
    errors.UpstreamTimeout: ProblemType("upstream-timeout", 504, "Mail server timeout", "The mail server did not respond in time. Try again; if it was a search, narrow it.", retryable=True),
    errors.OverQuota: ProblemType("over-quota", 507, "Mailbox full", "Delete messages to free space, then try again."),
}  # fmt: skip
_UNSUPPORTED_MEDIA = ProblemType("unsupported-media-type", 415, "Unsupported media type", "Send JSON with Content-Type: application/json, or a message with Content-Type: message/rfc822.")  # fmt: skip
MALFORMED = ProblemType("malformed-request", 400, "Malformed HTTP request", "A request has one Host field, at most one Content-Length, a target that begins with a slash, and CRLF at the end of each line (RFC 9112). The connection was closed.")  # fmt: skip
TIMEOUT = ProblemType("request-timeout", 408, "Request timeout", "The request did not arrive completely in time. Send it without pauses. The connection was closed.", retryable=True)  # fmt: skip
HEAD_TOO_LARGE = ProblemType("head-too-large", 431, "Request header too large", "Send a shorter target, and fewer or shorter header fields, trailers and chunk extensions. The connection was closed.")  # fmt: skip
_METHOD_NOT_ALLOWED = ProblemType(
    "method-not-allowed", 405, "Method not allowed", "The Allow header lists the methods that this address supports."
)
_INTERNAL_ERROR = ProblemType(
    "internal-error", 500, "Internal error", "Report the `requestId` to the operator of this service."
)
_ALL_TYPES: Mapping[type[errors.MailError], ProblemType] = {
    **PROBLEM_TYPES,
    errors.UnsupportedMedia: _UNSUPPORTED_MEDIA,
}
BUSY = PROBLEM_TYPES[errors.ServerBusy]
_OF_HTTP = (MALFORMED, TIMEOUT, HEAD_TOO_LARGE, _METHOD_NOT_ALLOWED, _UNSUPPORTED_MEDIA, _INTERNAL_ERROR)
_BY_STATUS = {each.status: each for each in (*PROBLEM_TYPES.values(), *_OF_HTTP)} | {
    404: PROBLEM_TYPES[errors.NotFound],
    401: PROBLEM_TYPES[errors.Unauthenticated],
    400: PROBLEM_TYPES[errors.InvalidRequest],
    502: PROBLEM_TYPES[errors.UpstreamError],
    503: BUSY,
}
BY_NAME = {each.name: each for each in (*PROBLEM_TYPES.values(), *_OF_HTTP)}


class UpstreamCause(Value):
    """The response of the mail server that caused the problem."""

    protocol: str = Field(description=f"{PROTOCOLS}. Later versions may add others.")
    code: str | None = Field(None, description="The server's response code (RFC 5530, RFC 2449).")


class InvalidValue(Value):
    """An invalid value of the request. The value itself is not repeated."""

    location: str = Field(description="The name of the value, such as `query.limit` or `body.username`.")
    message: str = Field(description="Why the value is invalid.")
    column: Number | None = Field(None, description="The position in a search text or in JSON, counted from 1.")


class Problem(Value):
    """An error (RFC 9457): `type` and `retryable` are for programs, `title` and `detail` for people."""

    type: str = Field(description="`/problems/<name>`. The page at this address explains the problem type.")
    title: str = Field(description="The name of the problem type, in words.")
    status: Number = Field(description="The HTTP status code.")
    detail: str = Field(description="What went wrong with this request.")
    instance: str = Field(description="The path of the request.")
    retryable: bool = Field(description="Whether the same request may succeed later.")
    request_id: str = Field(description="The value of X-Request-Id. The operator can find it in the log.")
    upstream: UpstreamCause | None = Field(None, description="Present if the mail server caused the problem.")
    what: str | None = Field(
        None,
        description="With `not-found`: what does not exist, such as `folder` or `message`; `route` if it is the URL.",
    )
    capability: str | None = Field(
        None, description="With `not-supported`: the capability that the mailbox does not have."
    )
    errors: tuple[InvalidValue, ...] | None = Field(
        None, description="With every 422: the invalid values, and what to send."
    )
    recipients: tuple[Rejected, ...] | None = Field(
        None, description="With `recipients-refused`: the recipients that the mail server refuses."
    )
    token: str | None = Field(
        None, description="With `over-quota` of an import: the token to go on with, once there is room."
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
"""The problems that any request to a mailbox can get."""
_HEADERS = {
    401: "WWW-Authenticate",
    409: "Retry-After",
    416: "Content-Range",
    428: "Retry-After",
    429: "Retry-After",
    503: "Retry-After",
}


SCHEMA = {"$ref": "#/components/schemas/Problem"}
_CONTENT = {MEDIA_TYPE: {"schema": SCHEMA}}


def problem_responses(*names: str) -> dict[int | str, dict[str, Any]]:
    """The error responses of a route, for its ``responses``. One problem stands for all problems of the same status.

    They name the schema instead of the model: FastAPI would build a validator of the model for each of a thousand of
    them, and use none.
    """
    return {BY_NAME[name].status: {"description": "A problem.", "content": _CONTENT} for name in names}


OF_NO_OPERATION = frozenset({400, 405, 408, 431})
"""Statuses sent before the service knows which operation a request is for. No operation declares them."""


def response_components() -> dict[str, Any]:
    """The contract's error responses, one for each status, with the problems of that status."""
    statuses = sorted({each.status for each in BY_NAME.values()})
    return {
        f"Problem{status}": _component(status, [each for each in BY_NAME.values() if each.status == status])
        for status in statuses
        if status not in OF_NO_OPERATION
    }


def _component(status: int, types: list[ProblemType]) -> dict[str, Any]:
    component: dict[str, Any] = {
        "description": " ".join(f"`{each.name}`: {each.title}. {each.advice}" for each in types),
        "content": {
            MEDIA_TYPE: {
                "schema": SCHEMA,
                "examples": {each.name: {"summary": each.title, "value": example_of(each)} for each in types},
            }
        },
    }
    if (name := _HEADERS.get(status)) is not None:
        component["headers"] = response_headers(name)
    return component


def example_of(problem_type: ProblemType) -> dict[str, Any]:
    """A problem of this type, as JSON."""
    more = PROBLEM_EXAMPLES.get(problem_type.name, {})
    return {
        "type": f"/problems/{problem_type.name}",
        "title": problem_type.title,
        "status": problem_type.status,
        "detail": problem_type.advice,
        "instance": "/v1/accounts/me/folders",
        "retryable": problem_type.retryable,
        "requestId": "c0ffee00c0ffee00",
        **more,
    }


_NO_ROUTE = "There is nothing at this URL. GET /openapi.json has all paths, and /docs shows them."
_WHOLE = "request"
"""The location of an error that is not about one value, or whose value is not known."""


def _problem(request: Request, problem_type: ProblemType, detail: str, **more: Any) -> Problem:
    detail = _shown(detail)  # it may repeat a name that the client sent
    if problem_type.status == HTTPStatus.UNPROCESSABLE_ENTITY and "errors" not in more:
        more["errors"] = (InvalidValue(location=_WHOLE, message=detail),)
    return Problem(
        type=f"/problems/{problem_type.name}",
        title=problem_type.title,
        status=problem_type.status,
        detail=detail,
        instance=_shown(request.url.path),
        retryable=problem_type.retryable,
        request_id=request.scope.get("request_id", ""),
        **more,
    )


def problem_response(
    request: Request, problem_type: ProblemType, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """A problem as a response."""
    return _response(_problem(request, problem_type, detail, **more), headers)


def _response(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    body = problem.model_dump(mode="json", by_alias=True, exclude_none=True)
    return JSONResponse(body, problem.status, headers, media_type=MEDIA_TYPE)


def _shown(text: str) -> str:
    """Any text that a client can send, as one that JSON can carry, at most 1,000 characters."""
    return text.encode(errors="replace").decode()[:1000]


def problem_type_of(error: errors.MailError) -> ProblemType:
    """The problem type of the error's class, or of the nearest base class that has one."""
    return _type_of(type(error))


def _type_of(error: type) -> ProblemType:
    return next((_ALL_TYPES[leaf] for leaf in error.__mro__ if leaf in _ALL_TYPES), _INTERNAL_ERROR)


def problem_type_named(name: str) -> ProblemType:
    """The problem type of an error whose class has this name, as stored by this release or another one."""
    leaf = getattr(errors, name, None)
    return _type_of(leaf) if isinstance(leaf, type) else _INTERNAL_ERROR


def problem_of(request: Request, error: errors.MailError) -> Problem:
    """The error as a problem, for a response or for one result of a bulk response."""
    more: dict[str, Any] = {}
    match error:
        case errors.NotFound():
            more["what"] = error.what
        case errors.OverQuota(token=str(token)):
            more["token"] = token
        case errors.RecipientsRefused():
            more["recipients"] = tuple(map(Rejected.of, error.recipients))
        case errors.NotSupported():
            more["capability"] = error.capability
        case errors.InvalidRequest(location=str(location)):
            more["errors"] = (InvalidValue(location=location, message=_shown(error.detail)),)
        case errors.InvalidQuery():
            more["errors"] = (InvalidValue(location="q", message=_shown(error.detail), column=error.column),)
        case errors.UpstreamFailure() if error.protocol:
            more["upstream"] = UpstreamCause(protocol=error.protocol, code=error.code)
    return _problem(request, problem_type_of(error), error.detail, **more)


def is_retryable(error: errors.MailError) -> bool:
    """Whether the same may succeed later."""
    return problem_type_of(error).retryable


async def _mail_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.MailError)
    return error_response(request, error)


def error_response(request: Request, error: errors.MailError) -> JSONResponse:
    """The error as a response, with the headers of its status."""
    headers: dict[str, str] = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.size}"
    problem = problem_of(request, error)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="casella", Basic realm="casella", charset="UTF-8"'
    return _response(problem, headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Names each invalid value and what to send, but never repeats the value: it may be a password."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()[:20]
    if not _is_json(request) and any(each["loc"] == ("body",) and each["type"] != "missing" for each in found):
        return error_response(request, errors.UnsupportedMedia("Send JSON with Content-Type: application/json."))
    invalid = tuple(map(_invalid_value, found))
    detail = "; ".join(f"{value.location}: {value.message}" for value in invalid)[:500]
    return problem_response(request, PROBLEM_TYPES[errors.InvalidRequest], detail, errors=invalid)


def _is_json(request: Request) -> bool:
    """Whether the body says that it is JSON. FastAPI parses no other."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))


def _invalid_value(error: Mapping[str, Any]) -> InvalidValue:
    kind, location, context = error["type"], tuple(error["loc"]), error.get("ctx", {})
    column = None
    if kind == "json_invalid" and isinstance(location[-1], int):  # FastAPI puts the position there
        location, column = location[:-1], location[-1] + 1
    words = explain(kind, location, context)
    return InvalidValue(
        location=".".join(_shown(str(step)) for step in location)[:200], message=words[:200], column=column
    )


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    """Errors that the framework raises: unknown paths, wrong methods, bodies that are too large."""
    assert isinstance(error, HTTPException)
    problem_type = _BY_STATUS.get(error.status_code, PROBLEM_TYPES[errors.InvalidRequest])
    more = {"what": "route"} if problem_type.status == HTTPStatus.NOT_FOUND else {}
    if error.status_code == HTTPStatus.BAD_REQUEST:
        why = NAME_TWICE if error.detail == NAME_TWICE else "This is not valid JSON."
        return error_response(request, errors.InvalidRequest(why, location="body"))
    headers = dict(error.headers or {})
    if problem_type is _METHOD_NOT_ALLOWED:
        contract = request.app.openapi_schema or await run_in_threadpool(request.app.openapi)
        if methods := _allowed(request, contract):
            headers = {"Allow": ", ".join(methods)}
    detail = _NO_ROUTE if more else problem_type.advice
    return problem_response(request, problem_type, detail, headers, **more)


def _allowed(request: Request, contract: Mapping[str, Any]) -> list[str]:
    """The methods of this path, for Allow (RFC 9110, 10.2.1). Starlette names those of the first route that matches."""
    paths: Mapping[str, Mapping[str, Any]] = contract["paths"]
    matching = [path for path in paths if compile_path(path)[0].match(request.scope["path"])]
    closest = min(matching, key=lambda path: path.count("{"), default=None)
    if closest is None:
        return []
    unlisted = [
        route.methods or () for route in request.app.routes if isinstance(route, Route) and route.path == closest
    ]
    return sorted({method.upper() for method in paths[closest]}.union(*unlisted))


def internal_error(request: Request, error: Exception) -> JSONResponse:
    """An unexpected exception as a response."""
    return _response(fault_of(request, error))


def fault_of(request: Request, error: Exception) -> Problem:
    """An unexpected exception as a problem. The log has its type and stack, not its message: that may contain mail."""
    request_id, frames = request.scope.get("request_id"), frames_of(error)
    _log.error("fault", request_id=request_id, kind=type(error).__name__, frames=frames)
    return _problem(request, _INTERNAL_ERROR, _INTERNAL_ERROR.advice)


def foreign_error(request: Request, status: int) -> JSONResponse:
    """The problem that replaces an error response of a library, which is not problem+json."""
    problem_type = _BY_STATUS.get(status, _INTERNAL_ERROR)
    headers = {"Connection": "close"} if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else None
    return problem_response(request, problem_type, problem_type.advice, headers)


def install(app: FastAPI) -> None:
    """Register the handlers that turn every error into a problem."""
    app.add_exception_handler(errors.MailError, _mail_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
