"""Commands that a server carries out for the newest messages only (RFC 9738: MESSAGELIMIT, as Yahoo has it).

The answer is OK and names the lowest UID that was done. Without asking for the rest, messages would seem to be gone.
"""

from collections.abc import Iterable, Sequence

from service.adapters.imap.wire.arguments import Piece
from service.adapters.imap.wire.commands import Answer
from service.adapters.imap.wire.status import Status, read_status
from service.adapters.imap.wire.values.numbers import MAX_UID, Range, clip, read_ranges
from service.mail.numbers import read_number

CAPABILITY = "MESSAGELIMIT="
CODE = "MESSAGELIMIT"
_BY_UID = frozenset({b"FETCH", b"STORE", b"MOVE", b"EXPUNGE"})


def limit_of(capabilities: Iterable[str]) -> int | None:
    """How many messages a command is carried out for; None if the server announces no limit."""
    words = (word.removeprefix(CAPABILITY) for word in capabilities if word.startswith(CAPABILITY))
    return next((limit for word in words if (limit := read_number(word.encode(), MAX_UID))), None)


def rest_of(command: Sequence[Piece], answer: Answer, exists: int) -> list[Piece] | None:
    """The command for the messages that the answer left out; None if it left out none. ``exists`` is the number of
    messages in the folder."""
    done = _done(answer) if answer.status.kind == "OK" else None
    if done is None:
        return None
    limit, lowest = done
    if command[0] == b"UID" and command[1] in _BY_UID:
        numbers = _below(command[2], lowest - 1, MAX_UID)
        return [*command[:2], numbers, *command[3:]] if numbers else None
    if command[0] == b"FETCH":
        numbers = _below(command[1], _highest(command[1], exists) - limit, exists)
        return [command[0], numbers, *command[2:]] if numbers else None
    is_search = command[0] == b"SEARCH" or (command[0] == b"UID" and command[1] == b"SEARCH")
    return [*_without_range(command), b"UID", b"1:%d" % (lowest - 1)] if is_search and lowest > 1 else None


def _without_range(search: Sequence[Piece]) -> Sequence[Piece]:
    """Without the key at its end that says where an earlier answer ended."""
    return search[:-2] if search[-2] == b"UID" and search[-1].startswith(b"1:") else search


def _done(answer: Answer) -> tuple[int, int] | None:
    """The limit, and the lowest UID that was done. If the answer has another code, they come in an untagged NO."""
    untagged = (read_status(line) for line in answer.untagged if line[:3].upper() == b"NO ")
    return next((numbers for status in (answer.status, *untagged) if status and (numbers := _numbers(status))), None)


def _numbers(status: Status) -> tuple[int, int] | None:
    if status.code != CODE:
        return None
    match [read_number(word, MAX_UID) for word in status.argument.split(None, 2)]:
        case [int() as limit, int() as lowest] if limit > 0 and lowest > 0:
            return limit, lowest
    return None


def _ranges(numbers: bytes, last: int) -> list[Range]:
    return read_ranges(numbers.replace(b"*", b"%d" % max(1, last)))


def _highest(numbers: bytes, exists: int) -> int:
    return min(exists, _ranges(numbers, exists)[-1][1])


def _below(numbers: bytes, most: int, last: int) -> bytes:
    """The part of a set up to ``most``; empty if there is none."""
    return b",".join(b"%d:%d" % each for each in clip(_ranges(numbers, last), most))
