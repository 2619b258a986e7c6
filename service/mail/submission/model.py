"""The values of drafts and sending. Names are those of RFC 8621, if it has one."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from service.mail.errors import InvalidField, RefusedRecipient
from service.mail.model import Address, Count, Value

MAX_ID = 3000
MAX_ATTACHMENTS = 100
MAX_HEADERS = 50
MAX_RECIPIENTS = 1000
"""In each field of a draft. What the operator allows for one message is counted when it is sent."""
MAX_TEXT = 2 << 20
MAX_SUBJECT = 4000
MAX_SIGNATURE = 32 << 10
MessageId = Annotated[str, Field(min_length=1, max_length=MAX_ID)]


class Attachment(Value):
    """An attachment of a draft: a part of any message of this account, a whole message, or new content. The service
    copies what other messages have; it never passes through the client."""

    message_id: MessageId | None = Field(
        None, description="The id of a message of this account: with `partId` that part of it, without it all of it."
    )
    part_id: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        None, description="The id of a part of that message."
    )
    content: str | None = Field(
        None, description="The content in base64, for small files. Upload larger ones to the draft."
    )
    type: Annotated[str, Field(max_length=255)] | None = Field(
        None, description="The media type. By default that of the part, or `application/octet-stream`."
    )
    name: Annotated[str, Field(max_length=1000)] | None = Field(
        None, description="The file name. By default that of the part."
    )
    size: Count | None = Field(
        None, description="The size in octets as stored. Only in responses; ignored in requests."
    )
    disposition: Annotated[str, Field(pattern="^(attachment|inline)$")] = Field(
        "attachment", description="`attachment`, or `inline` for images that the HTML shows by `cid:`."
    )
    cid: Annotated[str, Field(max_length=500)] | None = Field(
        None, description="The Content-ID by which the HTML refers to it, without angle brackets."
    )

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.message_id is None) == (self.content is None):
            raise InvalidField("An attachment has either `messageId` or `content`.")
        if self.part_id is not None and self.message_id is None:
            raise InvalidField("`partId` needs `messageId`.")
        return self


class NewHeader(Value):
    """A header field to add to a draft."""

    name: str = Field(min_length=1, max_length=100, description="The field's name, such as `X-Priority`.")
    value: str = Field(max_length=10_000, description="The value, in Unicode.")


Addresses = Annotated[tuple[Address, ...], Field(max_length=MAX_RECIPIENTS, fail_fast=True)]


class NewDraft(Value):
    """What a draft has. All fields are optional in a draft; sending needs a recipient."""

    from_: Address | None = Field(None, alias="from", description="The author. By default the account's own address.")
    to: Addresses = Field((), description="The recipients.")
    cc: Addresses = Field((), description="The recipients of a copy.")
    bcc: Addresses = Field(
        (), description="The recipients of a blind copy. They are never in the message that is sent."
    )
    reply_to: Addresses = Field((), description="The addresses for replies, if not that of `from`.")
    subject: Annotated[str, Field(max_length=MAX_SUBJECT)] | None = Field(None, description="The subject.")
    text: Annotated[str, Field(max_length=MAX_TEXT)] | None = Field(
        None, description="The text. Made from `html` if only that is given."
    )
    html: Annotated[str, Field(max_length=MAX_TEXT)] | None = Field(None, description="The text as HTML.")
    in_reply_to: MessageId | None = Field(None, description="The id of the message that this one replies to.")
    attachments: tuple[Attachment, ...] = Field(
        (), max_length=MAX_ATTACHMENTS, fail_fast=True, description="The attachments."
    )
    headers: tuple[NewHeader, ...] = Field(
        (),
        max_length=MAX_HEADERS,
        fail_fast=True,
        description="Further header fields. Those that the service sets are refused.",
    )

    @property
    def given(self) -> dict[str, Any]:
        """The fields that were given, even if they are empty."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class DraftRef(Value):
    """A draft after it was written."""

    id: str = Field(description="The id of the draft. Every change gives it a new one.")
    message_id: str = Field(description="Its Message-ID header without angle brackets. It stays the same.")


class Rejected(Value):
    """A recipient that the mail server refused."""

    email: str = Field(description="The address.")
    code: str = Field(description="The server's reply code, and its enhanced status code if it sent one: `550 5.1.1`.")
    text: str = Field("", description="The server's words.")

    @classmethod
    def of(cls, refused: RefusedRecipient) -> Self:
        """As the API shows it."""
        return cls(email=refused.email, code=refused.code, text=refused.text)


class Submission(Value):
    """A message that was sent."""

    message_id: str = Field(description="Its Message-ID header without angle brackets.")
    sent_at: datetime | None = Field(None, description="When the mail server took it. Absent in a dry run.")
    from_: str = Field(alias="from", description="The sender's address in the envelope.")
    accepted: tuple[str, ...] = Field(description="The recipients that the mail server accepted.")
    rejected: tuple[Rejected, ...] = Field((), description="The recipients that it refused, with `partial=true`.")
    size: Count | None = Field(None, description="In a dry run: the octets that would be sent.")
    sent: str | None = Field(
        None, description="The id of the copy in Sent. Absent if there is none, or it is not known."
    )
    draft: str | None = Field(None, description="The id of the draft, if it is still there.")
    warnings: tuple[str, ...] = Field(
        (),
        description="What to know: `send-once-per-process`, `no-sent-copy`, `sent-copy-failed`, `draft-not-removed`.",
    )


class Signature(Value):
    """What stands below the text of a message. The app adds it."""

    text: Annotated[str, Field(max_length=MAX_SIGNATURE)] | None = Field(None, description="As text.")
    html: Annotated[str, Field(max_length=MAX_SIGNATURE)] | None = Field(None, description="As HTML.")


class Identity(Value):
    """An address that the user sends from."""

    id: str = Field(description="Identifies it among the account's.")
    name: str | None = Field(None, description="The display name.")
    email: str = Field(description="The address.")
    reply_to: tuple[Address, ...] | None = Field(None, description="The addresses for replies, if not `email`.")
    signature: Signature | None = Field(None, description="The signature.")
