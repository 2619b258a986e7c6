"""The values that adapters return and the API writes as JSON, unchanged.

Names are those of RFC 8621 (JMAP Mail), if it has one. A field without a value is ``None`` here and absent in JSON.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SkipValidation, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema

MAX_FLAGS = 100


class Value(BaseModel):
    """An immutable value. Its names are camelCase in JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Protocol(StrEnum):
    """The protocol spoken with the mail server."""

    IMAP = "imap"
    POP3 = "pop3"
    MAILDIR = "maildir"


class Capability(StrEnum):
    """An optional feature of a mailbox. Every mailbox can list, read and delete."""

    FOLDERS = "folders"
    FLAGS = "flags"
    MOVE = "move"
    APPEND = "append"
    SEARCH = "search"
    SORT = "sort"
    THREADS = "threads"
    CHANGES = "changes"
    PUSH = "push"
    QUOTA = "quota"
    ACL = "acl"
    SEND = "send"
    SETTINGS = "settings"
    IMPORT = "import"


PROTOCOLS = ", ".join(f"`{each}`" for each in Protocol)
OpenProtocol = Annotated[
    Protocol, WithJsonSchema({"type": "string", "description": f"{PROTOCOLS}. Later versions may add others."})
]
"""For responses: the schema is an open string, so that clients accept protocols added later."""
Count = Annotated[int, WithJsonSchema({"type": "integer", "format": "int64"})]
"""A number that may exceed 2³¹: octets, and IMAP's unsigned 32-bit numbers."""
Number = Annotated[int, WithJsonSchema({"type": "integer", "format": "int32"})]
"""A number that never exceeds 2³¹."""


class HtmlMode(StrEnum):
    """Which HTML of a message is returned: sanitized, as received, or none."""

    SAFE = "safe"
    ORIGINAL = "original"
    NONE = "none"


class Namespace(StrEnum):
    """The kind of namespace that a folder is in (RFC 2342)."""

    PERSONAL = "personal"
    OTHER = "other"
    SHARED = "shared"


class EvaluatedBy(StrEnum):
    """What applied the criteria and the sort: the mail server, Casella (`local`), or both (`mixed`)."""

    SERVER = "server"
    LOCAL = "local"
    MIXED = "mixed"


class Address(Value):
    """An email address of a header field, with its display name (RFC 5322, 3.4)."""

    name: str | None = Field(None, description="The display name, decoded.")
    email: str = Field(description="The address, `local@domain`, as written in the header.")


class Folder(Value):
    """A folder of the mailbox."""

    id: str = Field(description="Opaque and URL-safe. A role can be used in place of an id everywhere.")
    name: str = Field(description="The last name of `path`, in Unicode.")
    path: tuple[str, ...] = Field(description="The names of all folders from the root down to this one.")
    parent_id: str | None = Field(None, description="The id of the parent folder. Absent at the root.")
    role: str | None = Field(None, description="One of inbox, sent, drafts, trash, junk, archive, all, flagged.")
    total_messages: Count | None = Field(None, description="The number of messages, if the server reports it.")
    unread_messages: Count | None = Field(
        None, description="The number of messages without `$seen`, if the server reports it."
    )
    is_subscribed: bool = Field(description="Whether the user has subscribed to the folder (RFC 9051, 6.3.7).")
    is_selectable: bool = Field(description="False if the folder can contain only other folders, no messages.")
    namespace: str | None = Field(
        None,
        description="`other` for a folder of another user, `shared` for a public one, absent for the user's own.",
    )
    rights: str | None = Field(
        None,
        description="The rights of the signed-in user on a folder of another user or a public folder, as letters of"
        " RFC 4314 such as `lrswipkxtea`, if the server reports them.",
    )


class Grant(Value):
    """The rights of a user or group on a folder (RFC 4314)."""

    identifier: str = Field(description="The server's name of a user or group. `anyone` means all users.")
    rights: str = Field(
        description="Letters: l list, r read, s set $seen, w set other flags, i insert, p post, k create subfolders,"
        " x delete the folder, t set $deleted, e expunge, a administer."
    )


