"""Drafts: complete messages in Drafts, so that any mail program can go on with them. Every change writes a new message
and then removes the old one."""

import asyncio
from collections.abc import AsyncIterator, Container, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

from service.mail.backend import Backend
from service.mail.errors import InvalidRequest, NotFound, NotSupported, TooLarge, UpstreamError
from service.mail.exchange import Source
from service.mail.mime.body import choose
from service.mail.mime.charset import decode_text
from service.mail.mime.compose.composing import compose
from service.mail.mime.compose.drafts import read_draft, require_whole
from service.mail.mime.compose.values import Composition, Identified, Resolved, Uploaded
from service.mail.mime.headers.fields import MAX_FIELDS
from service.mail.model import Address, Header, HtmlMode, Message
from service.mail.submission.model import MAX_ATTACHMENTS, MAX_TEXT, Attachment, DraftRef, NewDraft
from service.spooled import Spooled
from service.submission.assembly import assembled, parts_of
from service.submission.attachments import Attachments
from service.submission.claims import Turns, unsent
from service.submission.folders import DRAFTS, find, remove, within
from service.submission.letter import ANSWERED, MAX_HEADER, ORIGINAL, require_draft
from service.submission.repeats import REQUEST
from service.submission.replies.threads import forward_thread, reply_thread

