"""The sample in Kotlin, on the generated SDK. Its functions suspend."""

import json

from service.api.openapi.samples.call import HOST, Call, Node
from service.api.openapi.samples.names import camel
from service.api.openapi.samples.sdk import Given, function_of, given
from service.api.openapi.samples.style import Expression, Style, arguments, sections

_PACKAGE = "org.casella.kotlin"
_JSON = "kotlinx.serialization.json"
_OKHTTP = "okhttp3.RequestBody.Companion.toRequestBody"
_RESERVED = frozenset({"as", "fun", "in", "interface", "is", "object", "val", "var", "when"})


def kotlin(call: Call) -> str:
    """Statements in a coroutine."""
    imports = {f"{_PACKAGE}.Casella"}
    style = _style(imports)
    arguments_given = given(call, style, lambda text: _octets(text, imports))
    items = [("", each.value) for each in arguments_given if each.is_required]
    if optional := [each for each in arguments_given if not each.is_required]:
        items.append(("", _options(call, optional, imports)))
    before, after = _around(call)
    inner = style.show(f"{before}casella.", arguments(function_of(call), items), after)
    made = f'val casella = Casella("{HOST}"{", token" if call.is_signed_in else ""})'
    return sections([f"import {name}" for name in sorted(imports)], [made, inner])


def _style(imports: set[str]) -> Style:
    """Adds what is used to ``imports``."""

    def record(name: str) -> tuple[str, str]:
        imports.add(f"{_PACKAGE}.model.{name}")
        return f"{name}(", ")"

    def choice(name: str, value: str) -> str:
        imports.add(f"{_PACKAGE}.model.{name}")
        return f"{name}.{value.upper()}"

    def json_object(value: Node) -> str:
        imports.update({f"{_JSON}.Json", f"{_JSON}.jsonObject"})
        text = json.dumps(value, ensure_ascii=False).replace("$", "${'$'}")
        return f'Json.parseToJsonElement("""{text}""").jsonObject'

    return Style(
        indent="    ",
        array=("listOf(", ")"),
        table=("mapOf(", " to ", ")"),
        record=record,
        member=lambda field: f"{_member(field)} = ",
        choice=choice,
        dollar=r"\$",
        json_object=json_object,
    )


def _member(field: str) -> str:
    name = camel(field)
    return f"`{name}`" if name in _RESERVED else name


def _octets(text: Expression, imports: set[str]) -> Expression:
    imports.add(_OKHTTP)
    return f"{text}.toRequestBody()"


def _options(call: Call, optional: list[Given], imports: set[str]) -> Expression:
    """What may be left out is one object."""
    name = f"{call.id[0].upper()}{call.id[1:]}Options"
    imports.add(f"{_PACKAGE}.api.{name}")
    return arguments(name, [(f"{_member(each.name)} = ", each.value) for each in optional])


def _around(call: Call) -> tuple[str, str]:
    match call.answer:
        case "events":
            return "", ".collect { event -> println(event.data) }"
        case "octets":
            return "val content = ", ""
        case "json":
            return f"val {camel(call.result)} = ", ""
    return "", ""
