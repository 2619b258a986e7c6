"""Requests that may have been made before, perhaps to another replica, and are recognised by what they left in the
mailbox.

A Message-ID alone does not tell: an app may give the same one to a draft that it keeps and to the message that it sends
in the end, or to two messages. So what is stored for a request with a key has a mark of the key and of what was asked.
It is not sent. A copy that the provider filed has no mark: that one is compared.
"""

from dataclasses import dataclass
from hashlib import blake2b

from service.mail.backend import Backend
from service.mail.errors import InvalidRequest, NotFound
from service.mail.mime.headers.dates import parse_date
from service.mail.mime.headers.fields import first_value, list_headers, split_headers
from service.mail.model import Header, MessageSummary
from service.mail.submission.model import NewDraft
from service.spooled import Spooled
from service.submission.folders import DRAFTS, SENT, find, find_with

REQUEST = "X-Casella-Request"
_COMPARED = ("Date", "Subject")


@dataclass(frozen=True, slots=True)
class Repeat:
    """``message_id`` is that of the message; ``key_id`` is made of the key, and is the Message-ID of messages that came
    without one. ``digest`` is of what was asked, ``header`` that of a message that came complete. ``is_odd``: servers
    may not find its Message-ID, or read another one."""

    message_id: str
    key_id: str
    digest: str
    header: bytes = b""
    is_odd: bool = False

    @classmethod
    def of_draft(cls, draft: NewDraft, key_id: str) -> "Repeat":
        """Of a message that is composed here."""
        digest = blake2b(repr(draft.model_dump()).encode(errors="replace"), digest_size=16).hexdigest()
        return cls(key_id, key_id, digest)

    @classmethod
    def of_source(cls, source: Spooled, key_id: str) -> "Repeat":
        """Of a message that came complete."""
        given = [field.raw.strip() for field in split_headers(source.header, {"message-id"})]
        message_id = source.message_id or key_id
        is_odd = bool(given) and given != [f"<{message_id}>".encode()]
        return cls(message_id, key_id, source.digest.hex(), source.header, is_odd)

    @property
    def mark(self) -> str:
        """The value of the field ``REQUEST``."""
        return f"{self.key_id}/{self.digest}"

    async def drafts(self, mailbox: Backend) -> list[MessageSummary]:
        """What this request left in Drafts, the newest first. Two or three round trips, and one for each draft. Raises
        InvalidRequest if it was another request with the same key."""
        return [row for row in await self._candidates(mailbox, DRAFTS) if await self._left(mailbox, row)]

    async def sent(self, mailbox: Backend) -> list[MessageSummary]:
        """The same in Sent."""
        return await self.own(mailbox, await self.copies(mailbox))

    async def copies(self, mailbox: Backend) -> list[MessageSummary]:
        """What this request may have left in Sent."""
        return await self._candidates(mailbox, SENT)

    async def _candidates(self, mailbox: Backend, folder: str) -> list[MessageSummary]:
        if self.is_odd:
            return await find_with(mailbox, folder, REQUEST, self.key_id)
        return await find(mailbox, folder, self.message_id)

    async def own(self, mailbox: Backend, copies: list[MessageSummary]) -> list[MessageSummary]:
        """Those of the messages in Sent that this request left there."""
        return [row for row in copies if await self._left(mailbox, row, may_be_filed=True)]

    async def _left(self, mailbox: Backend, row: MessageSummary, *, may_be_filed: bool = False) -> bool:
        try:
            fields = await mailbox.list_headers(row.id, (REQUEST, *_COMPARED))
        except NotFound:
            return False
        mark = first_value(fields, REQUEST)
        if mark is None:
            return self.message_id == self.key_id or (may_be_filed and self._is_like(fields))
        key_id, _, digest = "".join(mark.split()).partition("/")
        if key_id == self.key_id and digest != self.digest:
            raise InvalidRequest(
                "This Idempotency-Key was used for another request. Use a new key for each request.",
                location="header.Idempotency-Key",
            )
        return key_id == self.key_id

    def _is_like(self, fields: tuple[Header, ...]) -> bool:
        """Whether a copy without a mark is this message: by its Date, or by the subject of one that came without."""
        given = list_headers(self.header, _COMPARED)
        date, other = (first_value(each, "Date") for each in (given, fields))
        if date is not None and (moment := parse_date(date)) is not None:
            return moment == parse_date(other)
        return _words(first_value(given, "Subject")) == _words(first_value(fields, "Subject"))


def _words(text: str | None) -> list[str]:
    return (text or "").split()
