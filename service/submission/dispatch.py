"""Sends a message in one request: through Drafts if the mailbox has folders, else straight, at most once."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias

from service.mail.backend import Backend
from service.mail.errors import NotFound
from service.mail.mime.compose.header import date_field, id_field, internal_field
from service.mail.mime.headers.fields import first, split_headers
from service.mail.model import Capability
from service.mail.submission.model import NewDraft, Submission
from service.spooled import Spooled
from service.submission.drafts import Drafts
from service.submission.folders import remove
from service.submission.outbox import Options, Outbox
from service.submission.repeats import REQUEST, Repeat

Opened: TypeAlias = Callable[[], AbstractAsyncContextManager[Spooled]]
"""Opens the message to send, which may have to be composed first."""


class Dispatch:
    """Writes and sends for one account. ``message_id`` is that of a request that may have been made before, perhaps to
    another replica; None if it has no Idempotency-Key."""

    def __init__(self, mailbox: Backend, drafts: Drafts, outbox: Outbox) -> None:
        self._mailbox, self._drafts, self._outbox = mailbox, drafts, outbox

    async def submit(self, draft: NewDraft, options: Options, message_id: str | None) -> Submission:
        """Compose and send. Raises as ``Outbox.send``; the draft stays then, if the mailbox has folders."""
        if options.dry_run or not await self._has_drafts():
            async with self._drafts.composed(draft, message_id) as message:
                return await self._outbox.send_straight(message, options)
        if message_id is None:
            return await self._first(partial(self._drafts.composed, draft, None), options)
        repeat = Repeat.of_draft(draft, message_id)
        return await self._once(repeat, options, partial(self._drafts.composed, draft, message_id, repeat.mark))

    async def submit_source(self, source: Spooled, options: Options, message_id: str | None) -> Submission:
        """Send a complete message. It gets a Message-ID and a Date if it has none."""
        is_kept = not options.dry_run and await self._has_drafts()
        repeat = Repeat.of_source(source, message_id) if is_kept and message_id is not None else None
        identified = _identified(source, message_id or self._drafts.new_message_id(), repeat)
        if not is_kept:
            async with identified as message:
                return await self._outbox.send_straight(message, options)
        if repeat is None:
            return await self._first(lambda: identified, options)
        return await self._once(repeat, options, lambda: identified)

    async def _first(self, opened: Opened, options: Options) -> Submission:
        async with opened() as message:
            self._outbox.require_sendable(message, options)
            return await self._outbox.send_stored(await self._drafts.store(message), message, options, is_new=True)

    async def _once(self, repeat: Repeat, options: Options, opened: Opened) -> Submission:
        """Several replicas may be here at once with the same message. Each writes a draft and looks again: the oldest
        draft is the one that is sent. It leaves Drafts only for Sent, so a replica that comes later finds it there."""
        options = replace(options, repeat=repeat)
        try:
            if copies := await repeat.sent(self._mailbox):
                return await self._outbox.sent_before(copies[0])
            if rows := await repeat.drafts(self._mailbox):
                return await self._outbox.send(rows[-1].id, options)
            return await self._written(repeat, options, opened)
        except NotFound as missing:
            if copies := await repeat.sent(self._mailbox):
                return await self._outbox.sent_before(copies[0])
            raise missing from None

    async def _written(self, repeat: Repeat, options: Options, opened: Opened) -> Submission:
        async with opened() as message:
            self._outbox.require_sendable(message, options)
            own = await self._drafts.store(message)
            rows = await repeat.drafts(self._mailbox)
            if not rows or rows[-1].id == own:
                return await self._outbox.send_stored(own, message, options)
        if own in {row.id for row in rows}:  # else the server named another message
            await remove(self._mailbox, own)
        return await self._outbox.send(rows[-1].id, options)

    async def _has_drafts(self) -> bool:
        await self._mailbox.check()
        return {Capability.APPEND, Capability.FLAGS} <= self._mailbox.capabilities


@asynccontextmanager
async def _identified(source: Spooled, message_id: str, repeat: Repeat | None) -> AsyncGenerator[Spooled, None]:
    """The source, with the fields in front of it that it lacks, and the mark of a request that may be repeated."""
    fields = split_headers(source.header)
    lacking = b"" if source.message_id is not None else id_field("Message-ID", message_id)
    if first(fields, "Date") is None:
        lacking += date_field(datetime.now(UTC))
    if repeat is not None:
        lacking += internal_field(REQUEST, repeat.mark)
    if not lacking:
        yield source
        return
    complete = Spooled()
    try:
        await complete.write(lacking)
        async for chunk in source.chunks():
            await complete.write(chunk)
        yield complete
    finally:
        complete.close()
