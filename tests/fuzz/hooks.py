"""What schemathesis has to know of this API."""

from secrets import token_hex
from typing import Any

import schemathesis

OF_HTTP_ITSELF = frozenset({400, 405, 408, 431})
"""Told before there is an operation that could declare them."""


LONG_KEY = 100


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: "schemathesis.Case[Any]", __: dict[str, Any]) -> None:
    """A key that was used before is answered as it was then, whatever became of the folder that was made."""
    if case.headers and len(key := str(case.headers.get("Idempotency-Key", ""))) in range(1, LONG_KEY):
        case.headers["Idempotency-Key"] = key + token_hex(8)


@schemathesis.serializer("message/rfc822")
def message(_: schemathesis.SerializationContext, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@schemathesis.check
def status_and_shape_are_declared(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: "schemathesis.Case[Any]"
) -> None:
    """A status that the operation's contract has, in a type that it has, an error in the one shape."""
    declared = case.operation.definition.raw["responses"]
    status = response.status_code
    assert str(status) in declared or status in OF_HTTP_ITSELF, f"{status} is not declared"
    if not response.content:
        return
    [said] = response.headers["content-type"]
    if status >= 400 and (case.path, status) != ("/readyz", 503):
        assert said == "application/problem+json"
        assert response.json()["status"] == status
        return
    types = declared[str(status)]["content"]
    any_type = "application/octet-stream" in types  # parts have the type their mail gives them
    assert any_type or said.partition(";")[0] in types, f"{said} is not declared"
