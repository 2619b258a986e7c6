"""What a list shows only where it is asked for: the first words, and the conversation a message belongs to."""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection
from hashlib import blake2s

from service.adapters.imap.messages.cache import CachedMessage
from service.adapters.imap.messages.envelope import weight
from service.adapters.imap.messages.folder_messages import FolderMessages, JsonOf
from service.adapters.imap.search.reader import read_texts
from service.adapters.imap.search.thread import THREAD_FIELDS, message_names
from service.adapters.imap.session.fetch import fetch
from service.adapters.imap.wire.responses import FetchResponse
from service.adapters.shared.threads import apart
from service.mail.json_rows import with_text
from service.mail.search.filter import ListQuery

MAX_PREVIEW = 256
"""Characters (RFC 8970, 3.1)."""
_READ = 8 << 10
"""Stored octets of a text that are read for its first words."""


async def with_previews(rows: FolderMessages, items: JsonOf, query: ListQuery) -> JsonOf:
    """The rows with previews and thread ids: a round trip or a few for those never read before."""
    entries = await rows.entries(items)
    if query.with_preview:
        entries |= await _read_previews(rows, {uid: one for uid, one in entries.items() if one.preview is None})
    if query.with_thread:
        entries |= await _read_threads(rows, {uid: one for uid, one in entries.items() if one.thread_id is None})
    return {uid: _extended(row, entries[uid], query) for uid, row in items.items() if uid in entries}


def _extended(row: bytes, entry: CachedMessage, query: ListQuery) -> bytes:
    if query.with_preview and entry.preview:
        row = with_text(row, b"preview", entry.preview)
    if query.with_thread and entry.thread_id:
        row = with_text(row, b"threadId", entry.thread_id)
    return row


async def _read_previews(rows: FolderMessages, entries: dict[int, CachedMessage]) -> dict[int, CachedMessage]:
    """By PREVIEW (RFC 8970), else the beginning of the text is read."""
    if not entries:
        return {}
    if "PREVIEW" in rows.connection.capabilities:
        told = await fetch(rows.selection, entries, b"PREVIEW")
        texts = {uid: _shown(row.get(b"PREVIEW")) for uid, row in told.items()}
    else:
        texts = {uid: text or "" for uid, text in (await read_texts(rows, entries, _READ)).items()}
    previews = {uid: " ".join(texts.get(uid, "")[:_READ].split())[:MAX_PREVIEW] for uid in entries}
    return rows.extend(entries, previews=previews)


def _shown(token: object) -> str:
    return token.decode(errors="replace") if isinstance(token, bytes) else ""


async def _read_threads(rows: FolderMessages, entries: dict[int, CachedMessage]) -> dict[int, CachedMessage]:
    """By the server's own id (RFC 8474, Gmail), else by the oldest Message-ID the message names."""
    if not entries:
        return {}
    item, read = _thread_item(rows.connection.capabilities)
    told = await fetch(rows.selection, entries, item)
    names = await apart(lambda: {uid: read(row) for uid, row in told.items()}, sum(map(weight, told.values())))
    return rows.extend(entries, threads={uid: _thread_id(name or rows.id(uid)) for uid, name in names.items()})


def _thread_item(capabilities: Collection[str]) -> tuple[bytes, Callable[[FetchResponse], str]]:
    if "OBJECTID" in capabilities:
        return b"THREADID", lambda row: _word(row.get(b"THREADID"))
    if "X-GM-EXT-1" in capabilities:
        return b"X-GM-THRID", lambda row: _word(row.get(b"X-GM-THRID"))
    return THREAD_FIELDS, lambda row: next(iter(message_names(row)), "")


def _word(token: object) -> str:
    """Servers write it bare or as ``(id)``."""
    if isinstance(token, list):
        token = token[0] if token else None
    return token.decode(errors="replace") if isinstance(token, bytes) else ""


def _thread_id(name: str) -> str:
    digest = blake2s(name.encode(errors="surrogatepass"), digest_size=12).digest()
    return f"t_{urlsafe_b64encode(digest).decode()}"
