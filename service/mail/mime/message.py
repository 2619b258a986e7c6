"""Whole messages and their header blocks as values, for adapters that hold the octets."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from service.mail.mime.body import MAX_STORED, Leaf, attachments, choose, has_attachment, read_body
from service.mail.mime.headers.addresses import parse_addresses, sender_warnings
from service.mail.mime.headers.dates import parse_date
from service.mail.mime.headers.fields import RawHeader, parse_message_ids, split_headers
from service.mail.mime.headers.words import shown_text
from service.mail.mime.reports.returned import MAX_OCTETS, read_returned
from service.mail.mime.structure import Entity, find, parse
from service.mail.model import Address, HtmlMode, Message, MessageSummary, Part


def read_summary(
    header_block: bytes,
    *,
    id: str,  # noqa: A002 - named as in the model
    folder_id: str,
    size: int | None,
    received_at: datetime | None = None,
    flags: tuple[str, ...] = (),
    has_attachment: bool | None = None,
) -> MessageSummary:
    """A row of a list. Without ``received_at`` the date of the topmost Received field stands for it."""
    fields = _Fields.of(header_block)
    ids = fields.ids("message-id")
    return MessageSummary(
        id=id,
        folder_id=folder_id,
        subject=fields.text("subject"),
        from_=fields.addresses("from"),
        to=fields.addresses("to"),
        received_at=received_at or fields.received_at(),
        sent_at=parse_date(fields.raw("date")),
        size=size,
        flags=flags,
        has_attachment=has_attachment,
        message_id=ids[0] if ids else None,
        in_reply_to=fields.ids("in-reply-to") or None,
    )


def read_message(
    source: bytes,
    *,
    id: str,  # noqa: A002 - named as in the model
    folder_id: str,
    size: int | None,
    received_at: datetime | None = None,
    flags: tuple[str, ...] = (),
    html: HtmlMode = HtmlMode.SAFE,
) -> Message:
    """The message with body and structure. The warning ``structure-truncated`` says that a limit cut the tree."""
    root = parse(source)
    structure = root.part
    header = source[root.header_start : root.body_start]
    fields = _Fields.of(header)
    choice = choose(structure)
    warnings = sender_warnings(fields.all("from")) + (("structure-truncated",) if root.is_truncated else ())
    ids = fields.ids("message-id")
    body = read_body(_leaves(source, root, choice.text), _leaves(source, root, choice.html), html, warnings)
    returned = read_returned(header, structure, partial(_part, source, root), body.text)
    return Message(
        id=id,
        folder_id=folder_id,
        subject=fields.text("subject"),
        from_=fields.addresses("from"),
        to=fields.addresses("to"),
        cc=fields.addresses("cc"),
        bcc=fields.addresses("bcc"),
        reply_to=fields.addresses("reply-to"),
        sender=fields.addresses("sender"),
        received_at=received_at or fields.received_at(),
        sent_at=parse_date(fields.raw("date")),
        size=size,
        flags=flags,
        has_attachment=has_attachment(structure),
        message_id=ids[0] if ids else None,
        in_reply_to=fields.ids("in-reply-to") or None,
        references=fields.ids("references"),
        structure=structure,
        attachments=attachments(structure),
        body=body,
        report=returned.report,
        unsubscribe=returned.unsubscribe,
    )


def _leaves(source: bytes, root: Entity, parts: Sequence[Part]) -> list[Leaf]:
    entities = (find(root, part.id) for part in parts)
    return [_leaf(source, entity) for entity in entities if entity is not None]


def _part(source: bytes, root: Entity, part: Part) -> Leaf | None:
    entity = find(root, part.id)
    return None if entity is None else _leaf(source, entity, MAX_OCTETS)


def _leaf(source: bytes, entity: Entity, most: int = MAX_STORED) -> Leaf:
    stop = min(entity.stop, entity.body_start + most)
    return Leaf(entity.part, source[entity.body_start : stop], is_cut=stop < entity.stop)


class _Fields(NamedTuple):
    """The fields of one header, to be asked by lower-case name."""

    headers: tuple[RawHeader, ...]

    @classmethod
    def of(cls, block: bytes) -> "_Fields":
        return cls(tuple(RawHeader(name.lower(), raw) for name, raw in split_headers(block)))

    def all(self, name: str) -> tuple[bytes, ...]:
        return tuple(raw for field, raw in self.headers if field == name)

    def raw(self, name: str) -> bytes | None:
        return next((raw for field, raw in self.headers if field == name), None)

    def text(self, name: str) -> str | None:
        raw = self.raw(name)
        return None if raw is None else shown_text(raw)

    def addresses(self, name: str) -> tuple[Address, ...]:
        """Of all fields of that name: one is allowed, several are seen, and none may hide the others."""
        return tuple(address for raw in self.all(name) for address in parse_addresses(raw))[:1000]

    def ids(self, name: str) -> tuple[str, ...]:
        return parse_message_ids(self.raw(name))

    def received_at(self) -> datetime | None:
        raw = self.raw("received")
        moment = parse_date(raw.rpartition(b";")[2]) if raw else None
        return moment.astimezone(UTC) if moment else None
