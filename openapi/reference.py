"""The contract as a Markdown page: ``python -m openapi.reference`` prints docs/reference.md."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Node = dict[str, Any]
_SCHEMA = "#/components/schemas/"
_FIRST_ERROR = 400
_HEAD = """# Reference

Generated from [openapi.json](../openapi/openapi.json) by `make openapi`. The service shows the same at `/docs`, with
code samples, and at `/docs/try`, where you can send requests. Parameters and fields marked * are required; in responses
they are always present.
"""


def page(contract: Node) -> Iterator[str]:
    """The page as pieces of Markdown."""
    yield _HEAD
    for tag in contract["tags"]:
        yield f"## {tag['name'].capitalize()}\n\n{tag['description']}\n"
        for path, methods in contract["paths"].items():
            for method, operation in methods.items():
                if tag["name"] in operation["tags"]:
                    yield from _operation(f"{method.upper()} {path}", operation)
    yield "## Schemas\n"
    for name, schema in contract["components"]["schemas"].items():
        yield from _schema(name, schema)
    yield "## Problems\n"
    yield from _problems(contract["components"]["responses"])


def _operation(title: str, operation: Node) -> Iterator[str]:
    yield f"### {operation['summary']}\n\n`{title}` · `{operation['operationId']}`\n\n{operation['description']}\n"
    if parameters := operation.get("parameters"):
        rows = (
            (_named(each["name"], each.get("required")), each["in"], _type(each["schema"]), each["description"])
            for each in parameters
        )
        yield _table(("parameter", "in", "type", "description"), rows)
    if body := operation.get("requestBody"):
        yield f"Request body: {_media(body['content'])}\n"
    success = {status: each for status, each in operation["responses"].items() if int(status) < _FIRST_ERROR}
    for status, response in success.items():
        media = f": {_media(response['content'])}" if response.get("content") else ""
        yield f"Response {status}{media}. {response['description']}\n"
    problems = [status for status in operation["responses"] if status not in success]
    yield f"Problems: {', '.join(f'[{status}](#{status})' for status in problems)}\n"


def _schema(name: str, schema: Node) -> Iterator[str]:
    yield f"### {name}\n\n{schema.get('description', '')}\n"
    if values := schema.get("enum"):
        yield f"One of {', '.join(f'`{value}`' for value in values)}.\n"
    required = schema.get("required", ())
    fields = schema.get("properties", {}).items()
    rows = ((_named(name, name in required), _type(field), field.get("description", "")) for name, field in fields)
    if fields:
        yield _table(("field", "type", "description"), rows)


def _problems(responses: Node) -> Iterator[str]:
    for name, response in responses.items():
        yield f"### {name.removeprefix('Problem')}\n\n{response['description']}\n"


def _media(content: Node) -> str:
    return " or ".join(f"`{kind}` {_type(media.get('schema', {}))}" for kind, media in content.items())


def _type(schema: Node) -> str:
    if name := str(schema.get("$ref", "")).removeprefix(_SCHEMA):
        return f"[{name}](#{name.lower()})"
    if schema.get("type") == "array":
        item = _type(schema["items"])
        return f"({item})[]" if "," in item else f"{item}[]"
    words = [schema.get("format") or schema.get("type", ""), *_bounds(schema)]
    return ", ".join(words)


def _bounds(schema: Node) -> Iterator[str]:
    for key, words in (("minimum", "from {}"), ("maximum", "to {}"), ("maxLength", "up to {} characters")):
        if key in schema:
            yield words.format(schema[key])
    if (default := schema.get("default")) is not None:
        yield f"default {json.dumps(default)}"


def _named(name: str, is_required: object) -> str:
    return f"`{name}`{' *' if is_required else ''}"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = tuple(heads)
    lines = [
        heads,
        ["---"] * len(heads),
        *([cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def main() -> None:
    contract = json.loads(Path(__file__).with_name("openapi.json").read_text())
    print("\n".join(page(contract)), end="")  # noqa: T201


if __name__ == "__main__":
    main()
