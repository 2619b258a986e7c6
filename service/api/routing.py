"""Routers, and the reading of JSON bodies and query parameters: bounded, because pydantic makes an error of each value
that is wrong, and half a million of them would hold the event loop for seconds."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel

from service.api.wording import NAME_TWICE
from service.mail.errors import InvalidRequest

M = TypeVar("M", bound=BaseModel)
MAX_OBJECTS = 25_000
"""As many as settings of 64 KiB can have. They may also have one object with this many members:"""
MAX_MEMBERS = 5_000
MAX_PARAMETERS = 100


def operation_id(route: APIRoute) -> str:
    """The operationId: ``list_messages`` becomes listMessages. It is made from the function's name, so grep finds
    both."""
    return to_camel(route.name)


class _JsonRequest(Request):
    """A request whose body is read by ``read_json``."""

    async def json(self) -> Any:
        return read_json(await self.body())


class _Route(APIRoute):
    """A route whose body, if it has one, is bounded in its members too, not only in octets."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def read(request: Request) -> Response:
            return await handle(_JsonRequest(request.scope, request.receive))

        return read


api_router = partial(APIRouter, generate_unique_id_function=operation_id, route_class=_Route)
"""A router whose routes can be given to the application as they are: including it would search them twice for each
request."""


def read_json(body: bytes) -> Any:
    """The body. Raises ValueError if it is not JSON, and HTTPException: 413 if it has more objects or members than any
    request needs, 400 if an object has two members of one name, as readers differ in which counts (RFC 8259, 4)."""
    objects = 0

    def bound(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal objects
        objects += 1
        if objects > MAX_OBJECTS or len(pairs) > MAX_MEMBERS:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        members = dict(pairs)
        if len(members) < len(pairs):
            raise HTTPException(HTTPStatus.BAD_REQUEST, NAME_TWICE)
        return members

    return json.loads(body, object_pairs_hook=bound)


def invalid(where: str, error: ValidationError) -> RequestValidationError:
    """The error of a request whose ``query`` or ``body`` was validated here."""
    return RequestValidationError([{**each, "loc": (where, *each["loc"])} for each in error.errors()])


def query_of(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """A dependency: the query string as this model, validated once. FastAPI's own way inspects the annotations of each
    field for each request, which takes longer than to read a page of known rows. Declare ``query_parameters`` too.

    Raises InvalidRequest for a parameter that is sent twice: one of two conditions would be ignored."""

    async def read(request: Request) -> M:  # a plain function would be called in a thread
        values = dict(request.query_params)
        _require_each_once(request, values)
        try:
            return model.model_validate(values)
        except ValidationError as error:
            raise invalid("query", error) from None

    return read


def _require_each_once(request: Request, values: Mapping[str, str]) -> None:
    pairs = request.query_params.multi_items()
    if len(pairs) > MAX_PARAMETERS:
        raise InvalidRequest(f"Send at most {MAX_PARAMETERS} parameters.", location="query")
    if len(pairs) > len(values):
        often = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise InvalidRequest("Send this once.", location=f"query.{often[:200]}")


def query_parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    """For a route's ``openapi_extra``: the parameters that ``query_of`` reads. No field is required."""
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": schema["description"],
            "schema": {key: value for key, value in schema.items() if key != "description"},
        }
        for name, schema in model.model_json_schema()["properties"].items()
    ]