class Quota(Value):
    """A quota: a limit on a resource and the amount in use (RFC 9208)."""

    root: str = Field(description="The server's name of the quota root that the limit applies to. May be empty.")
    resource: str = Field(
        description="`storage` (in octets), `message` (the number of messages), or another resource of the server."
    )
    used: Count = Field(description="The amount in use.")
    limit: Count = Field(description="The limit.")


class Part(Value):
    """A node of a message's MIME structure (RFC 2045). Ids are IMAP's section numbers, such as `1` and `1.2`. `0` is
    the multipart that forms the message's body, and `2.0` the multipart that forms the body of the message attached as
    part 2."""

    id: str = Field(description="Identifies the part within its message.")
    type: str = Field(description="The declared media type, in lower case. The content may be something else.")
    name: str | None = Field(
        None, description="The file name, without path, control characters and text direction marks."
    )
    size: Count | None = Field(None, description="The size in octets as stored, before decoding.")
    decoded_size: Count | None = Field(
        None, description="The size in octets of the content. Absent if it is not known without reading all of it."
    )
    encoding: str | None = Field(
        None, description="The content transfer encoding, in lower case; `7bit` if the message names none."
    )
    disposition: str | None = Field(None, description="`inline`, `attachment`, or another declared value.")
    cid: str | None = Field(None, description="The Content-ID without angle brackets.")
    charset: str | None = Field(
        None, description="The declared charset, in lower case; `us-ascii` for a text that declares none."
    )
    language: tuple[str, ...] | None = Field(None, description="The declared languages (RFC 3282).")
    parts: tuple["Part", ...] | None = Field(None, description="The parts of a multipart, or of an attached message.")

    def walk(self, *, into_messages: bool = True) -> Iterator["Part"]:
        """This part and all below it, in the order in which they stand in the message; without ``into_messages`` an
        attached message has none below it."""
        pending = [self]
        while pending:
            part = pending.pop()
            yield part
            if part.parts and (into_messages or part.type.startswith("multipart/")):
                pending.extend(reversed(part.parts))


class MessageSummary(Value):
    """A message as lists show it."""

    id: str = Field(description="Opaque and URL-safe. Changes if the message is moved.")
    folder_id: str = Field(description="The id of the folder that contains the message.")
    subject: str | None = Field(None, description="The decoded Subject header.")
    from_: tuple[Address, ...] = Field((), alias="from", description="The authors.")
    to: tuple[Address, ...] = Field((), description="The recipients.")
    received_at: datetime | None = Field(
        None, description="When the server received the message (INTERNALDATE), in UTC."
    )
    sent_at: datetime | None = Field(None, description="The Date header, with its original UTC offset.")
    size: Count | None = Field(None, description="The size of the whole message in octets.")
    flags: tuple[str, ...] = Field(
        (), description="In lower case: $seen, $answered, $flagged, $draft, $deleted, and keywords."
    )
    has_attachment: bool | None = Field(
        None,
        description="Whether the message has attachments. Absent if that is unknown without reading the whole message.",
    )
    message_id: str | None = Field(None, description="The Message-ID header without angle brackets.")
    in_reply_to: tuple[str, ...] | None = Field(None, description="The Message-IDs in the In-Reply-To header.")
    preview: str | None = Field(None, description="The first words of the text. Present only if `fields` names it.")
    thread_id: str | None = Field(
        None, description="The same for all messages of a conversation. Present only if `fields` names it."
    )
    labels: tuple[str, ...] | None = Field(
        None,
        description="Gmail: the labels beside the folder itself, as Gmail names them: `\\Inbox`, `\\Important`, and the"
        " user's own. Read-only. Absent on other servers.",
    )


class Flags(Value):
    """The flags of a message: $seen, $answered, $flagged, $draft, $deleted, and keywords, all in lower case."""

    flags: tuple[str, ...] = Field(max_length=MAX_FLAGS, fail_fast=True, description="All flags of the message.")
    version: SkipJsonSchema[str | None] = Field(None, exclude=True)
    """Changes whenever the message does (its MODSEQ, RFC 7162). None if the server has no MODSEQ. Sent as ETag."""


