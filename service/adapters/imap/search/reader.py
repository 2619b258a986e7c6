"""Reads what Casella needs of messages to decide conditions that the server cannot: as little as possible."""

from collections.abc import Collection, Sequence
from functools import partial

from service.adapters.imap.messages.cache import CachedMessage
from service.adapters.imap.messages.folder_messages import FolderMessages
from service.adapters.imap.session.fetch import fetch
from service.adapters.imap.wire.pace import paced
from service.adapters.imap.wire.responses import FetchResponse, octets
from service.adapters.imap.wire.values.flags import from_wire
from service.adapters.shared.threads import in_thread
from service.mail.mime.body import Leaf, choose, read_body
from service.mail.mime.headers.fields import list_headers
from service.mail.model import HtmlMode, Part
from service.mail.search.matching import KnownMessage, Need, address_text

MAX_HEADER = 64 << 10
MAX_TEXT = 256 << 10
"""Stored octets of a message's text that are searched."""
_BATCH = 25
"""Messages whose texts are read at once: with ``MAX_TEXT`` each they fit into one answer."""


class Reader:
    """Reads of messages in the selected folder what ``needs`` names."""

    def __init__(self, messages: FolderMessages, needs: Collection[Need]) -> None:
        self._messages = messages
        self._needs = needs

    async def read(self, uids: Sequence[int]) -> dict[int, KnownMessage]:
        """The contents of those messages that exist."""
        cached = await self._messages.get(uids)
        existing = list(cached)
        flags = await self._fetch(existing, b"FLAGS") if Need.FLAGS in self._needs else {}
        headers = await self._headers(existing) if Need.HEADERS in self._needs else {}
        texts = await read_texts(self._messages, cached, MAX_TEXT) if Need.BODY in self._needs else {}
        return await in_thread(
            lambda: {uid: _known(uid, cached[uid], flags.get(uid, {}), headers, texts) for uid in existing},
            sum(message.cost for message in cached.values()) + sum(map(len, headers.values())),
        )

    async def _headers(self, uids: Sequence[int]) -> dict[int, bytes]:
        rows = await self._fetch(uids, b"BODY.PEEK[HEADER]<0.%d>" % MAX_HEADER)
        return {uid: octets(row, b"BODY[HEADER]<0>") or b"" for uid, row in rows.items()}

    async def _fetch(self, uids: Sequence[int], items: bytes) -> dict[int, FetchResponse]:
        found: dict[int, FetchResponse] = {}
        for at in range(0, len(uids), _BATCH * 8):
            batch = uids[at : at + _BATCH * 8]
            found |= await fetch(self._messages.selection, batch, items)
        return found


def _known(
    uid: int, message: CachedMessage, row: FetchResponse, headers: dict[int, bytes], texts: dict[int, str | None]
) -> KnownMessage:
    summary, details = message.summary, message.details
    return KnownMessage(
        flags=from_wire(row.get(b"FLAGS")),
        size=summary.size,
        received_at=summary.received_at,
        sent_at=summary.sent_at,
        has_attachment=summary.has_attachment,
        subject=summary.subject,
        from_=address_text(summary.from_),
        to=address_text(summary.to),
        cc=address_text(details.cc),
        bcc=address_text(details.bcc),
        headers=list_headers(headers[uid]) if uid in headers else None,
        text=texts.get(uid),
    )


async def read_texts(messages: FolderMessages, cached: dict[int, CachedMessage], limit: int) -> dict[int, str | None]:
    """The body text of each message, made of at most ``limit`` stored octets of each part. Messages with the same part
    numbers are read together: a few round trips for a page."""
    parts: dict[int, tuple[Part, ...]] = {}
    by_sections: dict[tuple[str, ...], list[int]] = {}
    async for uid, message in paced(cached.items()):
        structure = message.details.structure
        if structure is not None and (chosen := choose(structure).text):
            parts[uid] = chosen
            by_sections.setdefault(tuple(part.id for part in chosen), []).append(uid)
    texts: dict[int, str | None] = {}
    for sections, uids in by_sections.items():
        items = b" ".join(b"BODY.PEEK[%b]<0.%d>" % (section.encode(), limit) for section in sections)
        size = max(1, _BATCH // len(sections))
        for at in range(0, len(uids), size):
            responses = await fetch(messages.selection, uids[at : at + size], items)
            leaves = {uid: _leaves(parts[uid], row, limit) for uid, row in responses.items()}
            texts |= await in_thread(
                partial(_texts, leaves), sum(len(leaf.octets) for each in leaves.values() for leaf in each)
            )
    return texts


def _leaves(parts: Sequence[Part], row: FetchResponse, limit: int) -> list[Leaf]:
    pieces = [octets(row, b"BODY[%b]<0>" % part.id.encode()) or b"" for part in parts]
    return [Leaf(part, piece, len(piece) >= limit) for part, piece in zip(parts, pieces, strict=True)]


def _texts(leaves: dict[int, list[Leaf]]) -> dict[int, str | None]:
    return {uid: read_body(each, [], form=HtmlMode.NONE).text for uid, each in leaves.items()}
