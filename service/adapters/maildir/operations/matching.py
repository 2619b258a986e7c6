"""Whether a filter holds for a message. Reads of the message only what the filter needs, from cheap to expensive: its
name, its row, its headers, its text."""

from collections.abc import Sequence
from dataclasses import replace

from service.adapters.maildir.disk import content
from service.adapters.maildir.mailbox import Mailbox
from service.adapters.maildir.operations.rows import ListedMessage, row_of
from service.mail.errors import MailError
from service.mail.mime.headers.fields import list_headers
from service.mail.model import Header, MessageSummary
from service.mail.search.filter import Criterion, Filter, conditions
from service.mail.search.matching import KnownMessage, Need, address_text, holds, needs

_HEADERS = frozenset({Criterion.CC, Criterion.BCC})


def matches(mailbox: Mailbox, tree: Filter, message: ListedMessage) -> bool:
    """False for a message that is gone, or cannot be read."""
    known = _known(mailbox, tree, message)
    return known is not None and holds(tree, known)


def _known(mailbox: Mailbox, tree: Filter, message: ListedMessage) -> KnownMessage | None:
    folder = message.listed
    known = KnownMessage(flags=message.flags, folder=(folder.id, folder.role) if folder.role else (folder.id,))
    needed = needs(tree)
    if not needed - {Need.FLAGS}:
        return known
    row = row_of(mailbox, message)
    if row is None:
        return None
    known = _with_row(known, row)
    if not {Need.HEADERS, Need.BODY} & needed and not any(each.criterion in _HEADERS for each in conditions(tree)):
        return known
    return _with_content(known, message, needed)


def _with_row(known: KnownMessage, row: MessageSummary) -> KnownMessage:
    return replace(
        known,
        size=row.size,
        received_at=row.received_at,
        sent_at=row.sent_at,
        has_attachment=row.has_attachment,
        subject=row.subject,
        from_=address_text(row.from_),
        to=address_text(row.to),
    )


def _with_content(known: KnownMessage, message: ListedMessage, needed: frozenset[Need]) -> KnownMessage | None:
    try:
        file = message.listed.folder.file(message.entry.unique)
    except (MailError, OSError):
        return None
    headers = list_headers(content.header(file))
    text = content.text(file) if Need.BODY in needed else None
    return replace(known, headers=headers, cc=_joined(headers, "cc"), bcc=_joined(headers, "bcc"), text=text)


def _joined(headers: Sequence[Header], name: str) -> str | None:
    return ", ".join(header.value for header in headers if header.name.lower() == name) or None