class MessageBody(Value):
    """The readable text of a message."""

    text: str | None = Field(None, description="The text part, or text converted from the HTML part. Lines end by LF.")
    html: str | None = Field(
        None, description="Sanitized HTML, or the original HTML if the request has `html=original`."
    )
    is_truncated: bool = Field(
        False, description="True if text or HTML was cut at the size limit. The parts have the full content."
    )
    remote_content: tuple[str, ...] = Field(
        (),
        description="URLs of remote content that was removed from the HTML. The element that had number n of this list,"
        " counted from 0, has an attribute to put it back: `data-remote` for `src`, `data-remote-background` and"
        " `data-remote-poster` for these attributes, `data-remote-style` for the image of a style.",
    )
    warnings: tuple[str, ...] = Field((), description="Problems found while decoding, such as `charset-problem`.")


class ReportRecipient(Value):
    """What happened to a message for one of its recipients."""

    email: str = Field(
        description="The address that the message was sent to, if the report has it, else the one it went to."
    )
    action: str = Field(
        description="Of a delivery `failed`, `delayed`, `delivered`, `relayed` or `expanded`; of a receipt `displayed`,"
        " `deleted`, `dispatched` or `processed`; or another word."
    )
    status: str | None = Field(None, description="The enhanced status code (RFC 3463), such as `5.1.1`.")
    diagnostic: str | None = Field(None, description="The words of the mail server that refused the message.")


class Report(Value):
    """What a bounce or a receipt says about a message that was sent. Reports are easy to forge."""

    kind: str = Field(
        description="`delivery` for what mail servers report (RFC 3464), `disposition` for receipts (RFC 8098)."
    )
    original_message_id: str | None = Field(
        None, description="The Message-ID of the message that it is about, without angle brackets."
    )
    recipients: tuple[ReportRecipient, ...] = Field((), description="The recipients. Empty if it does not name them.")


class Unsubscribe(Value):
    """How to leave the mailing list that a message came from (RFC 2369). Casella opens none of these addresses."""

    one_click: bool = Field(
        description="Whether a POST of `List-Unsubscribe=One-Click` to `url` is enough (RFC 8058). Then `url` has TLS."
    )
    url: str | None = Field(None, description="A page, with `http` or `https`.")
    mailto: str | None = Field(
        None, description="A `mailto` link. Of the fields that it may set, only subject and body are left."
    )


class Message(MessageSummary):
    """A message with its body and MIME structure."""

    cc: tuple[Address, ...] = Field((), description="The recipients of a copy.")
    bcc: tuple[Address, ...] = Field((), description="The recipients of a blind copy.")
    reply_to: tuple[Address, ...] = Field((), description="The addresses for replies, if not those of `from`.")
    sender: tuple[Address, ...] = Field((), description="The mailbox that sent the message on behalf of `from`.")
    references: tuple[str, ...] = Field(
        (), description="The Message-IDs of earlier messages of the conversation (the References header)."
    )
    structure: Part = Field(description="The root of the tree of parts.")
    attachments: tuple[Part, ...] = Field((), description="The parts that are attachments.")
    body: MessageBody = Field(description="The readable text.")
    report: Report | None = Field(None, description="What it reports. Absent unless it is a bounce or a receipt.")
    unsubscribe: Unsubscribe | None = Field(
        None, description="How to leave its mailing list. Absent if it offers nothing safe."
    )
    version: SkipJsonSchema[str | None] = Field(None, exclude=True)
    """See ``Flags.version``."""


class Header(Value):
    """A header field of a message."""

    name: str = Field(description="The field name as written in the message.")
    value: str = Field(description="The value, unfolded and decoded, without control characters.")
    raw: str = Field(description="The value as written in the message. Octets above 127 are Latin-1 characters.")


class Page(Value):
    """A page of a list of messages."""

    items: Annotated[Sequence[MessageSummary], SkipValidation] = Field(description="The messages.")
    next_cursor: str | None = Field(
        None, description="Send it as `cursor` to get the next page. Absent on the last page."
    )
    total: Count | None = Field(None, description="The number of matching messages on all pages.")
    evaluated_by: EvaluatedBy | None = Field(
        None, description="Present with criteria or a sort: what applied them, `server`, `local` or `mixed`."
    )
    unsearched: tuple[str, ...] | None = Field(
        None, description="The ids of folders that were not searched, or not completely. Absent if all were searched."
    )
    state: SkipJsonSchema[str | None] = Field(None, exclude=True)
    """Changes whenever the list may have changed. None if that is unknown without the list itself. Part of the ETag."""
