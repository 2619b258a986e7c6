"""Settings as an operator may see them: without secrets."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from service.settings.errors import field_at
from service.settings.model import LEVEL, PREFIX, Settings


def effective(settings: Settings) -> dict[str, Any]:
    """Every setting that is in force, defaults too, by its path such as ``servers.home.imap.host``. Secrets are
    asterisks."""
    return dict(_flat("", settings.model_dump(mode="json", exclude_none=True)))


def _flat(path: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(f"{path}{name}.", value)
        else:
            yield f"{path}{name}", value


def given_variables() -> list[str]:
    """The names of the environment's variables that are settings."""
    return sorted(
        name
        for name in os.environ
        if name.upper().startswith(PREFIX) and field_at(tuple(name.upper().removeprefix(PREFIX).lower().split(LEVEL)))
    )
