"""Responses as JSON. A long one is written piece by piece, with turns for other requests in between."""

from collections.abc import Iterator
from typing import Any

from pydantic_core import to_json

from service.jmap.core.turns import Turns

SHORT = 1 << 20
"""Octets that are written at once, as far as they were counted."""
_DEEP = 6
"""From the list of responses down to the values of bodies."""


async def write(responses: list[Any], octets: int) -> bytes:
    """The method responses as JSON; ``octets`` is what they have at least."""
    written, turns = bytearray(), Turns()
    for piece in _pieces(responses, _DEEP if octets > SHORT else 1):
        written += piece
        await turns.pause()
    return bytes(written)


def _pieces(value: Any, levels: int) -> Iterator[bytes]:
    if not levels or not isinstance(value, dict | list):
        yield to_json(value)
    elif isinstance(value, list):
        yield b"["
        for number, each in enumerate(value):
            if number:
                yield b","
            yield from _pieces(each, levels - 1)
        yield b"]"
    else:
        yield b"{"
        for number, (name, each) in enumerate(value.items()):
            yield b"%b%b:" % (b"," if number else b"", to_json(name))
            yield from _pieces(each, levels - 1)
        yield b"}"
