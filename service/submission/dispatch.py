"""Sends a message in one request: through Drafts if the mailbox has folders, else straight, at most once."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime

from service.mail.backend import Backend
from service.mail.errors import NotFound
from service.mail.mime.headers.fields import first, split_headers
from service.mail.model import Capability
from service.mail.submission.model import NewDraft, Submission
from service.submission.drafts import Drafts
from service.submission.folders import DRAFTS, SENT, find, remove
from service.submission.outbox import Options, Outbox
from service.submission.spooled import Spooled


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
            return await self._outbox.send((await self._drafts.create(draft)).id, options)
        return await self._once(message_id, options, draft=draft)

    async def submit_source(self, source: Spooled, options: Options, message_id: str | None) -> Submission:
        """Send a complete message. It gets a Message-ID and a Date if it has none."""
        async with _identified(source, message_id or self._drafts.new_message_id()) as message:
            if options.dry_run or not await self._has_drafts():
                return await self._outbox.send_straight(message, options)
            if message_id is None:
                return await self._outbox.send(await self._append(message), options)
            return await self._once(message.message_id or message_id, options, source=message)

    async def _once(
        self, message_id: str, options: Options, *, draft: NewDraft | None = None, source: Spooled | None = None
    ) -> Submission:
        """Several replicas may be here at once with the same message. Each writes a draft and looks again: the oldest
        draft is the one that is sent. It leaves Drafts only for Sent, so a replica that comes later finds it there."""
        options = replace(options, is_repeatable=True)
        if copies := await find(self._mailbox, SENT, message_id):
            return await self._outbox.sent_before(copies[0])
        rows = await find(self._mailbox, DRAFTS, message_id)
        if not rows:
            own = await self._append(source) if source else (await self._create(draft, message_id))
            rows = await find(self._mailbox, DRAFTS, message_id)
            if rows and rows[-1].id != own:
                await remove(self._mailbox, own)
        try:
            return await self._outbox.send(rows[-1].id if rows else own, options)
        except NotFound:
            if copies := await find(self._mailbox, SENT, message_id):
                return await self._outbox.sent_before(copies[0])
            raise

    async def _create(self, draft: NewDraft | None, message_id: str) -> str:
        assert draft is not None
        return (await self._drafts.create(draft, message_id=message_id)).id

    async def _append(self, source: Spooled) -> str:
        return await self._drafts.store(source)

    async def _has_drafts(self) -> bool:
        await self._mailbox.check()
        return {Capability.APPEND, Capability.FLAGS} <= self._mailbox.capabilities


@asynccontextmanager
async def _identified(source: Spooled, message_id: str) -> AsyncGenerator[Spooled, None]:
    """The source, with the fields in front of it that it lacks."""
    fields = split_headers(source.header)
    lacking = []
    if source.message_id is None:
        lacking.append(f"Message-ID: <{message_id}>\r\n")
    if first(fields, "Date") is None:
        lacking.append(f"Date: {format_datetime(datetime.now(UTC))}\r\n")
    if not lacking:
        yield source
        return
    complete = Spooled()
    try:
        await complete.write("".join(lacking).encode())
        async for chunk in source.chunks():
            await complete.write(chunk)
        yield complete
    finally:
        complete.close()
