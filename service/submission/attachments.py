"""The attachments of a draft, found in the messages that they are parts of."""

from base64 import b64decode
from binascii import Error
from collections.abc import Iterable

from service.mail.backend import Backend
from service.mail.errors import InvalidRequest, NotFound
from service.mail.mime.compose.copying import copied, copied_message
from service.mail.mime.compose.values import Resolved
from service.mail.model import HtmlMode, Message
from service.mail.submission.model import Attachment
from service.submission.letter import is_8bit

_DEFAULT_TYPE = "application/octet-stream"


class Attachments:
    """Reads each message that attachments refer to once. ``known`` are messages that were read before."""

    def __init__(self, mailbox: Backend, *known: Message) -> None:
        self._mailbox = mailbox
        self._messages = {message.id: message for message in known}

    async def resolve(self, attachments: Iterable[Attachment]) -> list[Resolved]:
        """In order. Raises NotFound for a message or part that is not there, InvalidRequest for wrong base64."""
        return [await self._resolve(each) for each in attachments]

    async def _resolve(self, attachment: Attachment) -> Resolved:
        if attachment.message_id is None:
            return _given(attachment)
        message = await self._message(attachment.message_id)
        if attachment.part_id is None:
            named = attachment if attachment.name else attachment.model_copy(update={"name": _name(message)})
            return copied_message(named, is_8bit=is_8bit(message.structure))
        for part in message.structure.walk():
            if part.id == attachment.part_id:
                return copied(attachment, part)
        raise NotFound("part")

    async def _message(self, message: str) -> Message:
        if message not in self._messages:
            self._messages[message] = await self._mailbox.get_message(message, HtmlMode.NONE)
        return self._messages[message]


def _given(attachment: Attachment) -> Resolved:
    try:
        content = b64decode(attachment.content or "", validate=True)
    except (Error, ValueError):
        raise InvalidRequest("The content of an attachment is not base64.") from None
    return Resolved(
        body=content,
        type=attachment.type or _DEFAULT_TYPE,
        name=attachment.name,
        disposition=attachment.disposition,
        cid=attachment.cid,
    )


def _name(message: Message) -> str:
    return f"{(message.subject or '').strip()[:80] or 'message'}.eml"
