"""Summaries of messages that the server cannot describe, without losing those that it can.

A server may refuse a whole FETCH because of one message (Yahoo, Exchange), and a description may be unreadable (wrong
quoting). The refused FETCH is repeated in halves; each message that is left is read from its header.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from service.adapters.imap.messages.items import items_of
from service.adapters.imap.session.selection import Selection
from service.adapters.imap.wire.arguments import uid_set
from service.adapters.imap.wire.commands import Answer
from service.adapters.imap.wire.responses import UNREADABLE, FetchResponse, fetch_rows, octets
from service.adapters.imap.wire.status import error_from
from service.adapters.imap.wire.values.dates import read_date_time
from service.mail.errors import UpstreamError, UpstreamUnavailable
from service.mail.mime.message import read_summary
from service.mail.model import MessageSummary
from service.mail.numbers import read_number

MAX_HEADER = 64 << 10
MAX_REQUESTS = 100
"""Round trips that one list may spend on messages that the server cannot describe."""
MAX_TEMPORARY = 20
"""The same, if the server may be unavailable: enough to find one message among two hundred."""
_HEADER_ITEMS = b"(UID RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER]<0.%d>)" % MAX_HEADER


@dataclass
class Repair:
    """The reading of one list from a server that refused a part of it."""

    selection: Selection
    most: int = MAX_REQUESTS
    requests: int = 0
    refused: set[int] = field(default_factory=set)
    """Messages that the server cannot describe."""
    left_out: set[int] = field(default_factory=set)
    """Messages that the server said nothing of. They exist if it has their header."""

    async def describe(self, uids: Sequence[int]) -> dict[int, FetchResponse]:
        """What the server reports of these messages, asked in halves as long as it refuses. Two round trips for each
        halving; after ``MAX_REQUESTS`` the rest counts as refused."""
        responses: dict[int, FetchResponse] = {}
        pending = [list(uids)]
        while pending:
            batch = pending.pop()
            answer = await self._ask(batch, items_of(self.selection.connection).row)
            if answer is None:
                self.refused.update(batch)
            elif answer.status.kind == "OK":
                responses |= await fetch_rows(answer.untagged)
            elif len(batch) == 1:
                self.refused.update(batch)
            else:
                middle = len(batch) // 2
                pending += [batch[middle:], batch[:middle]]
        return responses

    async def flags(self, uids: Sequence[int]) -> dict[int, FetchResponse]:
        """The flags of these messages, and their labels, of all that exist. One round trip."""
        items = items_of(self.selection.connection).changing
        answer = await self.selection.connection.run([b"UID", b"FETCH", uid_set(uids), items])
        return await fetch_rows(answer.untagged)

    async def summary(self, uid: int, message_id: str, folder_id: str) -> MessageSummary | None:
        """The summary from the message's header, as POP3 and Maildir have it. One round trip. None if the server
        refuses this too, or if ``MAX_REQUESTS`` are spent."""
        answer = await self._ask([uid], _HEADER_ITEMS)
        responses = await fetch_rows(answer.untagged) if answer and answer.status.kind == "OK" else {}
        row = responses.get(uid, {})
        header = None if UNREADABLE in row else octets(row, b"BODY[HEADER]<0>")
        if header is None:
            return None
        return read_summary(
            header[:MAX_HEADER],
            id=message_id,
            folder_id=folder_id,
            size=read_number(row.get(b"RFC822.SIZE")),
            received_at=read_date_time(row.get(b"INTERNALDATE")),
        )

    async def _ask(self, uids: Sequence[int], items: bytes) -> Answer | None:
        if self.requests >= self.most:
            return None
        self.requests += 1
        [answer] = await self.selection.connection.attempt([b"UID", b"FETCH", uid_set(uids), items])
        if answer.status.kind != "OK" and not is_about_content(error := error_from(answer.status)):
            raise error
        return answer


def is_about_content(error: Exception) -> bool:
    """Whether a refusal may be about one of the messages: not about access or limits. Some servers say of a message
    that they cannot read that they are unavailable; see ``is_temporary``."""
    return type(error) is UpstreamError or is_temporary(error)


def is_temporary(error: Exception) -> bool:
    """Whether the server says that it is unavailable. It may mean one message, so a few requests find out."""
    return type(error) is UpstreamUnavailable
