"""A new Email as a message: its header, and its parts from texts and blobs (RFC 8621, 4.6)."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from service.jmap.core.errors import invalid_properties
from service.jmap.values.fields import Fields
from service.mail.errors import InvalidRequest
from service.mail.mime.compose.checks import is_id
from service.mail.mime.compose.composing import message_of, new_boundary
from service.mail.mime.compose.entities import Entity, attachment, multipart, text_part
from service.mail.mime.compose.header import date_field, id_field
from service.mail.mime.compose.parameters import file_names
from service.mail.mime.compose.values import Body, Composition, Piece, Resolved
from service.mail.mime.compose.words import fold, value_field
from service.mail.mime.headers.filenames import sent_name
from service.mail.model import Address

MAX_PARTS = 300
MAX_DEPTH = 20
MAX_TEXT = 4 << 20
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}\Z")
_PART = frozenset(
    {"partId", "blobId", "type", "charset", "name", "disposition", "cid", "language", "location", "subParts", "size"}
)


@dataclass(slots=True)
class Source:
    """The content of a blob, to be copied or written; ``size`` in octets, decoded."""

    body: Body
    size: int
    encoding: str = "base64"


@dataclass(slots=True)
class NewEmail:
    """An Email that a client wants created. ``blobs`` are those that its parts name."""

    record: Mapping[str, Any]
    sources: dict[str, Source] = field(default_factory=dict)
    _count: int = 0

    @property
    def blobs(self) -> list[str]:
        """The blob of each part that has one, in order. Raises invalidProperties for parts that are wrong."""
        return [part["blobId"] for part in self._parts() if part.get("blobId") is not None]

    @property
    def length(self) -> int:
        """Roughly, in characters."""
        values: Mapping[str, Any] = self.record.get("bodyValues") or {}
        return sum(
            len(each["value"])
            for each in values.values()
            if isinstance(each, dict) and isinstance(each.get("value"), str)
        )

    def _parts(self) -> Iterator[Mapping[str, Any]]:
        for name, part in self._roots():
            pending = [(part, 0)]
            while pending:
                each, depth = pending.pop()
                self._check(name, each, depth)
                yield each
                pending.extend((child, depth + 1) for child in reversed(each.get("subParts") or ()))

    def _roots(self) -> Iterator[tuple[str, Any]]:
        if self.record.get("bodyStructure") is not None:
            yield "bodyStructure", self.record["bodyStructure"]
        for name in ("textBody", "htmlBody", "attachments"):
            listed = self.record.get(name)
            if listed is not None and not isinstance(listed, list):
                raise invalid_properties(name)
            for part in listed or ():
                yield name, part

    def _check(self, name: str, part: Any, depth: int) -> None:
        self._count += 1
        if not isinstance(part, dict) or depth > MAX_DEPTH or self._count > 4 * MAX_PARTS:
            raise invalid_properties(name)
        if any(key not in _PART and not key.startswith("header:") for key in part):
            raise invalid_properties(name, why="A part has a property that cannot be set.")
        children = part.get("subParts")
        if children is not None and not isinstance(children, list):
            raise invalid_properties(name)
        for key in ("partId", "blobId", "type", "charset", "name", "disposition", "cid", "location"):
            if part.get(key) is not None and not isinstance(part[key], str):
                raise invalid_properties(f"{name}/{key}")

    def compose(self, author: Address | None, domain: str) -> Composition:
        """The message. Raises invalidProperties."""
        root = self._structure() if self.record.get("bodyStructure") is not None else self._usual()
        fields = Fields(self.record)
        names = fields.names | self._names_of_root(root, fields)
        header = fields.octets
        message_id = f"{uuid4()}@{domain}"
        if "date" not in names:
            header += date_field(datetime.now(UTC))
        if "message-id" not in names:
            header += id_field("Message-ID", message_id)
        if "from" not in names and author is not None:
            header += f"From: {author.email}\r\n".encode()
        return message_of(header + b"MIME-Version: 1.0\r\n", root, message_id)

    def _names_of_root(self, root: Entity, fields: Fields) -> set[str]:
        """The fields of the part that is the root: they are in the header of the message, so none may be in both."""
        lines = root.head.decode("utf-8", "replace").split("\r\n")
        names = {line.partition(":")[0].lower() for line in lines if line and line[0] not in " \t"}
        if twice := sorted(names & fields.names):
            part = "bodyStructure" if self.record.get("bodyStructure") is not None else "textBody"
            raise invalid_properties(part, why=f"The field {twice[0][:100]} is given for the Email already.")
        return names

    def _structure(self) -> Entity:
        for name in ("textBody", "htmlBody", "attachments"):
            if self.record.get(name):
                raise invalid_properties("bodyStructure", name, why="An Email has a structure or lists of parts.")
        return self._entity("bodyStructure", self.record["bodyStructure"])

    def _usual(self) -> Entity:
        text, html = self._text("textBody", "text/plain"), self._text("htmlBody", "text/html")
        attached = [(part, self._entity("attachments", part)) for part in self.record.get("attachments") or ()]
        related = [
            entity for part, entity in attached if html and part.get("cid") and part.get("disposition") == "inline"
        ]
        others = [entity for part, entity in attached if not any(entity is each for each in related)]
        if html is not None and related:
            html = multipart("related", [html, *related], new_boundary(), ['type="text/html"'])
        bodies = [each for each in (text, html) if each is not None]
        if not bodies and not others:
            bodies = [text_part("", "plain")]
        body = [multipart("alternative", bodies, new_boundary())] if bodies else []
        return multipart("mixed", [*body, *others], new_boundary())

    def _text(self, name: str, kind: str) -> Entity | None:
        parts = self.record.get(name)
        if not parts:
            return None
        if len(parts) != 1 or (parts[0].get("type") or kind) != kind:
            raise invalid_properties(name, why=f"{name} has one part of type {kind}.")
        return self._entity(name, {**parts[0], "type": kind})

    def _entity(self, name: str, part: Mapping[str, Any]) -> Entity:
        fields = Fields(part, of_part=True)
        kind = (
            part.get("type") or ("text/plain" if part.get("partId") is not None else "application/octet-stream")
        ).lower()
        if not _TYPE.match(kind):
            raise invalid_properties(f"{name}/type")
        entity = self._multipart(name, kind, part) if kind.startswith("multipart/") else self._leaf(name, kind, part)
        return replace(entity, head=entity.head + fields.octets + _more(name, part, fields.names))

    def _multipart(self, name: str, kind: str, part: Mapping[str, Any]) -> Entity:
        children = part.get("subParts") or ()
        if not children or part.get("partId") is not None or part.get("blobId") is not None:
            raise invalid_properties(f"{name}/subParts")
        entities = [self._entity(name, child) for child in children]
        return _several(kind.removeprefix("multipart/"), entities)

    def _leaf(self, name: str, kind: str, part: Mapping[str, Any]) -> Entity:
        part_id, blob = part.get("partId"), part.get("blobId")
        if (part_id is None) == (blob is None) or part.get("subParts"):
            raise invalid_properties(f"{name}/partId", f"{name}/blobId", why="A part has partId or blobId.")
        if blob is not None:
            return self._blob(name, kind, part, self.sources[blob])
        if not kind.startswith("text/") or part.get("charset") is not None:
            raise invalid_properties(f"{name}/type", f"{name}/charset", why="A partId names a text, which is UTF-8.")
        return self._described(name, part, text_part(self._value(str(part_id)), kind.removeprefix("text/")))

    def _described(self, name: str, part: Mapping[str, Any], entity: Entity) -> Entity:
        """A text with a name, a disposition or an id is written as an attachment would be."""
        head, file = entity.head, sent_name(part.get("name") or "")
        disposition = part.get("disposition")
        if file or disposition in ("inline", "attachment"):
            if disposition not in ("inline", "attachment"):
                disposition = "attachment" if name == "attachments" else "inline"
            words = [disposition, *(file_names(file) if file else [])]
            head += fold("Content-Disposition", [*(f"{word};" for word in words[:-1]), words[-1]])
        if (cid := part.get("cid")) is not None:
            if not is_id(cid):
                raise invalid_properties(f"{name}/cid")
            head += f"Content-ID: <{cid}>\r\n".encode()
        return replace(entity, head=head)

    def _blob(self, name: str, kind: str, part: Mapping[str, Any], source: Source) -> Entity:
        try:
            return attachment(
                Resolved(
                    body=source.body,
                    type=kind,
                    charset=part.get("charset"),
                    encoding=source.encoding,
                    name=part.get("name"),
                    disposition=part.get("disposition") or ("inline" if part.get("cid") else "attachment"),
                    cid=part.get("cid"),
                )
            )
        except InvalidRequest as error:
            raise invalid_properties(name, why=error.detail) from None

    def _value(self, part_id: str) -> str:
        values: Mapping[str, Any] = self.record.get("bodyValues") or {}
        value: Any = values.get(part_id)
        if isinstance(value, dict) and isinstance(value.get("value"), str) and len(value["value"]) <= MAX_TEXT:
            if value.get("isEncodingProblem") or value.get("isTruncated"):
                raise invalid_properties("bodyValues")
            return str(value["value"])
        raise invalid_properties("bodyValues", why="A part has no value, or one that is too long.")


def _several(subtype: str, entities: Sequence[Entity]) -> Entity:
    """``multipart`` lets one part stand for itself, which is not what the client asked for."""
    if len(entities) > 1:
        return multipart(subtype, entities, new_boundary())
    pair = multipart(subtype, [entities[0], entities[0]], boundary := new_boundary())
    delimiter = b"--" + boundary.encode()
    body: tuple[Piece, ...] = (
        delimiter,
        b"\r\n",
        entities[0].head,
        b"\r\n",
        *entities[0].body,
        b"\r\n",
        delimiter,
        b"--",
    )
    return replace(pair, body=body)


def _more(name: str, part: Mapping[str, Any], given: Collection[str]) -> bytes:
    """Content-Language and Content-Location. ``given`` are fields that are written already."""
    octets = b""
    for key in ("language", "location"):
        if part.get(key) is not None and f"content-{key}" in given:
            raise invalid_properties(f"{name}/{key}", why="A header field can be given once.")
    languages = part.get("language")
    if languages is not None:
        if not isinstance(languages, list) or not all(
            isinstance(each, str) and re.fullmatch(r"[A-Za-z0-9-]{1,35}", each) for each in languages
        ):
            raise invalid_properties(f"{name}/language")
        octets += f"Content-Language: {', '.join(languages[:20])}\r\n".encode() if languages else b""
    location = part.get("location")
    if location is not None:
        if not location.isprintable() or len(location) > 1000:
            raise invalid_properties(f"{name}/location")
        octets += value_field("Content-Location", location)
    return octets
