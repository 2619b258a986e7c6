"""The arguments of a method call, checked as they are read. A wrong one is ``invalidArguments``."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from service.jmap.core.errors import MethodError, invalid
from service.jmap.core.limits import MAX_OBJECTS_IN_GET, MAX_OBJECTS_IN_SET

MAX_INT = 2**53 - 1
_ID = re.compile(r"[A-Za-z0-9_-]{1,255}\Z")
_UTC = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z\Z")


class Arguments(Mapping[str, Any]):
    """Arguments by name. ``known`` names all that the method has."""

    def __init__(self, values: Mapping[str, Any], known: frozenset[str] | None = None) -> None:
        self._values = values
        if known is not None and (unknown := sorted(values.keys() - known - {"accountId"})):
            raise invalid(f"There is no argument {unknown[0][:100]}.")

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def text(self, name: str) -> str | None:
        value: str | None = self._typed(name, str)
        return value

    def required_text(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise invalid(f"{name} is required.")
        return value

    def flag(self, name: str) -> bool:
        return bool(self._typed(name, bool))

    def number(self, name: str, least: int = 0) -> int | None:
        value = self._typed(name, int)
        if value is None:
            return None
        if isinstance(value, bool) or not least <= value <= MAX_INT:
            raise invalid(f"{name} is not a number from {least} to {MAX_INT}.")
        return int(value)

    def object(self, name: str) -> dict[str, Any] | None:
        value: dict[str, Any] | None = self._typed(name, dict)
        return value

    def ids(self, name: str) -> list[str] | None:
        """Raises requestTooLarge for more than a /get may have."""
        values = self.texts(name)
        if values is not None and len(values) > MAX_OBJECTS_IN_GET:
            raise MethodError("requestTooLarge", f"{name} has more than {MAX_OBJECTS_IN_GET} ids.")
        return values

    def texts(self, name: str) -> list[str] | None:
        values: list[Any] | None = self._typed(name, list)
        if values is not None and not all(isinstance(value, str) for value in values):
            raise invalid(f"{name} has values that are not strings.")
        return values

    def objects(self, name: str) -> dict[str, dict[str, Any]]:
        """A map of objects; empty if it is missing."""
        values = self.object(name) or {}
        if not all(isinstance(value, dict) for value in values.values()):
            raise invalid(f"{name} has values that are not objects.")
        return values

    def _typed(self, name: str, kind: type[Any]) -> Any:
        value = self._values.get(name)
        if value is not None and not isinstance(value, kind):
            raise invalid(f"{name} has the wrong type.")
        return value


def require_few(*records: Sequence[Any] | Mapping[str, Any]) -> None:
    """Raises requestTooLarge for more records than a /set may have."""
    if sum(map(len, records)) > MAX_OBJECTS_IN_SET:
        raise MethodError("requestTooLarge", f"A request changes at most {MAX_OBJECTS_IN_SET} records.")


def is_id(text: object) -> bool:
    """Whether it may be an id (RFC 8620, 1.2)."""
    return isinstance(text, str) and _ID.match(text) is not None


def read_utc(value: object) -> datetime | None:
    """A UTCDate (RFC 8620, 1.4); None if it is none."""
    match = _UTC.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        return datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    except ValueError:
        return None


def write_utc(moment: datetime) -> str:
    """A UTCDate, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
