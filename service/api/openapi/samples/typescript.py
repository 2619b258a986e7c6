"""The sample in TypeScript, on the generated SDK."""

from service.api.openapi.samples.call import HOST, Call
from service.api.openapi.samples.names import camel
from service.api.openapi.samples.sdk import function_of, given
from service.api.openapi.samples.style import Expression, Group, Style, arguments, sections

_STYLE = Style(
    indent="  ",
    array=("[", "]"),
    table=("{ ", ": ", " }"),
    record=lambda _: ("{ ", " }"),
    member=lambda field: f"{field}: ",
    choice=lambda _, value: f"'{value}'",
    quote="'",
    hugs=True,
)


def typescript(call: Call) -> str:
    """A module. Octets are a ``Blob``."""
    before, after = _around(call)
    inner = _STYLE.show(f"{before}casella.", arguments(function_of(call), _items(call)), after)
    made = f"const casella = new Casella('{HOST}'{', { token }' if call.is_signed_in else ''});"
    return sections(["import { Casella } from 'casella-client';"], [made, inner])


def _items(call: Call) -> list[tuple[str, Expression]]:
    """Methods take one object, with all parameters and the body. Signing in takes the body alone."""
    all_given = given(call, _STYLE, "new Blob([{}])".format)
    if call.id == "createSession":
        return [("", each.value) for each in all_given]
    members = tuple((f"{camel(each.name)}: ", each.value) for each in all_given)
    return [("", Group("{ ", members, " }"))] if members else []


def _around(call: Call) -> tuple[str, str]:
    match call.answer:
        case "events":
            return "for await (const event of ", ") {\n  console.log(event.type, event.data);\n}"
        case "octets":
            return "const file = await ", ";"
        case "json":
            return f"const {camel(call.result)} = await ", ";"
    return "await ", ";"
