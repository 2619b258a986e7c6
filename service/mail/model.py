"""The values that travel from an adapter to JSON, unchanged.

Names follow RFC 8621 (JMAP Mail) where it has one. A field without a value is ``None`` here and absent in JSON.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from typing import Protocol as Shape

from pydantic import BaseModel, ConfigDict, Field, SkipValidation, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema

from service.mail.errors import MailError, RangeNotSatisfiable

MAX_FLAGS = 100


class Value(BaseModel):
    """An immutable value, camelCase in JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Protocol(StrEnum):
    """How the mail server is spoken to."""

    IMAP = "imap"
    POP3 = "pop3"
    MAILDIR = "maildir"


class Capability(StrEnum):
    """What a mailbox may be able to do beyond listing, reading and deleting."""

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


PROTOCOLS = ", ".join(f"`{each}`" for each in Protocol)
OpenProtocol = Annotated[Protocol, WithJsonSchema({"type": "string", "description": f"{PROTOCOLS}; more may come."})]
"""For answers: a client that knows no other value must not fail at one."""
Count = Annotated[int, WithJsonSchema({"type": "integer", "format": "int64"})]
"""May pass 2³¹: octets, and what IMAP counts in 32 bits without a sign."""
Number = Annotated[int, WithJsonSchema({"type": "integer", "format": "int32"})]
"""Never does."""


class HtmlForm(StrEnum):
    """What a caller wants of a message's HTML."""

    SAFE = "safe"
    ORIGINAL = "original"
    NONE = "none"


class Namespace(StrEnum):
    """Whose folder it is (RFC 2342)."""

    PERSONAL = "personal"
    OTHER = "other"
    SHARED = "shared"


class EvaluatedBy(StrEnum):
    """Who found and sorted: the mail server, Casella on what it read from there, or both in part."""

    SERVER = "server"
    LOCAL = "local"
    MIXED = "mixed"


class Address(Value):
    """One mailbox of an address header (RFC 5322, 3.4)."""

    name: str | None = Field(None, description="The display name, decoded.")
    email: str = Field(description="The address itself, `local@domain`, as the header has it.")


class Folder(Value):
    """A place that holds messages, or only other folders."""

    id: str = Field(description="Opaque and URL-safe. A role may stand wherever an id is taken.")
    name: str = Field(description="The last step of `path`, in Unicode.")
    path: tuple[str, ...] = Field(description="All names from the root to this folder.")
    parent_id: str | None = Field(None, description="The folder above, absent at the root.")
    role: str | None = Field(None, description="One of inbox, sent, drafts, trash, junk, archive, all, flagged.")
    total_messages: Count | None = Field(None, description="Messages in it, where the server told.")
    unread_messages: Count | None = Field(None, description="Messages in it without `$seen`, where the server told.")
    is_subscribed: bool = Field(description="Whether the user chose to see it (RFC 9051, 6.3.7).")
    is_selectable: bool = Field(description="False for a folder that can only hold other folders.")
    namespace: str | None = Field(
        None, description="`other` for a folder of another user, `shared` for a public one, absent for one's own."
    )
    rights: str | None = Field(
        None,
        description="What the signed-in user may do with a folder that is not their own: letters of RFC 4314 such as"
        " `lrswipkxtea`, where the server told.",
    )


class Grant(Value):
    """What one user or group may do with a folder (RFC 4314)."""

    identifier: str = Field(description="A user or group as the server names them; `anyone` is everybody.")
    rights: str = Field(
        description="Letters: l see, r read, s set $seen, w set other flags, i insert, p post, k create folders in it,"
        " x delete it, t set $deleted, e expunge, a administer."
    )


class Quota(Value):
    """A limit and what is used of it (RFC 9208)."""

    root: str = Field(description="What the limit is on, as the server names it; may be empty.")
    resource: str = Field(description="`storage` in octets, `message` in messages, or another the server has.")
    used: Count = Field(description="So much is.")
    limit: Count = Field(description="So much may be.")


class Part(Value):
    """A node of a message's structure (RFC 2045). Ids are IMAP's: "1", "1.2", with "0" for the multipart that is the
    body itself and "2.0" for the one that is the body of the message attached as part 2."""

    id: str = Field(description="Names the part within its message.")
    type: str = Field(description="The media type, lower case, as the mail declares it. Never trust it.")
    name: str | None = Field(None, description="The file name, cleaned of path, control and direction characters.")
    size: Count | None = Field(None, description="Octets as stored, that is before decoding.")
    encoding: str | None = Field(None, description="The content transfer encoding, lower case.")
    disposition: str | None = Field(None, description="`inline`, `attachment` or what the mail says.")
    cid: str | None = Field(None, description="The Content-ID without its angle brackets.")
    charset: str | None = Field(None, description="As the mail declares it.")
    language: tuple[str, ...] | None = Field(None, description="As the mail declares them (RFC 3282).")
    parts: tuple["Part", ...] | None = Field(None, description="Children of a multipart, or of an attached message.")

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
    """What a list shows of a message."""

    id: str = Field(description="Opaque and URL-safe: folder, UIDVALIDITY and UID in one.")
    folder_id: str = Field(description="The folder it is in.")
    subject: str | None = Field(None, description="Decoded.")
    from_: tuple[Address, ...] = Field((), alias="from", description="Who wrote it.")
    to: tuple[Address, ...] = Field((), description="Whom it is for.")
    received_at: datetime | None = Field(None, description="When the server got it (INTERNALDATE), in UTC.")
    sent_at: datetime | None = Field(None, description="The Date header, with its own offset.")
    size: Count | None = Field(None, description="Octets of the whole message.")
    flags: tuple[str, ...] = Field(
        (), description="Lower case: $seen, $answered, $flagged, $draft, $deleted, keywords."
    )
    has_attachment: bool | None = Field(None, description="Whether it has one; absent where only the message tells.")
    message_id: str | None = Field(None, description="The Message-ID header without its angle brackets.")
    in_reply_to: tuple[str, ...] | None = Field(None, description="Message-IDs that it answers.")
    preview: str | None = Field(None, description="The first words of the text, where `fields` asks for them.")
    thread_id: str | None = Field(None, description="The same for all of a conversation, where `fields` asks for it.")


