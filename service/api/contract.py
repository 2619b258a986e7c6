"""The OpenAPI contract: FastAPI's, shaped so that SDK generators read it whole.

Absent fields are absent, never null; every error is ``application/problem+json``; operationIds are verbNoun.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel

from service.api.problems import MEDIA_TYPE

_SIGN_IN: list[dict[str, list[str]]] = [{"basic": []}, {"bearer": []}]
_SCHEMES = {
    "basic": {"type": "http", "scheme": "basic", "description": "The mailbox's login and password. Nothing is stored."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token from POST /v1/sessions."},
}
_SIGNED_IN = ("/v1/accounts/", "/v1/sessions/current")
_FIRST_ERROR = 400


def operation_id(route: APIRoute) -> str:
    """``list_messages`` is listMessages for clients; grep finds both ends by the function's name."""
    return to_camel(route.name)


def build(app: FastAPI) -> dict[str, Any]:
    """The contract of ``app``, made once."""
    if app.openapi_schema is None:
        contract = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
            license_info=app.license_info,
            separate_input_output_schemas=False,
        )
        contract["components"]["securitySchemes"] = _SCHEMES
        for name in ("HTTPValidationError", "ValidationError"):
            contract["components"]["schemas"].pop(name, None)
        for path, operations in contract["paths"].items():
            for operation in operations.values():
                _finish(path, operation)
        app.openapi_schema = _without_null(contract)
    return app.openapi_schema


_TOO_LARGE = {
    "description": "Content Too Large",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def _finish(path: str, operation: dict[str, Any]) -> None:
    if "requestBody" in operation:
        operation["responses"].setdefault("413", _TOO_LARGE)
    if path.startswith(_SIGNED_IN):
        operation["security"] = _SIGN_IN
    for status, response in operation["responses"].items():
        content = response.get("content", {})
        if status.isdigit() and int(status) >= _FIRST_ERROR and "application/json" in content:
            schema = content.pop("application/json")["schema"]
            if "Health" not in str(schema):
                schema = {"$ref": "#/components/schemas/Problem"}
                content[MEDIA_TYPE] = {"schema": schema}
            else:
                content["application/json"] = {"schema": schema}


def _without_null(node: Any) -> Any:
    """``anyOf [X, null]`` is X, and a default of null is none: a field without a value is absent."""
    if isinstance(node, list):
        return [_without_null(one) for one in node]
    if not isinstance(node, dict):
        return node
    node = {key: _without_null(value) for key, value in node.items() if not (key == "default" and value is None)}
    choices = node.get("anyOf")
    if isinstance(choices, list):
        left = [choice for choice in choices if choice != {"type": "null"}]
        if len(left) == 1:
            del node["anyOf"]
            return {**left[0], **node}
    return node
