"""The sample in curl."""

import shlex
from collections.abc import Iterator
from urllib.parse import quote, urlencode

from service.api.openapi.samples.call import HOST, Body, Call
from service.api.openapi.samples.style import Style

_STYLE = Style(
    indent="  ",
    array=("[", "]"),
    table=("{", ": ", "}"),
    record=lambda _: ("{", "}"),
    member=lambda field: f'"{field}": ',
    choice=lambda _, value: f'"{value}"',
    ends_with_comma=False,
)
_FILES = {"message/rfc822": "message.eml"}
_JSON = "application/json"


def curl(call: Call) -> str:
    """A command for a shell. Octets come from a file, and go to one."""
    return " \\\n  ".join([f"curl{_method(call)} {_address(call)}", *_options(call)])


def _method(call: Call) -> str:
    usual = "GET" if call.body is None else "POST"
    return "" if call.method == usual else f" -X {call.method}"


def _address(call: Call) -> str:
    path, query = call.path, list[tuple[str, str]]()
    for each in call.arguments:
        if each.where == "path":
            path = path.replace(f"{{{each.name}}}", quote(each.value, safe="@"))
        elif each.where == "query":
            values = each.value if isinstance(each.value, list) else [each.value]
            query += [(each.name, str(value)) for value in values]
    return shlex.quote(f"{HOST}{path}{f'?{urlencode(query)}' if query else ''}")


def _options(call: Call) -> Iterator[str]:
    if call.is_signed_in:
        yield '-H "Authorization: Bearer $TOKEN"'
    for each in call.arguments:
        if each.where == "header":
            yield f"-H {shlex.quote(f'{each.name}: {each.value}')}"
    if call.takes_key:
        yield '-H "Idempotency-Key: $(uuidgen)"'
    if call.body is not None:
        yield from _sent(call, call.body)
    if call.answer == "octets":
        yield "-o download.bin"
    if call.answer == "events":
        yield "-N"


def _sent(call: Call, body: Body) -> Iterator[str]:
    yield f"-H 'Content-Type: {body.media}'"
    if body.media == _JSON:
        value = _STYLE.value(body.value, {"$ref": f"#/components/schemas/{body.schema}"}, call.schemas)
        yield f"-d {shlex.quote(_STYLE.show('', value))}"
    else:
        yield f"--data-binary @{_FILES.get(body.media, 'expenses.csv')}"
