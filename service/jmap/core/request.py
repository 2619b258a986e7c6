"""The request object (RFC 8620, 3.3), read from the body of a POST."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from math import isinf
from typing import Any, NamedTuple

from pydantic_core import from_json

from service.jmap.core.errors import RequestError
from service.jmap.core.limits import MAX_CALLS


class Call(NamedTuple):
    """A method call: its name, its arguments, and the id that its response repeats."""

    name: str
    arguments: dict[str, Any]
    id: str


@dataclass(frozen=True, slots=True)
class Request:
    """A request. ``created`` are the ids of records that earlier requests created, None if the client gave none."""

    using: frozenset[str]
    calls: tuple[Call, ...]
    created: dict[str, str] | None = field(default=None)


def read_request(body: bytes, capabilities: Collection[str]) -> Request:
    """Raises RequestError: notJSON, notRequest, unknownCapability, limit."""
    try:
        value = from_json(body, allow_inf_nan=False)  # which refuses more than 200 levels
        json.loads(body, object_pairs_hook=_require_once, parse_float=_require_finite)
    except ValueError:
        detail = "The request is not JSON in UTF-8, nests too deep, or has a name twice or a number too large."
        raise RequestError("notJSON", detail) from None
    request = _request(value)
    if unknown := request.using - set(capabilities):
        raise RequestError("unknownCapability", f"The service does not know {min(unknown)[:200]}.")
    if len(request.calls) > MAX_CALLS:
        raise RequestError("limit", f"A request has at most {MAX_CALLS} calls.", limit="maxCallsInRequest")
    return request


def _require_once(members: list[tuple[str, Any]]) -> None:
    """I-JSON (RFC 7493, 2.3): which of two values is meant cannot be known."""
    if len(dict(members)) < len(members):
        raise ValueError


def _require_finite(number: str) -> None:
    """``1e400`` is not a number of I-JSON, and would be answered as ``Infinity``."""
    if isinf(float(number)):
        raise ValueError


def _request(value: Any) -> Request:
    match value:
        case {"using": list() as using, "methodCalls": list() as calls}:
            created = value.get("createdIds")
            if all(isinstance(each, str) for each in using) and _is_ids(created):
                return Request(frozenset(using), tuple(map(_call, calls)), created)
    raise RequestError("notRequest", "A request has using, a list of strings, and methodCalls, a list of calls.")


def _call(value: Any) -> Call:
    match value:
        case [str() as name, dict() as arguments, str() as call]:
            return Call(name, arguments, call)
    raise RequestError("notRequest", "A method call is a list of a name, an object and an id.")


def _is_ids(created: Any) -> bool:
    return created is None or (isinstance(created, dict) and all(isinstance(value, str) for value in created.values()))
