"""Says in plain words what is wrong with a value of a request, and what to send. No value is repeated: it may be a
password."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.mail.errors import InvalidField

NAME_TWICE = "An object of the body has two members of the same name."
_UNKNOWN = "This value is not valid here."
_WORDS: Mapping[str, str] = {
    "missing": "This is required.",
    "extra_forbidden": "There is no value of this name. Remove it, or correct its name.",
    "json_invalid": "This is not valid JSON.",
    "json_type": "Send JSON.",
    "string_type": "Send a text.",
    "string_sub_type": "Send a text.",
    "bytes_type": "Send a text.",
    "string_unicode": "Send a text that UTF-8 can encode: this has half a character (a lone surrogate).",
    "string_too_long": "Send at most {max_length} characters.",
    "string_too_short": "Send at least {min_length} characters.",
    "string_pattern_mismatch": "Send a text of the form {pattern}.",
    "too_long": "Send at most {max_length} items.",
    "too_short": "Send at least {min_length} items.",
    "greater_than_equal": "Send a number of at least {ge}.",
    "greater_than": "Send a number greater than {gt}.",
    "less_than_equal": "Send a number of at most {le}.",
    "less_than": "Send a number less than {lt}.",
    "multiple_of": "Send a multiple of {multiple_of}.",
    "int_parsing_size": "Send a number with fewer digits.",
    "finite_number": "Send a finite number.",
    "enum": "Send one of these: {expected}.",
    "literal_error": "Send one of these: {expected}.",
    "recursion_loop": "This is nested too deeply.",
    "recursion_depth_exceeded": "This is nested too deeply.",
}
_BY_KIND = (
    (("int_",), "Send a whole number."),
    (("float_", "decimal_"), "Send a number."),
    (("bool_",), "Send true or false."),
    (("list_", "tuple_", "set_", "frozen_set_", "iterable_", "deque_"), "Send a list."),
    (("model_", "dict_", "mapping_", "dataclass_"), "Send an object."),
    (("datetime_", "timezone_"), "Send a time with an offset, such as 2026-01-31T08:00:00Z."),
    (("date_",), "Send a date, such as 2026-01-31."),
    (("time_delta_",), "Send a duration."),
)
"""By how the name of the error begins: most kinds of value have several errors, and one remedy."""
_EMPTY = ("string_too_short", "too_short")


def explain(kind: str, location: Sequence[int | str], context: Mapping[str, Any]) -> str:
    """The words for one of pydantic's errors. Its own words are for programmers."""
    if kind == "missing" and location == ("body",):
        return "Send a body of JSON, with Content-Type: application/json."
    if kind in _EMPTY and context.get("min_length") == 1:
        return "This must not be empty."
    error = context.get("error")
    if isinstance(error, InvalidField):
        return str(error)
    if (words := _WORDS.get(kind)) is not None:
        return words.format_map({name: _shown(value) for name, value in context.items()})
    return next((words for beginnings, words in _BY_KIND if kind.startswith(beginnings)), _UNKNOWN)


def _shown(value: object) -> str:
    """A limit, or the values that are allowed, as pydantic lists them."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).replace("'", "")
