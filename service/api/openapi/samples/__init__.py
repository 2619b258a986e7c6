"""Code samples of each operation, for ``x-codeSamples`` of the contract: in curl, and in languages that have an SDK.

A sample is made from the operation and the example values of the contract, so a new operation has samples at once.
``TOKEN`` stands for the token of a session, and ``HOST`` for the service.
"""

from collections.abc import Callable
from typing import Any

from service.api.openapi.samples.call import HOST, Call, call_of
from service.api.openapi.samples.curl import curl
from service.api.openapi.samples.kotlin import kotlin
from service.api.openapi.samples.python import python
from service.api.openapi.samples.sdk import is_in_sdks
from service.api.openapi.samples.swift import swift
from service.api.openapi.samples.typescript import typescript

__all__ = ["HOST", "samples"]
Node = dict[str, Any]
_LANGUAGES: tuple[tuple[str, str, Callable[[Call], str]], ...] = (
    ("Shell", "curl", curl),
    ("TypeScript", "TypeScript", typescript),
    ("Python", "Python", python),
    ("Kotlin", "Kotlin", kotlin),
    ("Swift", "Swift", swift),
)


def samples(method: str, path: str, operation: Node, schemas: Node) -> list[Node]:
    """The value of ``x-codeSamples``."""
    call = call_of(method, path, operation, schemas)
    languages = _LANGUAGES if is_in_sdks(call) else _LANGUAGES[:1]
    return [{"lang": lang, "label": label, "source": write(call)} for lang, label, write in languages]
