"""The OpenAPI contract: FastAPI's, shaped so that SDK generators read it whole.

Served as 3.1, and of 3.1 only what 3.0 can say too. Absent fields are absent, never null; answers may grow, so none is
closed; what is always answered is required; every error is a Problem, told once a status.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel

from service.api.openapi.examples import EXAMPLES
from service.api.problems import response_components
from service.mail.model import PROTOCOLS

Node = dict[str, Any]
TAGS = [
    {"name": "sessions", "description": "Signing in and out, and where one may."},
    {"name": "accounts", "description": "The signed-in mailbox and what it can do."},
    {"name": "folders", "description": "Folders, who may do what with them, and how much room there is."},
    {
        "name": "messages",
        "description": "Lists and searches, single messages and their parts, flags, moves and deletion.",
    },
    {"name": "changes", "description": "Staying in step: what changed since a token, asked for or pushed."},
    {"name": "health", "description": "For the platform."},
]
_SERVERS = [{"url": "/", "description": "Where this contract was read from."}]
_SIGN_IN: list[dict[str, list[str]]] = [{"basic": []}, {"bearer": []}]
_SCHEMES = {
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "The mailbox's login and password. Nothing is stored. The headers `Casella-Server` and"
        f" `Casella-Protocol` ({PROTOCOLS}) name the server and protocol where the username's domain does not do.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token from POST /v1/sessions."},
}
_SIGNED_IN = ("/v1/accounts/", "/v1/sessions/current")
_FIRST_ERROR = 400
_SCHEMA = "#/components/schemas/"
_PARTIAL = frozenset({"MessageSummary"})
"""Answers that ``fields`` makes smaller."""


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
            description=app.description.strip(),
            routes=app.routes,
            tags=TAGS,
            servers=_SERVERS,
            license_info=app.license_info,
            separate_input_output_schemas=False,
        )
        paths, components = _plain(contract["paths"]), _plain(contract["components"])
        schemas = components["schemas"]
        for path, operations in paths.items():
            for operation in operations.values():
                _finish(path, operation, schemas)
        problems = response_components()
        _open_answers(paths, problems, schemas)
        components |= {
            "schemas": {name: schemas[name] for name in sorted(_reachable([paths, problems], schemas))},
            "responses": problems,
            "securitySchemes": _SCHEMES,
        }
        app.openapi_schema = contract | {"paths": paths, "components": components}
    return app.openapi_schema


def _finish(path: str, operation: Node, schemas: Node) -> None:
    operation["security"] = _SIGN_IN if path.startswith(_SIGNED_IN) else []
    operation["parameters"] = _parameters(path, operation.get("parameters", []))
    if not operation["parameters"]:
        del operation["parameters"]
    operation["responses"] = {
        status: _response(status, operation["responses"][status], schemas) for status in sorted(operation["responses"])
    }
    _give_example(operation.get("requestBody", {}).get("content", {}))


def _parameters(path: str, parameters: list[Node]) -> list[Node]:
    """Those of the path first and in its order: generated methods take them by position."""
    for parameter in parameters:
        schema = parameter["schema"]
        schema.pop("description", None)
        if examples := schema.pop("examples", None):
            parameter["example"] = examples[0]
    return sorted(parameters, key=lambda one: path.find(f"{{{one['name']}}}") if one["in"] == "path" else len(path))


def _response(status: str, response: Node, schemas: Node) -> Node:
    content = response.get("content", {})
    named = _name_of(content.get("application/json", {}))
    if int(status) >= _FIRST_ERROR and named == "Problem":
        return {"$ref": f"#/components/responses/Problem{status}"}
    if response.get("description") == "Successful Response":
        response["description"] = schemas[named]["description"] if named else "Done."
    _give_example(content)
    return response


def _give_example(content: Node) -> None:
    media = content.get("application/json", {})
    if (name := _name_of(media)) in EXAMPLES:
        media["example"] = EXAMPLES[name]


def _name_of(media: Node) -> str:
    return str(media.get("schema", {}).get("$ref", "")).removeprefix(_SCHEMA)


def _plain(node: Any) -> Any:
    """``anyOf [X, null]`` is X, and a default of null is none: a field without a value is absent. Titles only repeat
    the names."""
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if not isinstance(node, dict):
        return node
    node = {key: _plain(value) for key, value in node.items() if not _is_noise(key, value)}
    choices = node.get("anyOf")
    if isinstance(choices, list):
        left = [choice for choice in choices if choice != {"type": "null"}]
        if len(left) == 1:
            del node["anyOf"]
            return {**left[0], **node}
    return node


def _is_noise(key: str, value: Any) -> bool:
    return (key == "default" and value is None) or (key == "title" and isinstance(value, str))


def _open_answers(paths: Node, problems: Node, schemas: Node) -> None:
    operations = [one for methods in paths.values() for one in methods.values()]
    asked = _reachable([one.get("requestBody") for one in operations], schemas)
    answered = _reachable([problems, *(one["responses"] for one in operations)], schemas)
    for name in answered:
        schemas[name].pop("additionalProperties", None)
        if name not in asked:
            _require(name, schemas[name])


def _require(name: str, schema: Node) -> None:
    """A field with a default is always answered, but for rows that are made smaller."""
    properties = schema.get("properties", {})
    always = {field for field, value in properties.items() if value.pop("default", None) is not None}
    if name in _PARTIAL:
        return
    if required := [field for field in properties if field in always or field in schema.get("required", ())]:
        schema["required"] = required


def _reachable(node: Any, schemas: Node) -> set[str]:
    """Names of schemas that it refers to, and those that these refer to."""
    found: set[str] = set()
    pending = [node]
    while pending:
        for name in _references(pending.pop()):
            if name in schemas and name not in found:
                found.add(name)
                pending.append(schemas[name])
    return found


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            yield reference.removeprefix(_SCHEMA)
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
