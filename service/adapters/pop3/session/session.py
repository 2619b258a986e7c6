"""One session: from a login to QUIT, with the maildrop as it was at the login."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from service.adapters.pop3.session.maildrop import (
    LISTING_LIMIT,
    Maildrop,
    content_key,
    header_of,
    read_maildrop,
    size_in_key,
)
from service.adapters.pop3.wire.connection import Answer, Connection
from service.adapters.pop3.wire.replies import PROTOCOL, Reply, broken, error_from
from service.mail.errors import MailError, NotFound, TooLarge, UpstreamError
from service.spool import Spool

LARGE = 256 * 1024
"""Octets above which a listing is parsed in a thread."""
HEADER_LIMIT = 256 * 1024
BEGINNING = 200
"""Lines in which a message's first text begins, which says its charset."""
TOP_LIMIT = 64 * 1024 * 1024
CANDIDATES = 200
"""How many messages of one size have their headers compared, to find one that has no unique-id."""
UNCONFIRMED = "deleteUnconfirmed"

# What a list may cost on a server without TOP, which sends a header only with the whole message.
WHOLE = 1024 * 1024
"""Messages up to this size are read to their end. A larger one is cut after its header, which ends the session."""
BUDGET = 16 * 1024 * 1024
"""Octets that a session reads for that in total."""


