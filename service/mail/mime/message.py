"""Whole messages and their header blocks as values, for adapters that hold the octets."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from service.mail.mime.body import MAX_STORED, Leaf, attachments, body_charset, choose, has_attachment, read_body
from service.mail.mime.charset import is_foreign
from service.mail.mime.headers.addresses import known_addresses, sender_warnings
from service.mail.mime.headers.dates import parse_date
from service.mail.mime.headers.fields import RawHeader, charset_for, parse_message_ids, split_headers, text_of
from service.mail.mime.headers.words import shown_text
from service.mail.mime.reports import returned
from service.mail.mime.reports.returned import MAX_OCTETS, read_returned
from service.mail.mime.structure import Entity, find, parse
from service.mail.model import Address, HtmlMode, Message, MessageSummary, Part

IN_SUMMARIES = ("subject", "from_", "to", "sent_at", "message_id", "in_reply_to")
"""Of ``header_values``."""


def read_summary(
    header_block: bytes,
    *,
    id: str,  # noqa: A002 - named as in the model
    folder_id: str,
    size: int | None,
    received_at: datetime | None = None,
    flags: tuple[str, ...] = (),
    has_attachment: bool | None = None,
    charset: str | None = None,
) -> MessageSummary:
    """A row of a list. Without ``received_at`` the date of the topmost Received field stands for it. ``charset`` is
    the body's: that of octets in the header whose charset nothing says."""
    fields = _Fields.of(split_headers(header_block, _NAMES), charset or text_charset(header_block))
    values = fields.values()
    return MessageSummary(
        id=id,
        folder_id=folder_id,
        received_at=received_at or fields.received_at(),
        size=size,
        flags=flags,
        has_attachment=has_attachment,
        **{name: values[name] for name in IN_SUMMARIES if name in values},
    )


def text_charset(beginning: bytes) -> str | None:
    """The charset of the body of a message, of which the header at least is here, if text in it needs one."""
    return body_charset(parse(beginning).part) if is_foreign(beginning) else None


def header_values(block: bytes, charset: str | None = None) -> dict[str, Any]:
    """What a header says, by the names that ``Message`` has for it; a field that is missing has no entry. ``charset``
    is the body's."""
    return _Fields.of(split_headers(block, _NAMES), charset).values()


def described(headers: Sequence[RawHeader], charset: str | None = None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The ``header_values``, and what is odd about the senders that the header names."""
    fields = _Fields.of(headers, charset)
    return fields.values(), sender_warnings(fields.all("from"))


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
    headers = split_headers(source[root.header_start : root.body_start], _ALL_NAMES)
    fields = _Fields.of(headers, body_charset(structure))
    choice = choose(structure)
    warnings = sender_warnings(fields.all("from")) + (("structure-truncated",) if root.is_truncated else ())
    body = read_body(_leaves(source, root, choice.text), _leaves(source, root, choice.html), html, warnings)
    found = read_returned(headers, structure, partial(_part, source, root), body.text)
    return Message(
        id=id,
        folder_id=folder_id,
        received_at=received_at or fields.received_at(),
        size=size,
        flags=flags,
        has_attachment=has_attachment(structure, choice),
        **fields.values(),
        structure=structure,
        attachments=attachments(structure, choice),
        body=body,
        report=found.report,
        unsubscribe=found.unsubscribe,
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
    def of(cls, headers: Sequence[RawHeader], charset: str | None) -> "_Fields":
        fields = [each for each in headers if each.name.lower() in _NAMES]
        charset = charset_for(fields, charset)
        return cls(tuple(RawHeader(name.lower(), text_of(name, raw, charset)) for name, raw in fields))

    def all(self, name: str) -> tuple[bytes, ...]:
        return tuple(raw for field, raw in self.headers if field == name)

    def raw(self, name: str) -> bytes | None:
        return next((raw for field, raw in self.headers if field == name), None)

    def values(self) -> dict[str, Any]:
        names = {name for name, _ in self.headers}
        return {_READERS[name][0]: _READERS[name][1](self, name) for name in _READERS if name in names}

    def text(self, name: str) -> str | None:
        raw = self.raw(name)
        return None if raw is None else shown_text(raw)

    def date(self, name: str) -> datetime | None:
        """Of the first field that holds one."""
        return next((date for raw in self.all(name) if (date := parse_date(raw)) is not None), None)

    def addresses(self, name: str) -> tuple[Address, ...]:
        """Of all fields of that name: one is allowed, several are seen, and none may hide the others."""
        return tuple(address for raw in self.all(name) for address in known_addresses(raw))[:1000]

    def others(self, name: str) -> tuple[Address, ...]:
        """Those of a field that are not those of From, which it stands for if it is missing (RFC 9051, 7.5.2)."""
        found = self.addresses(name)
        return found if found != self.addresses("from") else ()

    def ids(self, name: str) -> tuple[str, ...]:
        return parse_message_ids(self.raw(name))

    def some_ids(self, name: str) -> tuple[str, ...] | None:
        return self.ids(name) or None

    def one_id(self, name: str) -> str | None:
        return next(iter(self.ids(name)), None)

    def received_at(self) -> datetime | None:
        raw = self.raw("received")
        moment = parse_date(raw.rpartition(b";")[2]) if raw else None
        return moment.astimezone(UTC) if moment else None


_READERS: Mapping[str, tuple[str, Callable[[_Fields, str], Any]]] = {
    "subject": ("subject", _Fields.text),
    "from": ("from_", _Fields.addresses),
    "sender": ("sender", _Fields.others),
    "reply-to": ("reply_to", _Fields.others),
    "to": ("to", _Fields.addresses),
    "cc": ("cc", _Fields.addresses),
    "bcc": ("bcc", _Fields.addresses),
    "date": ("sent_at", _Fields.date),
    "message-id": ("message_id", _Fields.one_id),
    "in-reply-to": ("in_reply_to", _Fields.some_ids),
    "references": ("references", _Fields.ids),
}
"""The field of ``Message`` that a header field makes, and how."""
_NAMES = _READERS.keys() | {"received"}
_ALL_NAMES = _NAMES | {name.lower() for name in returned.FIELDS}
