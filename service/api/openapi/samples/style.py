"""Values of the contract's examples as expressions of a language, on one line or on several."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from service.api.openapi.samples.call import Node, name_of

_WIDTH = 72


@dataclass(frozen=True, slots=True)
class Group:
    """Items in brackets. Each is a label, which may be empty, and an expression."""

    opening: str
    items: tuple[tuple[str, "Expression"], ...]
    closing: str


Expression = str | Group


@dataclass(frozen=True, slots=True)
class Style:
    """How a language writes values.

    ``record`` gives the brackets of a value of a schema, ``member`` the label of one of its fields, and ``choice`` an
    enum's value by the enum's name. ``table`` is for objects whose fields no schema names: brackets, and what stands
    between a key and its value. ``hugs``: the brackets of a call and of its only argument are on one line.
    """

    indent: str
    array: tuple[str, str]
    table: tuple[str, str, str]
    record: Callable[[str], tuple[str, str]]
    member: Callable[[str], str]
    choice: Callable[[str, str], str]
    true: str = "true"
    false: str = "false"
    ends_with_comma: bool = True
    dollar: str = "$"
    quote: str = '"'
    hugs: bool = False
    json_object: Callable[[Node], Expression] | None = None
    """An object of any members, if the language does not write it as it writes a table."""

    def text(self, value: str) -> str:
        """A text literal."""
        inner = json.dumps(value, ensure_ascii=False)[1:-1].replace("$", self.dollar)
        if self.quote == "'":
            inner = inner.replace('\\"', '"').replace("'", "\\'")
        return f"{self.quote}{inner}{self.quote}"

    def value(self, value: Any, schema: Node, schemas: Node) -> Expression:
        """``value`` as its ``schema`` says."""
        name = name_of(schema)
        schema = schemas.get(name, schema)
        if isinstance(value, dict):
            if self.json_object is not None and schema.get("additionalProperties") is True:
                return self.json_object(value)
            if not name or "properties" not in schema:
                return self._table(value, schemas)
            return self._record(name, value, schema["properties"], schemas)
        if isinstance(value, list):
            return Group(
                self.array[0],
                tuple(("", self.value(each, schema.get("items", {}), schemas)) for each in value),
                self.array[1],
            )
        if isinstance(value, bool):
            return self.true if value else self.false
        if "enum" in schema and name:
            return self.choice(name, value)
        return self.text(value) if isinstance(value, str) else str(value)

    def _record(self, name: str, value: Node, fields: Node, schemas: Node) -> Group:
        opening, closing = self.record(name)
        given = [field for field in fields if field in value]
        items = tuple((self.member(field), self.value(value[field], fields[field], schemas)) for field in given)
        return Group(opening, items, closing)

    def _table(self, value: Node, schemas: Node) -> Group:
        opening, between, closing = self.table
        items = tuple((f"{self.text(key)}{between}", self.value(each, {}, schemas)) for key, each in value.items())
        return Group(opening, items, closing)

    def show(self, before: str, expression: Expression, after: str = "", depth: int = 0) -> str:
        """``before`` and the expression, broken into lines if it is long."""
        line = f"{before}{_on_one_line(expression)}{after}"
        if isinstance(expression, str) or len(self.indent) * depth + len(line.partition("\n")[0]) <= _WIDTH:
            return line
        opening, closing = f"{before}{expression.opening.rstrip()}", f"{expression.closing.lstrip()}{after}"
        if self.hugs and len(expression.items) == 1 and isinstance(expression.items[0][1], Group):
            return self.show(f"{opening}{expression.items[0][0]}", expression.items[0][1], closing, depth)
        margin = self.indent * (depth + 1)
        items = ",\n".join(margin + self.show(label, each, depth=depth + 1) for label, each in expression.items)
        end = "," if self.ends_with_comma else ""
        return f"{opening}\n{items}{end}\n{self.indent * depth}{closing}"


def arguments(name: str, items: Iterable[tuple[str, Expression]]) -> Group:
    """A call of the function ``name``."""
    return Group(f"{name}(", tuple(items), ")")


def _on_one_line(expression: Expression) -> str:
    if isinstance(expression, str):
        return expression
    inner = ", ".join(f"{label}{_on_one_line(each)}" for label, each in expression.items)
    return f"{expression.opening}{inner}{expression.closing}"


def sections(*groups: Sequence[str]) -> str:
    """Groups of lines, with an empty line between them."""
    return "\n\n".join("\n".join(group) for group in groups if group)
