"""References of a call to the results of earlier calls (RFC 8620, 3.7)."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from service.jmap.core.errors import MethodError, invalid
from service.jmap.core.limits import MAX_RESOLVED

TEXT = 64


class Result(NamedTuple):
    """The response of a call."""

    name: str
    arguments: Mapping[str, Any]
    call: str


class References:
    """Resolves the references of one request, which together bring at most ``MAX_RESOLVED`` values."""

    def __init__(self, results: Sequence[Result]) -> None:
        self._results = results
        self._left = MAX_RESOLVED

    def resolve(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments with values in place of references. Raises MethodError."""
        resolved: dict[str, Any] = {}
        for name, value in arguments.items():
            if not name.startswith("#"):
                resolved[name] = value
            elif name[1:] in arguments:
                raise invalid(f"{name[1:100]} is given twice, once as a reference.")
            else:
                resolved[name[1:]] = self._value(value)
        return resolved

    def _value(self, reference: Any) -> Any:
        match reference:
            case {"resultOf": str() as call, "name": str() as name, "path": str() as path}:
                found = next((result for result in self._results if result.call == call), None)
                if found is None or found.name != name:
                    raise _bad("There is no such result of an earlier call.")
                return self._at(found.arguments, path)
        raise _bad("A reference has resultOf, name and path.")

    def _at(self, value: Any, path: str) -> Any:
        if path and not path.startswith("/"):
            raise _bad("The path does not begin with a slash.")
        return self._walk(value, path.split("/")[1:])

    def _walk(self, value: Any, steps: Sequence[str]) -> Any:
        for number, step in enumerate(steps):
            if step == "*" and isinstance(value, list):
                return self._all(value, steps[number + 1 :])
            value = _step(value, step)
        self._take(value)
        return value

    def _all(self, values: Sequence[Any], steps: Sequence[str]) -> list[Any]:
        """The rest of the path for each value; lists are joined."""
        found: list[Any] = []
        for value in values:
            self._spend(1)
            one = self._walk(value, steps)
            if isinstance(one, list):
                found += one
            else:
                found.append(one)
        return found

    def _take(self, value: Any) -> None:
        """Count all values in it, and a text as one for each ``TEXT`` characters. What is counted is copied into the
        response: without a limit, references to references would double it with each call."""
        pending = [value]
        while pending:
            each = pending.pop()
            self._spend(1 + len(each) // TEXT if isinstance(each, str) else 1, len(pending))
            if isinstance(each, Mapping):
                pending.extend(each.values())
            elif isinstance(each, list):
                pending.extend(each)

    def _spend(self, values: int, pending: int = 0) -> None:
        """Values that were looked at, whether or not they bring anything, and those that will be."""
        self._left -= values
        if self._left < pending:
            raise MethodError("requestTooLarge", f"References bring more than {MAX_RESOLVED} values.")


def _step(value: Any, step: str) -> Any:
    """One step of a JSON pointer (RFC 6901)."""
    name = step.replace("~1", "/").replace("~0", "~")
    if isinstance(value, Mapping) and name in value:
        return value[name]
    if isinstance(value, list) and name.isascii() and name.isdigit() and len(name) < 10 and int(name) < len(value):
        return value[int(name)]
    raise _bad("The path leads nowhere.")


def _bad(why: str) -> MethodError:
    return MethodError("invalidResultReference", why)
