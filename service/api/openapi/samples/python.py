"""The sample in Python, on the generated SDK."""

from keyword import iskeyword

from service.api.openapi.samples.call import HOST, Call
from service.api.openapi.samples.names import snake
from service.api.openapi.samples.sdk import Given, function_of, given
from service.api.openapi.samples.style import Expression, Style, arguments, sections


def python(call: Call) -> str:
    """A program. Octets are ``bytes``."""
    used = {"Casella"}
    style = _style(used)
    items = [_argument(each) for each in given(call, style, "b{}".format)]
    before, after = _around(call)
    inner = style.show(f"{before}casella.", arguments(snake(function_of(call)), items), after)
    made = f'casella = Casella("{HOST}"{", token" if call.is_signed_in else ""})'
    return sections([f"from casella_client import {', '.join(sorted(used))}"], [made, inner])


def _style(used: set[str]) -> Style:
    """Adds to ``used`` what the program has to import."""

    def record(name: str) -> tuple[str, str]:
        used.add(name)
        return f"{name}(", ")"

    def choice(name: str, value: str) -> str:
        used.add(name)
        return f"{name}.{value.upper()}"

    return Style(
        indent="    ",
        array=("[", "]"),
        table=("{", ": ", "}"),
        record=record,
        member=lambda field: f"{_member(field)}=",
        choice=choice,
        true="True",
        false="False",
    )


def _member(field: str) -> str:
    """Words of the language end with an underscore."""
    name = snake(field)
    return f"{name}_" if iskeyword(name) else name


def _argument(one: Given) -> tuple[str, Expression]:
    return ("" if one.is_required else f"{_member(one.name)}="), one.value


def _around(call: Call) -> tuple[str, str]:
    match call.answer:
        case "events":
            return "for event in ", ":\n    print(event.type, event.data)"
        case "octets":
            return "octets = ", ""
        case "json":
            return f"{snake(call.result)} = ", ""
    return "", ""
