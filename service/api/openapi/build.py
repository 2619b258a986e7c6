"""The OpenAPI contract: FastAPI's, changed so that SDK generators can read all of it.

Its version is 3.1, but it uses only what 3.0 has too. Fields without a value are absent, never null. Response schemas
allow further fields, because later versions may add some. Fields that are always present in responses are required.
Every error is a Problem, declared once for each status.
"""

from collections.abc import Iterator
from threading import Lock
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.api.openapi.examples import EXAMPLES
from service.api.openapi.samples import samples
from service.api.openapi.titles import title_of
from service.api.problems import MEDIA_TYPE, Problem, response_components
from service.mail.model import PROTOCOLS

Node = dict[str, Any]
_BUILDING = Lock()
TAGS = [
    {
        "name": "sessions",
        "x-displayName": "Sessions",
        "description": "Sign-in, sign-out, and the available mail servers.",
    },
    {"name": "accounts", "x-displayName": "Accounts", "description": "The signed-in account and its capabilities."},
    {"name": "folders", "x-displayName": "Folders", "description": "Folders, their access rights, and quotas."},
    {
        "name": "messages",
        "x-displayName": "Messages",
        "description": "Lists, searches, messages and their parts, flags, moving and deleting.",
    },
    {
        "name": "drafts",
        "x-displayName": "Drafts",
        "description": "Writing: drafts, replies, forwards, and their attachments.",
    },
    {"name": "sending", "x-displayName": "Sending", "description": "Sending drafts and complete messages."},
    {
        "name": "settings",
        "x-displayName": "Settings",
        "description": "Settings that follow the user over all devices.",
    },
    {"name": "people", "x-displayName": "People", "description": "The people of the mailbox."},
    {"name": "imports", "x-displayName": "Imports", "description": "Mail of another mailbox into this one."},
    {
        "name": "fetches",
        "x-displayName": "Standing fetches",
        "description": "New mail of another mailbox into this one, every few minutes.",
    },
    {
        "name": "changes",
        "x-displayName": "Changes",
        "description": "Synchronization: changes since a token, by request or as events.",
    },
    {"name": "push", "x-displayName": "Push", "description": "Waking devices that sleep."},
    {"name": "health", "x-displayName": "Health", "description": "Health checks."},
]
_SERVERS = [{"url": "/", "description": "The host that served this document."}]
_SIGN_IN: list[dict[str, list[str]]] = [{"basic": []}, {"bearer": []}]
_SCHEMES = {
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "The mailbox's username and password. Nothing is stored. The headers `Casella-Server` and"
        f" `Casella-Protocol` ({PROTOCOLS}) select the mail server and the protocol. By default the username's domain"
        " selects the server.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token from POST /v1/sessions. If a"
        " response has the header `Casella-Token`, use its value as token from then on.",
    },
}
_SIGNED_IN = ("/v1/accounts/", "/v1/sessions/current")
_INT64_MAX = (1 << 63) - 1
_SCHEMA = "#/components/schemas/"
_PARTIAL = frozenset({"MessageSummary"})
"""Schemas from which the parameter ``fields`` removes fields."""


def build(app: FastAPI) -> dict[str, Any]:
    """The contract of ``app``. It is built on the first call, by one of the threads that call: it takes long."""
    with _BUILDING:
        if app.openapi_schema is None:
            app.openapi_schema = _built(app)
        return app.openapi_schema


def _built(app: FastAPI) -> dict[str, Any]:
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
    schemas = components["schemas"] = _plain(_problem_schemas()) | components["schemas"]
    for path, operations in paths.items():
        for method, operation in operations.items():
            _finish(path, operation, schemas)
            operation["x-codeSamples"] = samples(method, path, operation, schemas)
    problems = response_components()
    _open_answers(paths, problems, schemas)
    components |= {
        "schemas": {name: schemas[name] for name in sorted(_reachable([paths, problems], schemas))},
        "responses": problems,
        "securitySchemes": _SCHEMES,
    }
    return contract | {"paths": paths, "components": components}


