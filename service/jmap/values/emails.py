"""Emails as clients see them (RFC 8621, 4.1), from rows and headers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from service.jmap.core.errors import invalid
from service.jmap.values.blob_ids import email_blob
from service.jmap.values.headers import CONVENIENT, HeaderProperty, HeaderReader, raw, read_property
from service.mail.model import Header

Row: TypeAlias = Mapping[str, Any]
"""A message as the API lists it."""
OF_ROWS = (
    *("id", "blobId", "threadId", "mailboxIds", "keywords", "size", "receivedAt"),
    *("messageId", "inReplyTo", "from", "to", "subject", "sentAt", "hasAttachment", "preview"),
)
"""What a row of a list says."""
OF_HEADERS = ("references", "sender", "cc", "bcc", "replyTo", "headers")
OF_BODIES = ("bodyStructure", "bodyValues", "textBody", "htmlBody", "attachments")
PROPERTIES = frozenset((*OF_ROWS, *OF_HEADERS, *OF_BODIES))
DEFAULT = (
    *("id", "blobId", "threadId", "mailboxIds", "keywords", "size", "receivedAt", "messageId", "inReplyTo"),
    *("references", "sender", "from", "to", "cc", "bcc", "replyTo", "subject", "sentAt", "hasAttachment", "preview"),
    *("bodyValues", "textBody", "htmlBody", "attachments"),
)
MAX_PROPERTIES = 100
_HIDDEN = frozenset({"$deleted", "$recent"})


class Wanted:
    """The properties of an Email that are asked for. Raises invalidArguments for one that does not exist."""

    def __init__(self, names: Sequence[str] | None) -> None:
        self.names = DEFAULT if names is None else tuple(dict.fromkeys(("id", *names)))
        self.set = frozenset(self.names)
        self.as_they_are = tuple((name, _AS_THEY_ARE[name]) for name in self.names if name in _AS_THEY_ARE)
        self.of_rows = tuple((name, _READERS[name]) for name in self.names if name in _READERS)
        self.headers: dict[str, HeaderProperty] = {}
        if len(self.names) > MAX_PROPERTIES:
            raise invalid(f"At most {MAX_PROPERTIES} properties can be asked for.")
        for name in self.names:
            if name.startswith("header:"):
                self.headers[name] = read_property(name)
            elif name not in PROPERTIES:
                raise invalid(f"There is no property {name[:100]}.")

    @property
    def needs_body(self) -> bool:
        return any(name in OF_BODIES for name in self.names)

    @property
    def needs_headers(self) -> bool:
        return bool(self.headers) or any(name in OF_HEADERS for name in self.names)

    @property
    def of_headers(self) -> list[HeaderProperty]:
        """The properties that are read from header fields."""
        return [*self.headers.values(), *(CONVENIENT[name] for name in self.names if name in CONVENIENT)]

    @property
    def fields(self) -> tuple[str, ...]:
        """The header fields that are needed; empty means all."""
        if "headers" in self.names:
            return ()
        return tuple(dict.fromkeys(wanted.name for wanted in self.of_headers))


def from_rows(email: str, rows: Sequence[Row], mailboxes: Mapping[str, str], wanted: Wanted) -> dict[str, Any]:
    """The properties that rows say. An Email has the keywords of all its messages; ``mailboxes`` has the Mailbox id of
    each folder."""
    first = rows[0]
    record = {name: first.get(name, default) for name, default in wanted.as_they_are}
    record["id"] = email
    for name, read in wanted.of_rows:
        record[name] = read(first)
    if "blobId" in wanted.set:
        record["blobId"] = email_blob(email)
    if "threadId" in wanted.set:
        record["threadId"] = thread_of(email, first)
    if "mailboxIds" in wanted.set:
        record["mailboxIds"] = {mailboxes.get(row["folderId"], row["folderId"]): True for row in rows}
    if "keywords" in wanted.set:
        record["keywords"] = keywords_of(rows)
    return record


def thread_of(email: str, row: Row) -> str:
    """The thread of an Email; one of its own if the mailbox has no threads."""
    return str(row.get("threadId") or f"t_{email}")


def keywords_of(rows: Sequence[Row]) -> dict[str, bool]:
    """The keywords of all messages of an Email."""
    return {flag: True for row in rows for flag in row.get("flags", ()) if flag not in _HIDDEN}


def _utc(moment: str | None) -> str:
    """A UTCDate. Servers that do not say when a message came are answered with the earliest date."""
    if moment is None:
        return "1970-01-01T00:00:00Z"
    return moment.partition(".")[0].removesuffix("+00:00").removesuffix("Z") + "Z"


def _people(row: Row, name: str) -> list[dict[str, Any]] | None:
    """Addresses without a name get one: the row is read for this request alone."""
    people: list[dict[str, Any]] | None = row.get(name)
    if not people:
        return None
    for each in people:
        if "name" not in each:
            each["name"] = None
    return people


_AS_THEY_ARE: Mapping[str, Any] = {
    "inReplyTo": None,
    "subject": None,
    "sentAt": None,
    "size": 0,
    "hasAttachment": False,
    "preview": "",
}
"""What is in a row as it is here, and what a row means that does not have it."""
_READERS: Mapping[str, Callable[[Row], Any]] = {
    "messageId": lambda row: [row["messageId"]] if row.get("messageId") else None,
    "from": lambda row: _people(row, "from"),
    "to": lambda row: _people(row, "to"),
    "receivedAt": lambda row: _utc(row.get("receivedAt")),
}
"""What a row says of the other properties."""


def from_headers(headers: Sequence[Header], wanted: Wanted) -> dict[str, Any]:
    """The properties that header fields say; those that a row says too are taken from here."""
    reader = HeaderReader(headers)
    record: dict[str, Any] = {}
    for name in wanted.names:
        if name in wanted.headers:
            record[name] = reader.value(wanted.headers[name])
        elif name in CONVENIENT:
            record[name] = reader.value(CONVENIENT[name])
        elif name == "headers":
            record[name] = [{"name": header.name, "value": raw(header)} for header in headers]
    return record