FLAGS = ("$draft", "$seen")
_BODY = {"text", "html"}
_SHORT = 64 << 10
"""Characters that are composed in a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Thread:
    """What ties a draft to the message that it answers or forwards: Message-IDs, and our own field."""

    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    original: str | None = None

    @property
    def internal(self) -> tuple[tuple[str, str], ...]:
        """The fields that are not sent."""
        return ((ORIGINAL, self.original),) if self.original else ()


@dataclass(slots=True)
class Stored:
    """A draft as it is in the mailbox."""

    message: Message
    headers: Sequence[Header]
    draft: NewDraft

    @property
    def thread(self) -> Thread:
        original = ["".join(header.value.split()) for header in self.headers if header.name.lower() == ORIGINAL.lower()]
        in_reply_to = self.message.in_reply_to or ()
        return Thread(in_reply_to, self.message.references, original[0] if original else None)

    def require_whole(self, given: Container[str] = ()) -> None:
        """See ``compose.drafts.require_whole``; also if the adapter has cut the header."""
        octets = sum(len(header.name) + len(header.raw) + 3 for header in self.headers)
        if octets > MAX_HEADER or len(self.headers) >= MAX_FIELDS:
            raise TooLarge(f"The header of the draft exceeds {MAX_HEADER // 1024} KiB or {MAX_FIELDS} fields.")
        require_whole(self.headers, given)


class Drafts:
    """The drafts of one account. ``author`` is its own address, if it has one; ``turns`` are those of sending."""

    def __init__(self, mailbox: Backend, author: Address | None, turns: Turns | None = None) -> None:
        self._mailbox, self._author = mailbox, author
        self._turns = turns or Turns()

    async def create(self, draft: NewDraft, *, message_id: str | None = None, thread: Thread | None = None) -> DraftRef:
        """Write a draft: the round trips of an append, and those of reading what it refers to."""
        thread = await self._thread(draft) if thread is None else thread
        identified = self._identified(message_id or self.new_message_id(draft), thread)
        attachments = await Attachments(self._mailbox).resolve(draft.attachments)
        return await self._write(draft, attachments, identified)

    async def read(self, draft: str) -> NewDraft:
        """A draft, as far as this service can write it. Three round trips; more if its text is long."""
        return (await self._stored(draft)).draft

    async def change(self, draft: str, patch: NewDraft) -> DraftRef:
        """Replace the members that ``patch`` was given. The old draft is removed once the new one is there. As
        ``attach`` and ``detach``, raises InUse while the draft is sent."""
        stored = await self._stored(draft)
        given = patch.given
        stored.require_whole(given)
        if len(given.keys() & _BODY) == 1:  # the other form of the text would say something else
            given = dict.fromkeys(_BODY) | given
        merged = stored.draft.model_copy(update=given)
        thread = await self._thread(patch) if patch.in_reply_to is not None else stored.thread
        return await self._replace(stored, merged, thread=thread)

    async def attach(self, draft: str, upload: Source, attachment: Attachment) -> tuple[DraftRef, str]:
        """Add a file, which is streamed. ``attachment`` says its type and name. Returns the id of its part too."""
        stored = await self._stored(draft)
        stored.require_whole()
        if len(stored.draft.attachments) >= MAX_ATTACHMENTS:
            raise InvalidRequest(f"A draft has at most {MAX_ATTACHMENTS} attachments.")
        added = Resolved(
            body=Uploaded(0),
            type=attachment.type or "application/octet-stream",
            name=attachment.name,
            disposition=attachment.disposition,
            cid=attachment.cid,
        )
        reference = await self._replace(stored, stored.draft, [added], [upload])
        written = await self._mailbox.get_message(reference.id, HtmlMode.NONE)
        shown = [part for part in written.attachments if attachment.cid and part.cid == attachment.cid]
        return reference, (shown or written.attachments)[-1].id

    async def detach(self, draft: str, part: str) -> DraftRef:
        """Remove an attachment. Raises NotFound if the draft has none with this id."""
        stored = await self._stored(draft)
        left = tuple(each for each in stored.draft.attachments if each.part_id != part)
        if len(left) == len(stored.draft.attachments):
            raise NotFound("part")
        stored.require_whole()
        return await self._replace(stored, stored.draft.model_copy(update={"attachments": left}))

    async def _stored(self, draft: str) -> Stored:
        message = await self._mailbox.get_message(draft, HtmlMode.ORIGINAL)
        await require_draft(self._mailbox, message)
        headers = await self._mailbox.list_headers(draft)
        text, html = await self._long_texts(message) if message.body.is_truncated else (None, None)
        return Stored(message, headers, read_draft(message, headers, text=text, html=html))

    async def _long_texts(self, message: Message) -> tuple[str | None, str | None]:
        """The texts that are longer than the body of a message."""
        chosen = choose(message.structure)
        texts = {}
        for part in chosen.parts[:2]:
            download = await self._mailbox.open_part(message.id, part.id)
            octets = bytearray()
            async with aclosing(download.chunks) as chunks:
                async for chunk in chunks:
                    octets += chunk
                    if len(octets) > 4 * MAX_TEXT:
                        break
            texts[part.type] = decode_text(bytes(octets), part.charset).text
        return texts.get("text/plain"), texts.get("text/html")

    async def _thread(self, draft: NewDraft) -> Thread:
        if draft.in_reply_to is None:
            return Thread()
        original = await self._mailbox.get_message(draft.in_reply_to, HtmlMode.NONE)
        return answering(original)

    def _identified(self, message_id: str, thread: Thread) -> Identified:
        return Identified(
            message_id=message_id,
            date=datetime.now(UTC),
            from_=self._author,
            references=thread.references,
            in_reply_to=thread.in_reply_to,
            internal=thread.internal,
        )

    def new_message_id(self, draft: NewDraft | None = None) -> str:
        """A new Message-ID in the domain of the author."""
        author = (draft.from_ if draft else None) or self._author
        return f"{uuid4()}@{id_domain(author)}"

    async def _replace(
        self,
        stored: Stored,
        draft: NewDraft,
        added: Sequence[Resolved] = (),
        uploads: Sequence[Source] = (),
        thread: Thread | None = None,
    ) -> DraftRef:
        message_id = stored.message.message_id or self.new_message_id(draft)
        attachments = await Attachments(self._mailbox, stored.message).resolve(draft.attachments)
        identified = self._identified(message_id, thread or stored.thread)
        async with unsent(self._mailbox, stored.message.id, self._turns) as claim:
            reference = await self._write(draft, [*attachments, *added], identified, uploads)
            if not await remove(self._mailbox, stored.message.id):
                await claim.release()
        return reference

    async def _write(
        self, draft: NewDraft, attachments: Sequence[Resolved], identified: Identified, uploads: Sequence[Source] = ()
    ) -> DraftRef:
        composition = await _composed(draft, attachments, identified)
        if (stored := await self._assembled_there(composition)) is not None:
            return DraftRef(id=stored, message_id=identified.message_id)
        async with assembled(self._mailbox, composition, uploads) as message:
            return DraftRef(id=await self.store(message), message_id=identified.message_id)

    async def _assembled_there(self, composition: Composition) -> str | None:
        """The id of the draft, if the mail server can put it together itself."""
        pieces = parts_of(composition)
        if pieces is None:
            return None
        try:
            stored = await within(
                self._mailbox, DRAFTS, lambda folder: self._mailbox.append_assembled(folder, pieces, FLAGS)
            )
        except NotSupported:
            return None
        return stored or await self._found(composition.message_id)

    async def _found(self, message_id: str | None) -> str:
        """The id of a draft that was just stored."""
        rows = await find(self._mailbox, DRAFTS, message_id) if message_id else []
        if not rows:
            raise UpstreamError("The draft was stored, but the mail server does not say where. List the drafts.")
        return rows[0].id

    @asynccontextmanager
    async def composed(
        self, draft: NewDraft, message_id: str | None, mark: str | None = None
    ) -> AsyncIterator[Spooled]:
        """The message of a draft, without storing it. ``mark`` is that of a request that may be repeated."""
        identified = self._identified(message_id or self.new_message_id(draft), await self._thread(draft))
        if mark is not None:
            identified = replace(identified, internal=(*identified.internal, (REQUEST, mark)))
        attachments = await Attachments(self._mailbox).resolve(draft.attachments)
        async with assembled(self._mailbox, await _composed(draft, attachments, identified)) as message:
            yield message

    async def store(self, message: Source) -> str:
        """Append a complete message to Drafts, which is created if the mailbox has none. Returns its id."""

        async def append(folder: str) -> str | None:
            return await self._mailbox.append_message(folder, message, FLAGS)

        return await within(self._mailbox, DRAFTS, append) or await self._found(message.message_id)


def id_domain(author: Address | None) -> str:
    """What stands behind the @ of the author's Message-IDs."""
    domain = author.email.rpartition("@")[2] if author else ""
    return domain if domain.isascii() and domain else "localhost"


async def _composed(draft: NewDraft, attachments: Sequence[Resolved], identified: Identified) -> Composition:
    """In a thread if its texts are long."""
    if len(draft.text or "") + len(draft.html or "") <= _SHORT:
        return compose(draft, attachments, identified)
    return await asyncio.to_thread(compose, draft, attachments, identified)


def answering(original: Message, flag: str = ANSWERED) -> Thread:
    """The place of an answer or a forward in the original's thread (RFC 5322, 3.6.4). The original gets ``flag`` once
    the draft is sent."""
    thread = reply_thread(original) if flag == ANSWERED else forward_thread(original)
    in_reply_to = (thread.in_reply_to,) if thread.in_reply_to else ()
    return Thread(in_reply_to, thread.references, f"{flag}:{original.id}")
