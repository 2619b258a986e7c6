"""The sample in Swift, on the generated SDK."""

from service.api.openapi.samples.call import HOST, Call
from service.api.openapi.samples.names import camel
from service.api.openapi.samples.sdk import Given, function_of, given
from service.api.openapi.samples.style import Expression, Style, arguments, sections

_STYLE = Style(
    indent="    ",
    array=("[", "]"),
    table=("[", ": ", "]"),
    record=lambda name: (f"{name}(", ")"),
    member=lambda field: f"{camel(field)}: ",
    choice=lambda _, value: f".{value}",
    ends_with_comma=False,
)


def swift(call: Call) -> str:
    """Statements in an asynchronous function. Octets are ``Data``."""
    items = _items(call, given(call, _STYLE, "Data({}.utf8)".format))
    before, after = _around(call)
    inner = _STYLE.show(f"{before}casella.", arguments(function_of(call), items), after)
    made = f'let casella = Casella("{HOST}"{", token: token" if call.is_signed_in else ""})'
    imports = ["import CasellaClient", *(["import Foundation"] if "Data(" in inner else [])]
    return sections(imports, [made, inner])


def _items(call: Call, all_given: list[Given]) -> list[tuple[str, Expression]]:
    """What may be left out is one object. Signing in takes the body alone."""
    if call.id == "createSession":
        return [("", each.value) for each in all_given]
    labelled = [(each.is_required, (f"{camel(each.name)}: ", each.value)) for each in all_given]
    required = [each for is_required, each in labelled if is_required]
    optional = [each for is_required, each in labelled if not is_required]
    return [*required, ("options: ", arguments(".init", optional))] if optional else required


def _around(call: Call) -> tuple[str, str]:
    match call.answer:
        case "events":
            return "for try await event in ", " {\n    print(event.type, event.data)\n}"
        case "octets":
            return "let content = try await ", ""
        case "json":
            return f"let {camel(call.result)} = try await ", ""
    return "try await ", ""
