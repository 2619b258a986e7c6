"""One login: the maildrop it sees, and what is read or removed by way of it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from service.adapters.pop3.session.maildrop import (
    LISTING_LIMIT,
    Drop,
    content_place,
    content_size,
    header_of,
    read_drop,
)
from service.adapters.pop3.wire.connection import Answer, Connection
from service.adapters.pop3.wire.replies import PROTOCOL, Reply, broken, refusal
from service.adapters.shared.spool import Spool
from service.mail.errors import MailError, NotFound, TooLarge, UpstreamError

LARGE = 256 * 1024
"""Octets above which parsing leaves the event loop."""
HEADER_LIMIT = 256 * 1024
TOP_LIMIT = 64 * 1024 * 1024
CANDIDATES = 200
"""Messages of one size whose headers are compared to find one that has no unique-id."""
UNCONFIRMED = "deleteUnconfirmed"

# What a list may cost on a server without TOP, where a header can only be read by reading the message.
WHOLE = 1024 * 1024
"""Messages up to this size are read to their end; a larger one is cut after its header, which costs the session."""
BUDGET = 16 * 1024 * 1024
"""Octets a session reads for that in all."""


class Session:
    """Numbers mean nothing outside of it, so none is kept: messages are named by their place (see ``drop``)."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.opened = asyncio.get_running_loop().time()
        self.reused = False
        """Whether an earlier request was in it already."""
        self._drop: Drop | None = None
        self._blocks: dict[int, bytes] = {}  # of messages that have no other name
        self._spent = 0

    @property
    def alive(self) -> bool:
        return self.connection.alive

    async def drop(self) -> Drop:
        """UIDL and LIST, asked once: one round trip where the server pipelines, else two."""
        if self._drop is None:
            asked = self._has_uidl
            answers = await self.connection.ask_all(["UIDL", "LIST"] if asked else ["LIST"], limit=LISTING_LIMIT)
            self._drop = await _read_drop(answers[-1], answers[0] if asked else None)
        return self._drop

    async def warnings(self) -> tuple[str, ...]:
        """What to know of this server: ids made of content cannot tell copies apart, and without TOP the headers of
        large messages may stay unread in a list."""
        drop = await self.drop()
        unnamed = not self._has_uidl or len(drop.uidls) < len(drop.sizes)
        return (("ids-unstable",) if unnamed else ()) + (() if self._has_top else ("headers-incomplete",))

    async def place(self, number: int) -> bytes:
        """What names the message beyond this session."""
        drop = await self.drop()
        if number in drop.uidls:
            return drop.uidls[number]
        block = (await self.blocks([number])).get(number)
        if block is None:
            raise TooLarge("The mail server has neither unique-ids nor TOP, and its messages are too large without.")
        return content_place(block, drop.sizes[number])

    async def find(self, place: bytes) -> list[int]:
        """The message's number; several where copies share a place made of content, the newest first; never none."""
        drop = await self.drop()
        size = content_size(place)
        found = [drop.numbers[place]] if place in drop.numbers else []
        if size is not None:
            blocks = await self.blocks(drop.of_size(size)[-CANDIDATES:])
            found = sorted((n for n, block in blocks.items() if content_place(block, size) == place), reverse=True)
        if not found:
            raise NotFound("message")
        return found

    async def blocks(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """The header blocks of messages, cut at 256 KiB. A refused one is empty; one a server without TOP would have to
        send too much for is missing."""
        blocks = {number: self._blocks[number] for number in numbers if number in self._blocks}
        if self._has_top:
            blocks |= await self._top([number for number in numbers if number not in blocks])
        for number in numbers:
            if number not in blocks and (block := await self._read_small(number)) is not None:
                blocks[number] = block
        uidls = (await self.drop()).uidls
        self._blocks |= {number: block for number, block in blocks.items() if number not in uidls}
        return blocks

    async def cut(self, number: int) -> bytes:
        """A large message's header on a server without TOP: read so far, then closed. The session ends with it."""
        block = bytearray()

        def take(octets: bytes) -> None:
            block.extend(octets)
            if b"\r\n\r\n" in block or len(block) >= HEADER_LIMIT:
                raise _Enough

        try:
            reply = await self.connection.retrieve(number, take)
        except _Enough:
            return bytes(header_of(bytes(block[:HEADER_LIMIT])))
        return header_of(bytes(block)) if reply.ok else b""

    async def fetch(self, number: int, limit: int) -> Spool:
        """The whole message, put aside. TooLarge is known from LIST where that tells the truth, else on the way."""
        size = (await self.drop()).sizes[number]
        if size > limit:
            raise TooLarge(f"The message is larger than the {limit} octets that can be handled.")
        spool = Spool(limit)
        require_ok(await self.connection.retrieve(number, spool.write))
        return spool

    async def confirm(self, places: Mapping[int, bytes]) -> None:
        """That these numbers still are these messages, asked of the server once more. UpstreamProtocol where one is
        not: then none of this session's numbers can be relied on."""
        drop = await self.drop()
        named = [number for number in places if number in drop.uidls]
        replies = await self.connection.tell_all([f"UIDL {number}" for number in named])
        seen = {number: _unique_id(number, reply) for number, reply in zip(named, replies, strict=True)}
        unnamed = [number for number in places if number not in seen]
        for number in unnamed:
            self._blocks.pop(number, None)
        blocks = await self.blocks(unnamed)
        seen |= {n: content_place(block, drop.sizes[n]) for n, block in blocks.items() if block}
        if seen != dict(places):
            self.connection.abort()
            raise broken("The mail server no longer shows these messages in their places. Nothing was deleted.")

    async def remove(self, numbers: Iterable[int]) -> dict[int, MailError]:
        """DELE, then the QUIT that alone makes it happen; the session ends. Answers what was not removed, or is not
        known to have been."""
        numbers = list(numbers)
        try:
            replies = await self.connection.tell_all([f"DELE {number}" for number in numbers])
            errors = {n: refusal(reply) for n, reply in zip(numbers, replies, strict=True) if not reply.ok}
            committed = len(errors) == len(numbers) or (await self.connection.quit()).ok
        except MailError:
            errors, committed = {}, False
        return errors if committed else {number: errors.get(number, _unconfirmed()) for number in numbers}

    @property
    def _has_uidl(self) -> bool:
        return self.connection.capabilities is None or self.connection.offers("UIDL")

    @property
    def _has_top(self) -> bool:
        return self.connection.capabilities is None or self.connection.offers("TOP")

    async def _top(self, numbers: Sequence[int]) -> dict[int, bytes]:
        lines = [f"TOP {number} 0" for number in numbers]
        answers = await self.connection.ask_all(lines, limit=TOP_LIMIT, keep=HEADER_LIMIT)
        found = zip(numbers, answers, strict=True)
        return {number: header_of(answer.body) for number, answer in found if answer.reply.ok}

    async def _read_small(self, number: int) -> bytes | None:
        """None where reading it would cost too much."""
        size = (await self.drop()).sizes[number]
        if size > WHOLE or self._spent + size > BUDGET:
            return None
        self._spent += size
        spool = Spool(2 * WHOLE)
        try:
            reply = await self.connection.retrieve(number, spool.write)
        except TooLarge:
            raise broken("The mail server sends far more of a message than it listed.") from None
        return header_of(spool.read(0, HEADER_LIMIT)) if reply.ok else b""


def require_ok(reply: Reply) -> None:
    if not reply.ok:
        raise refusal(reply)


class _Enough(Exception):
    """No error: the header is read, the rest of the message is not wanted."""


async def _read_drop(listing: Answer, unique_ids: Answer | None) -> Drop:
    """-ERR to UIDL is a server without (the command is optional), -ERR to LIST an error."""
    require_ok(listing.reply)
    uidls = unique_ids.body if unique_ids is not None and unique_ids.reply.ok else None
    if len(listing.body) + len(uidls or b"") > LARGE:
        return await asyncio.to_thread(read_drop, listing.body, uidls)
    return read_drop(listing.body, uidls)


def _unique_id(number: int, reply: Reply) -> bytes:
    """From "+OK number unique-id"; nothing where the answer is of another message."""
    words = reply.text.split(" ")
    return words[1].encode() if reply.ok and len(words) > 1 and words[0] == str(number) else b""


def _unconfirmed() -> UpstreamError:
    detail = "The mail server did not confirm the deletion. List again to see what is there, or delete again."
    return UpstreamError(detail, protocol=PROTOCOL, code=UNCONFIRMED)