def _problem_schemas() -> Node:
    """The schema of a Problem, which responses name, and those that it is made of."""
    schema = Problem.model_json_schema(mode="serialization", ref_template=f"{_SCHEMA}{{model}}")
    return {**schema.pop("$defs"), "Problem": schema}


def _finish(path: str, operation: Node, schemas: Node) -> None:
    operation["summary"] = title_of(operation["operationId"])
    operation["security"] = _SIGN_IN if path.startswith(_SIGNED_IN) else []
    operation["parameters"] = _parameters(path, operation.get("parameters", []))
    if not operation["parameters"]:
        del operation["parameters"]
    if "application/json" in operation.get("requestBody", {}).get("content", {}):  # for a form or another type
        operation["responses"].setdefault("415", {"$ref": "#/components/responses/Problem415"})
    operation["responses"] = {
        status: _response(status, operation["responses"][status], schemas) for status in sorted(operation["responses"])
    }
    _give_example(operation.get("requestBody", {}).get("content", {}))


def _parameters(path: str, parameters: list[Node]) -> list[Node]:
    """Path parameters first, in the order of the path: generated methods take them by position."""
    for parameter in parameters:
        schema = parameter["schema"]
        schema.pop("description", None)
        if examples := schema.pop("examples", None):
            parameter["example"] = examples[0]
    return sorted(parameters, key=lambda each: path.find(f"{{{each['name']}}}") if each["in"] == "path" else len(path))


def _response(status: str, response: Node, schemas: Node) -> Node:
    content = response.get("content", {})
    if MEDIA_TYPE in content:
        return {"$ref": f"#/components/responses/Problem{status}"}
    named = _name_of(content.get("application/json", {}))
    if response.get("description") == "Successful Response":
        response["description"] = schemas[named]["description"] if named else "Success, without content."
    _give_example(content)
    return response


def _give_example(content: Node) -> None:
    media = content.get("application/json", {})
    if (name := _name_of(media)) in EXAMPLES:
        media["example"] = EXAMPLES[name]


def _name_of(media: Node) -> str:
    return str(media.get("schema", {}).get("$ref", "")).removeprefix(_SCHEMA)


def _plain(node: Any) -> Any:
    """Replace ``anyOf [X, null]`` by X and drop defaults of null: a field without a value is absent. Drop titles, which
    only repeat names."""
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, dict):
        return node
    node = {key: _plain(value) for key, value in node.items() if not _is_noise(key, value)}
    for bound in ("minimum", "maximum"):
        if node.get("type") == "integer" and bound in node:
            node[bound] = min(int(node[bound]), _INT64_MAX)  # FastAPI makes them floats, and those round 2^63 - 1 up
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
    operations = [operation for methods in paths.values() for operation in methods.values()]
    in_requests = _reachable([each.get("requestBody") for each in operations], schemas)
    in_responses = _reachable([problems, *(each["responses"] for each in operations)], schemas)
    for name in in_responses:
        schemas[name].pop("additionalProperties", None)
        if name not in in_requests:
            _require(name, schemas[name])


def _require(name: str, schema: Node) -> None:
    """Mark fields with a default as required: responses always have them, except in schemas that ``fields`` reduces."""
    properties = schema.get("properties", {})
    always = {field for field, value in properties.items() if value.pop("default", None) is not None}
    if name in _PARTIAL:
        return
    if required := [field for field in properties if field in always or field in schema.get("required", ())]:
        schema["required"] = required


def _reachable(node: Any, schemas: Node) -> set[str]:
    """The names of all schemas that ``node`` refers to, directly or through other schemas."""
    names: set[str] = set()
    pending = [node]
    while pending:
        for name in _references(pending.pop()):
            if name in schemas and name not in names:
                names.add(name)
                pending.append(schemas[name])
    return names


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            yield reference.removeprefix(_SCHEMA)
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
