"""What the SDKs of all languages have in common: the client's functions, and the order of their arguments."""

from collections.abc import Callable
from dataclasses import dataclass

from service.api.openapi.samples.call import Call
from service.api.openapi.samples.names import camel
from service.api.openapi.samples.style import Expression, Style

_HELPERS = {"createSession": "signIn", "deleteSession": "signOut", "watchAccount": "events"}
"""Operations that the client itself has a function for: it keeps the token, and reconnects."""


@dataclass(frozen=True, slots=True)
class Given:
    """An argument of a method. ``name`` is as in the contract; the body's is the name of its schema, or ``body``."""

    name: str
    value: Expression
    is_required: bool


def function_of(call: Call) -> str:
    """The function, from the client on: ``messages.listMessages``."""
    return _HELPERS.get(call.id) or f"{call.tag}.{call.id}"


def is_in_sdks(call: Call) -> bool:
    """Whether the SDKs have a function for it. Of streams, they have the one that a client needs."""
    return call.answer != "events" or call.id in _HELPERS


def given(call: Call, style: Style, octets: Callable[[str], Expression]) -> list[Given]:
    """The arguments, in the order of generated methods: required parameters, the body, optional parameters."""
    parameters = [
        Given(each.name, style.value(each.value, {}, call.schemas), each.is_required) for each in call.arguments
    ]
    body = [] if call.body is None else [_body(call, style, octets)]
    required = [each for each in parameters if each.is_required]
    return [*required, *body, *(each for each in parameters if not each.is_required)]


def _body(call: Call, style: Style, octets: Callable[[str], Expression]) -> Given:
    assert call.body is not None
    if not call.body.schema:
        return Given("body", octets(style.text(call.body.value)), is_required=True)
    schema = {"$ref": f"#/components/schemas/{call.body.schema}"}
    return Given(camel(call.body.schema), style.value(call.body.value, schema, call.schemas), is_required=True)