class Session:
    """Message numbers are valid in this session only, so callers name messages by keys (see ``maildrop``)."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.opened = asyncio.get_running_loop().time()
        self.reused = False
        """Whether an earlier request used it already."""
        self.is_renewable = False
        """Whether a new session may take its place during a request (see ``Outdated``)."""
        self._maildrop: Maildrop | None = None
        self._blocks: dict[int, bytes] = {}  # of messages that have no other name
        self._spent = 0
        self._refused: set[int] = set()

    @property
    def alive(self) -> bool:
        return self.connection.alive

    async def maildrop(self) -> Maildrop:
        """The maildrop, by UIDL and LIST. They are sent once: one round trip if the server pipelines, otherwise two."""
        if self._maildrop is None:
            asked = self._has_uidl
            answers = await self.connection.ask_all(["UIDL", "LIST"] if asked else ["LIST"], limit=LISTING_LIMIT)
            self._maildrop = await _read_maildrop(answers[-1], answers[0] if asked else None)
        return self._maildrop

    async def warnings(self) -> tuple[str, ...]:
        """The shortcomings of this server: ids made of content cannot distinguish copies, and without TOP a list may
        lack the headers of large messages."""
        maildrop = await self.maildrop()
        unnamed = not self._has_uidl or len(maildrop.uidls) < len(maildrop.sizes)
        return (("ids-unstable",) if unnamed else ()) + (() if self._has_top else ("headers-incomplete",))

    async def key(self, number: int) -> bytes:
        """The message's key, which names it beyond this session."""
        maildrop = await self.maildrop()
        if number in maildrop.uidls:
            return maildrop.uidls[number]
        block = (await self.blocks([number])).get(number)
        if block is None:
            raise TooLarge("The mail server has neither unique-ids nor TOP, and its messages are too large without.")
        return content_key(block, maildrop.sizes[number])

    async def find(self, key: bytes) -> list[int]:
        """The message's number. Copies share a key made of content: then the numbers of all, newest first. Raises
        NotFound."""
        maildrop = await self.maildrop()
        size = size_in_key(key)
        numbers = [maildrop.numbers[key]] if key in maildrop.numbers else []
        if size is not None:
            blocks = await self.blocks(maildrop.of_size(size)[-CANDIDATES:])
            numbers = sorted((n for n, block in blocks.items() if content_key(block, size) == key), reverse=True)
        if not numbers:
            raise NotFound("message")
        return numbers

    async def blocks(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """The header blocks of messages, cut at 256 KiB. A refused one is empty. One is missing if a server without TOP
        would have to send too much for it."""
        blocks = {number: self._blocks[number] for number in numbers if number in self._blocks}
        if self._has_top:
            blocks |= await self._top([number for number in numbers if number not in blocks])
        for number in numbers:
            if number not in blocks and (block := await self._read_small(number)) is not None:
                blocks[number] = block
        uidls = (await self.maildrop()).uidls
        self._blocks |= {number: block for number, block in blocks.items() if number not in uidls}
        return blocks

    async def beginnings(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """The headers and first lines of messages, cut at 256 KiB. Those that the server refuses are missing, and all
        of them on a server without TOP."""
        if not numbers or not self._has_top:
            return {}
        lines = [f"TOP {number} {BEGINNING}" for number in numbers]
        answers = await self.connection.ask_all(lines, limit=TOP_LIMIT, keep=HEADER_LIMIT)
        return {n: answer.body for n, answer in zip(numbers, answers, strict=True) if answer.reply.ok}

    async def cut(self, number: int) -> bytes:
        """A large message's header on a server without TOP. Closes the connection after it, which ends the session."""
        block = bytearray()

        def take(octets: bytes) -> None:
            block.extend(octets)
            if b"\r\n\r\n" in block or len(block) >= HEADER_LIMIT:
                raise _Enough

        try:
            reply = await self.connection.retrieve(number, take)
        except _Enough:
            return bytes(header_of(bytes(block[:HEADER_LIMIT])))
        self._check_refusal(number, reply)
        return header_of(bytes(block)) if reply.ok else b""

    async def fetch(self, number: int, limit: int) -> Spool:
        """The whole message in a spool. Raises TooLarge before RETR if LIST says the size, otherwise during the
        transfer."""
        size = (await self.maildrop()).sizes[number]
        if size > limit:
            raise TooLarge(f"The message is larger than the {limit} octets that can be handled.")
        spool = Spool(limit)
        reply = await self.connection.retrieve(number, spool.write)
        self._check_refusal(number, reply)
        require_ok(reply)
        return spool

    async def confirm(self, keys: Mapping[int, bytes]) -> None:
        """Asks the server again whether these numbers still are these messages. Raises UpstreamProtocol if one is not:
        then none of this session's numbers can be relied on."""
        maildrop = await self.maildrop()
        named = [number for number in keys if number in maildrop.uidls]
        replies = await self.connection.ask_each([f"UIDL {number}" for number in named])
        seen = {number: _unique_id(number, reply) for number, reply in zip(named, replies, strict=True)}
        unnamed = [number for number in keys if number not in seen]
        for number in unnamed:
            self._blocks.pop(number, None)
        blocks = await self.blocks(unnamed)
        seen |= {n: content_key(block, maildrop.sizes[n]) for n, block in blocks.items() if block}
        if seen != dict(keys):
            self.connection.abort()
            raise broken("The mail server no longer shows these messages under their numbers. Nothing was deleted.")

    async def remove(self, numbers: Iterable[int]) -> dict[int, MailError]:
        """Sends DELE, then QUIT, which performs the deletions and ends the session. Returns an error for each message
        that was not deleted, or may not have been."""
        numbers = list(numbers)
        try:
            replies = await self.connection.ask_each([f"DELE {number}" for number in numbers])
            errors = {n: error_from(reply) for n, reply in zip(numbers, replies, strict=True) if not reply.ok}
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
        for number, answer in zip(numbers, answers, strict=True):
            self._check_refusal(number, answer.reply)
        by_number = zip(numbers, answers, strict=True)
        return {number: header_of(answer.body) for number, answer in by_number if answer.reply.ok}

    async def _read_small(self, number: int) -> bytes | None:
        """The header block, read with its message. None if that would cost too much."""
        size = (await self.maildrop()).sizes[number]
        if size > WHOLE or self._spent + size > BUDGET:
            return None
        self._spent += size
        spool = Spool(2 * WHOLE)
        try:
            reply = await self.connection.retrieve(number, spool.write)
        except TooLarge:
            raise broken("The mail server sends far more of a message than it listed.") from None
        self._check_refusal(number, reply)
        return header_of(spool.read(0, HEADER_LIMIT)) if reply.ok else b""

    def _check_refusal(self, number: int, reply: Reply) -> None:
        """Raises Outdated if the server refuses a message that it listed, for the first time in this session."""
        if reply.ok or reply.code == "SYS/TEMP":
            return
        is_new = number not in self._refused
        self._refused.add(number)
        if is_new and self.reused and self.is_renewable:
            raise Outdated("The mail server no longer has a message that it listed.", protocol=PROTOCOL)


class Outdated(UpstreamError):
    """A session that is older than the request can no longer read what it listed: another client moved or removed it.
    Courier keeps the name of each message's file from the login on, and other clients rename it. A new session can."""


def require_ok(reply: Reply) -> None:
    if not reply.ok:
        raise error_from(reply)


class _Enough(Exception):
    """Ends a transfer after the header. It is not an error."""


async def _read_maildrop(listing: Answer, unique_ids: Answer | None) -> Maildrop:
    """-ERR to UIDL means a server without it (the command is optional); -ERR to LIST is an error."""
    require_ok(listing.reply)
    uidls = unique_ids.body if unique_ids is not None and unique_ids.reply.ok else None
    if len(listing.body) + len(uidls or b"") > LARGE:
        return await asyncio.to_thread(read_maildrop, listing.body, uidls)
    return read_maildrop(listing.body, uidls)


def _unique_id(number: int, reply: Reply) -> bytes:
    """The unique-id in "+OK number unique-id"; empty if the answer is for another message."""
    words = reply.text.split(" ")
    return words[1].encode() if reply.ok and len(words) > 1 and words[0] == str(number) else b""


def _unconfirmed() -> UpstreamError:
    detail = "The mail server did not confirm the deletion. List again to see what is there, or delete again."
    return UpstreamError(detail, protocol=PROTOCOL, code=UNCONFIRMED)
