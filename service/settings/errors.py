"""Describes errors in settings for people: which variable or key, why, and an example of a valid value."""

import os
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from service.settings.model import LEVEL, PREFIX, Settings

_NOT_SETTINGS = frozenset(f"{PREFIX}{name}" for name in ("CONFIG", "CHECK_PASSWORD", "FROM_PASSWORD", "TO_PASSWORD"))
"""Variables with the prefix that are not settings."""
_LINK = re.compile(r"_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)\Z")
"""Variables that Kubernetes sets in a pod for a service called ``casella`` or ``casella-…``."""
Path_ = tuple[str, ...]


def describe(wrong: ValidationError, file: Path | None) -> list[str]:
    """Returns a line for each error. No value is repeated: it may be a secret."""
    errors = wrong.errors(include_input=False, include_url=False, include_context=False)
    places = [error["loc"] for error in errors]
    # A list whose items are wrong is not too short: the wrong ones were left out.
    meant = [
        error
        for error in errors
        if error["type"] != "too_short" or not any(_is_below(place, error["loc"]) for place in places)
    ]
    return [_line(error["loc"], error["type"], error["msg"], file) for error in meant]


def _is_below(place: tuple[int | str, ...], other: tuple[int | str, ...]) -> bool:
    return len(place) > len(other) and place[: len(other)] == other


def unknown() -> list[str]:
    """Returns a line for each variable that has the prefix of settings but is not a setting."""
    return [
        f"{name} is not a setting{_nearest(name.upper(), list(_variables(Settings, PREFIX)))}"
        for name, value in sorted(os.environ.items())
        if name.upper().startswith(PREFIX) and not _is_known(name.upper(), value)
    ]


def _is_known(name: str, value: str) -> bool:
    if name in _NOT_SETTINGS or field_at(tuple(name.removeprefix(PREFIX).lower().split(LEVEL))):
        return True
    return bool(_LINK.search(name)) and (not name.endswith("_PORT") or "://" in value or "_SERVICE_" in name)


def _line(location: Sequence[int | str], kind: str, message: str, file: Path | None) -> str:
    path = tuple(step for step in location if isinstance(step, str))
    items = [f"item {step + 1}" for step in location if isinstance(step, int)]
    variable, rest = _variable(path, file)
    where = variable or f"{file or 'environment'}: {'.'.join(path) or 'settings'}"
    return f"{', '.join([where, *rest, *items])}: {_why(path, kind, message, file)}{_example(path, variable)}"


def _why(path: Path_, kind: str, message: str, file: Path | None) -> str:
    field = field_at(path)
    match kind:
        case "extra_forbidden":
            return f"there is no such setting{_nearest(path[-1], _siblings(path))}"
        case "missing":
            return "it is required"
        case "tuple_type" | "frozen_set_type":
            return "it is a list, or one text separated by commas"
        case "dict_type" | "model_type":
            return f"it is a table. Its settings are {_within(path, file)}"
        case "string_pattern_mismatch" if field and field.description:
            return f"its form is wrong. {field.description.rstrip('.')}"
        case "path_not_file":
            return "there is no such file"
        case "too_short":
            return "it needs at least one value"
        case _:
            return message.removeprefix("Value error, ").replace("Input should be", "it has to be").split(", unable")[0]


def _variable(path: Path_, file: Path | None) -> tuple[str, Path_]:
    """Returns the variable that set the value, and the path within it; "" if the file set it."""
    given = {name.upper() for name in os.environ}
    for length in range(len(path), 0, -1):
        name = _name(path[:length])
        if name in given:
            return name, path[length:]
    within = sorted(name for name in given if name.startswith(_name(path) + LEVEL))
    if path and within:
        return within[0] if field_at(path) is None else _name(path), ()
    return ("" if file or not path else _name(path)), ()


def _name(path: Path_) -> str:
    return PREFIX + LEVEL.join(path).upper()


def _example(path: Path_, variable: str) -> str:
    field = field_at(path)
    examples = [str(example) for example in (field.examples or ())] if field else []
    if field and not examples and isinstance(field.default, str | int | float) and not isinstance(field.default, bool):
        examples = [str(field.default)]
    if not examples:
        return ""
    if variable == _name(path):
        return f". Such as {variable}={','.join(examples)}"
    return f". Such as {', '.join(examples)}"


def field_at(path: Path_) -> FieldInfo | None:
    """Returns the setting at ``path``, in which the name of a mail server may be any; None if there is none."""
    field: FieldInfo | None = None
    model: type[BaseModel] | None = Settings
    steps = iter(path)
    for step in steps:
        field = model.model_fields.get(step) if model else None
        if field is None:
            return None
        if _is_dict(field):
            next(steps, None)
        model = _model_in(field.annotation)
    return field


def _siblings(path: Path_) -> list[str]:
    above = field_at(path[:-1])
    model = _model_in(above.annotation) if above else Settings
    return list(model.model_fields) if model else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)


def _variables(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name.upper()
        if inner := _model_in(field.annotation):
            step = f"{name.upper()}{LEVEL}" + (f"NAME{LEVEL}" if _is_dict(field) else "")
            yield from _variables(inner, prefix + step)


def _within(path: Path_, file: Path | None) -> str:
    """Returns the first three settings of a table, by their names in the environment, or in the file."""
    field = field_at(path)
    model = _model_in(field.annotation) if field else None
    prefix = _name(path) + LEVEL + (f"NAME{LEVEL}" if field and len(path) == 1 and _is_dict(field) else "")
    names = list(_variables(model, prefix)) if model else []
    found = [name for name in names if not any(other.startswith(name + LEVEL) for other in names)][:3]
    if file is not None and not _variable(path, file)[0]:
        found = [name.removeprefix(PREFIX).replace(LEVEL, ".").lower().replace(".name.", ".NAME.") for name in found]
    return ", ".join(found)


def _is_dict(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is dict


def _nearest(name: str, known: Sequence[str]) -> str:
    matches = get_close_matches(name, known, 1)
    return f"; did you mean {matches[0]}?" if matches else ""
