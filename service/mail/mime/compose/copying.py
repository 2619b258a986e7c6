"""Parts of messages, and whole ones, as attachments by reference."""

from service.mail.mime.compose.values import Copied, Resolved
from service.mail.model import Part
from service.mail.submission.model import Attachment

_IDENTITIES = frozenset({"7bit", "8bit", "binary", ""})


def copied(asked: Attachment, part: Part) -> Resolved:
    """The part ``asked`` names. What it asks for overrides what the part says of itself.

    Messages are copied as stored, since they must not be encoded (RFC 2046, 5.2.1). All other parts are decoded and
    encoded: as stored they may have lines that are too long to be sent, and flaws.
    """
    assert asked.message_id is not None
    encoding = part.encoding or ""
    is_message = part.type.startswith("message/") and encoding in _IDENTITIES
    return Resolved(
        body=Copied(asked.message_id, part.id, is_message),
        type=asked.type or part.type,
        charset=part.charset,
        encoding=("7bit" if encoding == "7bit" else "8bit") if is_message else "base64",
        name=asked.name or part.name,
        disposition=asked.disposition,
        cid=asked.cid or part.cid,
    )


def copied_message(asked: Attachment, *, is_8bit: bool) -> Resolved:
    """The whole message that ``asked`` names. ``is_8bit``: whether it may have octets above 127."""
    assert asked.message_id is not None
    return Resolved(
        body=Copied(asked.message_id, None, encoded=True),
        type="message/rfc822",
        encoding="8bit" if is_8bit else "7bit",
        name=asked.name,
        disposition=asked.disposition,
        cid=asked.cid,
    )
