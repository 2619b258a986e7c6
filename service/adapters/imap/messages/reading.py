"""A message with its texts, from one response: what to ask for, and what is made of it."""

from collections.abc import Iterable
from functools import partial

from service.adapters.imap.messages.cache import Description
from service.adapters.imap.messages.items import items_of
from service.adapters.imap.messages.leaves import FIELDS, doubtful, read_leaves, read_root
from service.adapters.imap.session.selection import Selection
from service.adapters.imap.wire.responses import (
    LABELS,
    UNREADABLE,
    FetchResponse,
    header_fields,
    octets,
    version_of,
)
from service.adapters.imap.wire.values.flags import from_wire
from service.adapters.imap.wire.values.labels import labels_from_wire
from service.mail.errors import UpstreamProtocol
from service.mail.mime.body import Choice, Leaf, attachments, body_charset, choose, has_attachment, read_body
from service.mail.mime.message import described
from service.mail.mime.reports.returned import MAX_OCTETS, read_returned, report_parts
from service.mail.model import HtmlMode, Message, MessageSummary, Part

MAX_BODY = 400 << 10
"""Stored octets of a text that are read to show it: 256 KiB after decoding, in every encoding but the rarest."""


def changing_items(selection: Selection) -> list[bytes]:
    """The items of what changes of a message."""
    items = [b"UID FLAGS" + items_of(selection.connection).more]
    return [*items, b"MODSEQ"] if selection.counts_changes else items


def changing(row: FetchResponse) -> dict[str, tuple[str, ...]]:
    """What changes of a message, by the names that ``Message`` has for it."""
    flags = {"flags": from_wire(row.get(b"FLAGS"))}
    return flags | {"labels": labels_from_wire(row[LABELS])} if LABELS in row else flags


def content_items(structure: Part | None) -> list[bytes]:
    """The items of header fields, the texts of the body, the parts of a report, and headers of doubtful parts."""
    if structure is None:
        return [FIELDS]
    report = report_parts(structure)
    windows = {part.id: MAX_OCTETS for part in (report.all if report else ())}
    windows |= {part.id: MAX_BODY for part in _within_budget(choose(structure))}
    texts = (b"BODY.PEEK[%b]<0.%d>" % (part_id.encode(), most) for part_id, most in windows.items())
    return [FIELDS, *texts, *doubtful(structure)]


def read_message(known: Description, row: FetchResponse, html: HtmlMode) -> Message | MessageSummary:
    """The message; only its summary if the server's structure is unusable."""
    details = known.details
    summary = known.summary.model_copy(update=changing(row))
    if details.structure is None or UNREADABLE in row:
        return summary
    try:
        headers = read_root(details.structure, header_fields(row))
        structure = read_leaves(details.structure, row, headers)
    except UpstreamProtocol:
        return summary
    chosen = choose(structure)
    asked = chosen if structure is details.structure else choose(details.structure)
    if any(_is_missing(part, row) for part in _within_budget(asked)):
        return summary
    values, warnings = described(headers, body_charset(structure))
    body = read_body(_leaves(chosen.text, row), _leaves(chosen.html, row), html, warnings)
    returned = read_returned(headers, structure, partial(_leaf, row=row), body.text)
    return Message(
        **dict(summary)
        | dict(details)
        | values
        | {"structure": structure, "has_attachment": has_attachment(structure, chosen)},
        attachments=attachments(structure, chosen),
        body=body,
        report=returned.report,
        unsubscribe=returned.unsubscribe,
        version=version_of(row),
    )


def _within_budget(choice: Choice) -> list[Part]:
    """The texts of the body that are read with a message: the first, as many as are shown of them, because they come in
    one answer."""
    kept: list[Part] = []
    octets = 0
    for part in choice.parts:
        if octets >= 2 * MAX_BODY:
            break
        kept.append(part)
        octets += MAX_BODY if part.size is None else min(part.size, MAX_BODY)
    return kept


def _is_missing(part: Part, row: FetchResponse) -> bool:
    return bool(part.size) and octets(row, _item(part)) is None


def _item(part: Part) -> bytes:
    return b"BODY[%b]<0>" % part.id.encode()


def _leaves(parts: Iterable[Part], row: FetchResponse) -> list[Leaf]:
    return [_leaf(part, row) for part in parts]


def _leaf(part: Part, row: FetchResponse) -> Leaf:
    """A part that was not fetched is beyond the budget, so it counts as cut."""
    item = _item(part)
    text = octets(row, item)
    is_fetched = text is not None or item in row or item[:-3] in row
    return Leaf(part, text or b"", not is_fetched or len(text or b"") >= MAX_BODY)
