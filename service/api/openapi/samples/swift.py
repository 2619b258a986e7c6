"""The sample in Swift, on the generated SDK."""

from service.api.openapi.samples.call import HOST, Call
from service.api.openapi.samples.names import camel
from service.api.openapi.samples.sdk import function_of, given, is_helper
from service.api.openapi.samples.style import Style, arguments, sections

_STYLE = Style(
    indent="    ",
    array=("[", "]"),
    record=lambda name: (f"{name}(", ")"),
    member=lambda field: f"{'_as' if field == 'as' else camel(field)}: ",
    choice=lambda _, value: f".{value}",
    ends_with_comma=False,
)


def swift(call: Call) -> str:
    """Statements in an asynchronous function. Octets are ``Data``."""
    all_given = given(call, _STYLE, "Data({}.utf8)".format)
    names = [f"{camel(each.name)}: " for each in all_given]
    items = [("" if is_helper(call) else name, each.value) for name, each in zip(names, all_given, strict=True)]
    before, after = _around(call)
    inner = _STYLE.show(f"{before}casella.", arguments(function_of(call), items), after)
    made = f'let casella = Casella("{HOST}"{", token" if call.is_signed_in else ""})'
    imports = ["import CasellaClient", *(["import Foundation"] if "Data(" in inner else [])]
    return sections(imports, [made, inner])


def _around(call: Call) -> tuple[str, str]:
    match call.answer:
        case "events":
            return "for try await event in ", " {\n    print(event.type, event.data)\n}"
        case "octets":
            return "let content = try await ", ""
        case "json":
            return f"let {camel(call.result)} = try await ", ""
    return "try await ", ""
