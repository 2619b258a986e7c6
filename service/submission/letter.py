"""A draft as it is sent: its envelope, and what sending it does to other messages."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.mail.backend import Backend
from service.mail.errors import InvalidRequest, MailError, NotFound, TooLarge
from service.mail.mime.compose.envelope import envelope_of, make_envelope
from service.mail.mime.compose.header import internal_fields
from service.mail.model import Address, Header, HtmlMode, Message, Part
from service.mail.submission.submitter import Envelope
from service.spooled import Spooled
from service.submission.folders import DRAFTS

ORIGINAL = "X-Casella-Original"
"""The field of a draft that names the message it answers or forwards. It is not sent."""
ANSWERED, FORWARDED = "$answered", "$forwarded"
_8BIT = {"8bit", "binary"}
MAX_HEADER = 250 << 10
"""Octets: a little less than adapters read."""


@dataclass(frozen=True, slots=True)
class Letter:
    """``original`` is the id of a message, and the flag it gets once this one is sent."""

    id: str
    message_id: str
    envelope: Envelope
    original: tuple[str, str] | None = None


class Left(NotFound):
    """The draft has left Drafts while it was read: perhaps another process has sent it."""

    def __init__(self, message_id: str) -> None:
        super().__init__("message")
        self.message_id = message_id


async def read_letter(
    mailbox: Backend,
    draft: str,
    sender: str | None,
    recipients: Sequence[str],
    *,
    notifies: bool,
    is_sent: bool = False,
) -> Letter:
    """Three round trips. ``sender`` and ``recipients`` replace those of the header. Raises InvalidRequest for a message
    that is not a draft, or has no Message-ID or no recipient, and Left."""
    message = await mailbox.get_message(draft, HtmlMode.NONE)
    if not is_sent:
        await require_draft(mailbox, message)
    if message.message_id is None and not is_sent:
        raise InvalidRequest("The draft has no Message-ID. Change it first, with PATCH.")
    message_id = message.message_id or ""
    try:
        headers = await mailbox.list_headers(draft)
    except NotFound:
        raise Left(message_id) from None
    header = _octets(headers)
    if len(header) > MAX_HEADER:  # a longer one is cut by the adapter: recipients could be missing
        raise TooLarge(f"The header of the draft exceeds {MAX_HEADER // 1024} KiB.")
    written = _addressed(envelope_of(header), sender, recipients)
    if not written.recipients:
        raise InvalidRequest("The draft has no recipients.")
    envelope = replace(
        written,
        size=message.size,
        is_8bit=is_8bit(message.structure),
        id=message_id if notifies and message_id else None,
    )
    return Letter(draft, message_id, envelope, _original(header))


def read_message(message: Spooled, sender: str | None, recipients: Sequence[str], *, notifies: bool) -> Letter:
    """The same for a message that is in no mailbox."""
    written = _addressed(envelope_of(message.header), sender, recipients)
    if not written.recipients:
        raise InvalidRequest("The message has no recipients.")
    message_id = message.message_id or ""
    envelope = replace(
        written,
        size=message.size,
        is_8bit=message.is_8bit,
        id=message_id if notifies and message_id else None,
    )
    return Letter("", message_id, envelope, _original(message.header))


async def require_draft(mailbox: Backend, message: Message) -> None:
    """Raises InvalidRequest if the message neither has ``$draft`` nor is in Drafts: a received message must not be
    changed or sent by mistake."""
    if "$draft" in message.flags:
        return
    try:
        drafts = (await mailbox.get_folder(DRAFTS)).id
    except MailError:
        drafts = ""
    if message.folder_id != drafts:
        raise InvalidRequest("This message is not a draft.")


def is_8bit(structure: Part) -> bool:
    """Whether a part may have octets above 127."""
    return any(part.encoding in _8BIT for part in structure.walk())


def _octets(headers: Sequence[Header]) -> bytes:
    return "".join(f"{header.name}:{header.raw}\r\n" for header in headers).encode("latin-1", "replace")


def _addressed(written: Envelope, sender: str | None, recipients: Sequence[str]) -> Envelope:
    """The envelope with another sender and other recipients, if they are given. An empty sender stays empty."""
    if sender is None and not recipients:
        return written
    author = Address(email=sender or written.sender)
    given = make_envelope(author, [Address(email=each) for each in recipients or written.recipients])
    return replace(given, sender="" if sender == "" else given.sender, is_utf8=given.is_utf8 or written.is_utf8)


def _original(header: bytes) -> tuple[str, str] | None:
    flag, _, message = internal_fields(header).get(ORIGINAL.lower(), "").partition(":")
    return (message, flag) if flag in {ANSWERED, FORWARDED} and message else None