class Flags(Value):
    """$seen, $answered, $flagged, $draft, $deleted, and keywords as they are, lower case."""

    flags: tuple[str, ...] = Field(max_length=MAX_FLAGS, description="All of them.")
    version: SkipJsonSchema[str | None] = Field(None, exclude=True)
    """Changes with the message (its MODSEQ, RFC 7162); None where the server keeps no count. Sent as ETag."""


class Body(Value):
    """The part of a message that a person reads."""

    text: str | None = Field(None, description="The text part, or text made from the HTML.")
    html: str | None = Field(None, description="Safe HTML, unless `html=original` was asked.")
    is_truncated: bool = Field(False, description="True where text or HTML were cut at the limit; the parts have all.")
    remote_content: tuple[str, ...] = Field(
        (), description="Addresses of remote content that was taken out of the HTML."
    )
    warnings: tuple[str, ...] = Field((), description="What a reader should know, such as `charset-problem`.")


class Message(MessageSummary):
    """A message with its body and structure."""

    cc: tuple[Address, ...] = Field((), description="Who gets a copy.")
    bcc: tuple[Address, ...] = Field((), description="Who gets a copy unseen.")
    reply_to: tuple[Address, ...] = Field((), description="Where answers go, if not to `from`.")
    sender: tuple[Address, ...] = Field((), description="Who sent it for those of `from`.")
    references: tuple[str, ...] = Field((), description="Message-IDs of the conversation so far.")
    structure: Part = Field(description="The whole tree of parts.")
    attachments: tuple[Part, ...] = Field((), description="Those of them that are attachments.")
    body: Body = Field(description="What a person reads.")
    version: SkipJsonSchema[str | None] = Field(None, exclude=True)
    """As ``Flags.version``."""


class Header(Value):
    """One header field of a message, in its place."""

    name: str = Field(description="As it stands in the message.")
    value: str = Field(description="Unfolded, encoded words decoded, control characters removed.")
    raw: str = Field(description="As it stands in the message; octets above 127 as Latin-1 characters.")


class Page(Value):
    """A page of a list, newest arrival first."""

    items: Annotated[Sequence[MessageSummary], SkipValidation] = Field(description="The rows.")
    next_cursor: str | None = Field(None, description="Give it as `cursor` for the next page; absent on the last.")
    total: Count | None = Field(None, description="Messages that match, on all pages.")
    evaluated_by: EvaluatedBy | None = Field(
        None, description="With criteria or a sort: who applied them, `server`, `local` or `mixed`."
    )
    unsearched: tuple[str, ...] | None = Field(
        None, description="Folders, by id, that could not be searched in time or at all; absent where all were."
    )
    state: SkipJsonSchema[str | None] = Field(None, exclude=True)
    """Changes whenever the list may; None where only the list itself can tell. Sent as part of the ETag."""


@dataclass(frozen=True, slots=True)
class Span:
    """A byte range as asked (RFC 9110, 14.1.2): ``first`` to ``last`` inclusive; ``last`` None reads to the end;
    ``first`` None asks for the ``last`` final octets."""

    first: int | None
    last: int | None

    def within(self, size: int) -> tuple[int, int]:
        """Start and stop (exclusive) of the range in ``size`` octets; RangeNotSatisfiable where there is none."""
        if self.first is None:
            start, stop = max(0, size - (self.last or 0)), size
        else:
            start, stop = self.first, size if self.last is None else min(size, self.last + 1)
        if start >= stop:
            raise RangeNotSatisfiable(size)
        return start, stop


@dataclass(frozen=True, slots=True)
class Download:
    """Octets on their way. Who holds one reads ``chunks`` to the end or closes it; closing stops the work upstream.

    ``size`` is that of the whole representation, None where only its end will tell. Where a span was asked ``size`` is
    exact and ``chunks`` carries ``start`` to ``stop``.
    """

    chunks: AsyncGenerator[bytes, None]
    etag: str
    type: str
    name: str | None = None
    size: int | None = None
    start: int = 0
    stop: int | None = None


class Source(Shape):
    """A message's octets on their way in, as often as they are asked for."""

    @property
    def size(self) -> int:
        """In octets."""

    @property
    def message_id(self) -> str | None:
        """The Message-ID header without its angle brackets."""

    @property
    def digest(self) -> bytes:
        """Of the octets, but for what servers alter on the way in; see ``mime.digest``."""

    def chunks(self) -> AsyncIterator[bytes]:
        """From the first octet to the last."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message of several: ``error`` is None where it was done, ``new_id`` where it is now, if the
    server told."""

    id: str
    error: MailError | None = None
    new_id: str | None = None
