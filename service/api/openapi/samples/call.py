"""What a sample calls: an operation with example values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from service.api.openapi.examples import MARK, SETTINGS_ETAG, WORK

Node = dict[str, Any]
HOST = "https://casella.example.org"
_SCHEMA = "#/components/schemas/"
_TABLE = "date,amount\r\n2026-09-01,12.50\r\n"
_SHOWN: Mapping[str, Mapping[str, Any]] = {
    "listMessages": {"limit": 20},
    "appendMessage": {"folder": "drafts", "flags": ["$draft", "$seen"]},
    "changeFolder": {"folder": WORK},
    "deleteFolder": {"folder": WORK},
    "emptyFolder": {"folder": "trash"},
    "listGrants": {"folder": WORK},
    "setGrant": {"folder": WORK},
    "deleteGrant": {"folder": WORK},
    "listChanges": {"since": MARK},
    "listAccountChanges": {"since": MARK},
    "setSettings": {"If-Match": SETTINGS_ETAG},
    "attachFile": {"name": "expenses.csv"},
    "getPart": {"part": "2"},
    "detachFile": {"part": "2"},
}
"""Values in place of a parameter's own example, and of optional parameters that a sample shows."""
_KEY = "Idempotency-Key"
Answer = Literal["json", "octets", "events", "nothing"]


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter with its value."""

    name: str
    where: Literal["path", "query", "header"]
    value: Any
    is_required: bool


@dataclass(frozen=True, slots=True)
class Body:
    """``schema`` is the name of the value's schema; empty for a body of octets."""

    media: str
    schema: str
    value: Any


@dataclass(frozen=True, slots=True)
class Call:
    """``result`` is the name of the answer's schema, if the answer is JSON."""

    id: str
    tag: str
    method: str
    path: str
    arguments: tuple[Argument, ...]
    body: Body | None
    answer: Answer
    result: str
    is_signed_in: bool
    takes_key: bool
    schemas: Node


def call_of(method: str, path: str, operation: Node, schemas: Node) -> Call:
    """The call that the samples of ``operation`` show."""
    answer, result = _answer(operation["responses"])
    parameters = operation.get("parameters", [])
    return Call(
        id=operation["operationId"],
        tag=operation.get("tags", ["default"])[0],
        method=method.upper(),
        path=path,
        arguments=_arguments(parameters, _SHOWN.get(operation["operationId"], {})),
        body=_body(operation.get("requestBody", {}).get("content", {})),
        answer=answer,
        result=result,
        is_signed_in=bool(operation["security"]),
        takes_key=any(each["name"] == _KEY for each in parameters),
        schemas=schemas,
    )


def _arguments(parameters: list[Node], shown: Mapping[str, Any]) -> tuple[Argument, ...]:
    return tuple(
        Argument(
            each["name"],
            each["in"],
            shown.get(each["name"], each.get("example", each["name"])),
            bool(each.get("required")),
        )
        for each in parameters
        if each.get("required") or each["name"] in shown
    )


def _body(content: Node) -> Body | None:
    if not content:
        return None
    media, body = next(iter(content.items()))
    schema = name_of(body["schema"])
    return Body(media, schema, body.get("example", {} if schema else _TABLE))


def _answer(responses: Node) -> tuple[Answer, str]:
    content: Node = next((each.get("content", {}) for status, each in responses.items() if status < "300"), {})
    for media, each in content.items():
        if media == "text/event-stream":
            return "events", ""
        name = name_of(each.get("schema", {}))
        return ("json", name) if name else ("octets", "")
    return "nothing", ""


def name_of(schema: Node) -> str:
    """The name of a schema that is a reference, else an empty text."""
    return str(schema.get("$ref", "")).removeprefix(_SCHEMA)
