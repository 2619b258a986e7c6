"""The contract as the generator needs it: ``python -m openapi.sdks.prepare > build/sdks/contract.json``.

What every SDK has by hand is taken out: conditional requests (``ifChanged``) and the stream (``events``). Extensions
add what a template cannot find out by itself.
"""

import json
import sys
from pathlib import Path
from typing import Any

CONTRACT = Path(__file__).parents[1] / "openapi.json"
_EVENTS = "text/event-stream"
_BY_HAND = {"If-None-Match", "Last-Event-ID"}
Json = dict[str, Any]


def prepared(contract: Json) -> Json:
    """The same operations and models, with ``x-options``, ``x-keyed`` and one body for each operation."""
    paths: dict[str, Json] = {}
    for path, methods in contract["paths"].items():
        for method, operation in methods.items():
            if not _is_stream(operation):
                for suffix, one in _one_body_each(_without_events(operation)):
                    paths.setdefault(path + suffix, {})[method] = _extended(one)
    return dict(_plain(contract | {"paths": paths}))


def _plain(node: Any) -> Any:
    """Numbers are seconds, so no BigDecimal; descriptions are one line, so that they fit into comments."""
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if not isinstance(node, dict):
        return node
    plain = {name: _plain(value) for name, value in node.items()}
    if plain.get("type") == "number":
        plain["format"] = "double"
    if isinstance(plain.get("description"), str):
        plain["description"] = " ".join(plain["description"].split())
    return plain


def _is_stream(operation: Json) -> bool:
    return any(response.get("content", {}).keys() == {_EVENTS} for response in operation["responses"].values())


def _without_events(operation: Json) -> Json:
    """An answer that may also come as events: the clients take the other form."""
    responses = {
        status: response | {"content": {kind: body for kind, body in response["content"].items() if kind != _EVENTS}}
        if "content" in response
        else response
        for status, response in operation["responses"].items()
    }
    return operation | {"responses": responses}


def _one_body_each(operation: Json) -> list[tuple[str, Json]]:
    """A second type of body becomes an operation of its own. Its path differs by a fragment, which no client sends."""
    body = operation.get("requestBody", {})
    if len(body.get("content", {})) < 2:
        return [("", operation)]
    source, kind = body["content"]["message/rfc822"], "message/rfc822"
    others = {name: value for name, value in body["content"].items() if name != kind}
    envelope = {"from", "to"}  # NewDraft has its own
    return [
        (
            "",
            operation
            | {
                "requestBody": body | {"content": others},
                "parameters": [one for one in operation["parameters"] if one["name"] not in envelope],
            },
        ),
        ("#source", operation | {"operationId": "submitSource", "requestBody": body | {"content": {kind: source}}}),
    ]


def _extended(operation: Json) -> Json:
    parameters = [one for one in operation.get("parameters", []) if one["name"] not in _BY_HAND]
    optional = [one for one in parameters if not one.get("required")]
    name = operation["operationId"]
    more: Json = {"parameters": parameters}
    if optional:
        more["x-options"] = name[0].upper() + name[1:] + "Options"
    [kind] = operation.get("requestBody", {}).get("content", {"": None})
    more |= {"x-json": True} if kind == "application/json" else {"x-octets": kind} if kind else {}
    if any(one["name"] == "Idempotency-Key" for one in parameters):
        more["x-keyed"] = True
    return operation | more


if __name__ == "__main__":
    json.dump(prepared(json.loads(CONTRACT.read_text())), sys.stdout, ensure_ascii=False, indent=1)
