"""Appends several messages by one command (MULTIAPPEND, RFC 3502), without waiting for the server (RFC 7888)."""

from collections.abc import AsyncIterator, Sequence

from service.adapters.imap.session.connection import Connection
from service.adapters.imap.wire import arguments
from service.adapters.imap.wire.arguments import Literal, Piece
from service.adapters.imap.wire.status import Status, error_from
from service.adapters.imap.wire.values.numbers import MAX_UID, count, members, read_ranges
from service.adapters.imap.writes.append import are_plain, limit_of, message_arguments
from service.mail.errors import MailError
from service.mail.inventory import NewMessage
from service.mail.numbers import read_number

_NEEDED = ("MULTIAPPEND", "UIDPLUS", "LITERAL+")


class Refused(Exception):
    """The server refused the command, and has appended nothing."""

    def __init__(self, error: MailError) -> None:
        super().__init__()
        self.error = error


def can_append(connection: Connection, folder: bytes, messages: Sequence[NewMessage]) -> bool:
    """Whether one command can carry these messages."""
    limit = limit_of(connection)
    fits = limit is None or all(message.source.size <= limit for message in messages)
    is_plain = not isinstance(arguments.string(folder), Literal)
    is_plain = is_plain and all(are_plain(message.flags) for message in messages)
    return len(messages) > 1 and fits and is_plain and all(map(connection.has, _NEEDED))


async def append_many(
    connection: Connection, folder: bytes, messages: Sequence[NewMessage]
) -> tuple[int, list[int]] | None:
    """UIDVALIDITY and the UIDs of the messages, in order; None if the server does not report them. One round trip.
    Raises Refused if it takes none of them."""
    pieces: list[Piece] = [
        b"APPEND",
        arguments.string(folder),
        *message_arguments(messages[0].flags, messages[0].received_at),
    ]
    total = sum(message.source.size for message in messages)
    answer = await connection.append(pieces, messages[0].source.size, _chunks(messages), total=total)
    if answer.status.kind != "OK":
        raise Refused(error_from(answer.status))
    return _appended_at(answer.status, len(messages))


async def _chunks(messages: Sequence[NewMessage]) -> AsyncIterator[bytes]:
    """The octets behind the announcement of the first message."""
    for at, message in enumerate(messages):
        if at:
            pieces = message_arguments(message.flags, message.received_at)
            yield b" %b\r\n" % b" ".join([*pieces, b"{%d+}" % message.source.size])
        async for chunk in message.source.chunks():
            yield chunk


def _appended_at(status: Status, wanted: int) -> tuple[int, list[int]] | None:
    match status.argument.split() if status.code == "APPENDUID" else ():
        case [number, uids]:
            validity, runs = read_number(number, MAX_UID), read_ranges(uids)
            if validity and count(runs) == wanted:
                return validity, list(members(runs))
    return None
