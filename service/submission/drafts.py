"""Drafts: complete messages in Drafts, so that any mail program can go on with them. Every change writes a new message and
then removes the old one."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from service.mail.backend import Backend
from service.mail.errors import MailError, NotFound
from service.mail.mime.compose.composition import compose
from service.mail.mime.compose.pieces import Identified
from service.mail.mime.compose.reading import read_draft
from service.mail.model import Address, Header, HtmlMode, Message, Source
from service.mail.submission.model import DraftRef, NewDraft
from service.submission.assembly import assembled
from service.submission.attachments import Attachments
from service.submission.folders import DRAFTS, find, within
from service.submission.letter import ANSWERED, FORWARDED, ORIGINAL, require_draft

FLAGS = ("$draft", "$seen")
_KEPT = ("In-Reply-To", "References", ORIGINAL)


class Drafts:
    """The drafts of one account. ``author`` is its own address, if it has one."""

    def __init__(self, mailbox: Backend, author: Address | None) -> None:
        self._mailbox, self._author = mailbox, author

    async def create(
        self, draft: NewDraft, *, message_id: str | None = None, original: "Original | None" = None
    ) -> DraftRef:
        """Write a draft. The round trips of an append, and those of reading what it refers to."""
        if original is None and draft.in_reply_to is not None:
            original = Original(await self._mailbox.get_message(draft.in_reply_to, HtmlMode.NONE), ANSWERED)
        identified = Identified(
            message_id=message_id or self._new_message_id(draft),
            date=datetime.now(UTC),
            author=self._author,
            in_reply_to=original.in_reply_to if original else (),
            references=original.references if original else (),
            internal=original.fields if original else (),
        )
        return await self._write(draft, identified)

    async def read(self, draft: str) -> NewDraft:
        """A draft, as far as this service can write it."""
        return read_draft(await self._draft(draft))

    async def change(self, draft: str, patch: NewDraft) -> DraftRef:
        """Replace the members that ``patch`` was given. Returns the new id; the old one is gone."""
        message = await self._draft(draft)
        merged = read_draft(message).model_copy(update={name: getattr(patch, name) for name in patch.model_fields_set})
        if patch.in_reply_to is not None:
            identified = ...
        return await self._replace(message, merged)
