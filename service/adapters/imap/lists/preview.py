"""The columns of a list that are read only on request: the preview, and the id of the thread."""

from collections.abc import Callable, Mapping

from service.adapters.imap.messages.cache import CachedMessage
from service.adapters.imap.messages.envelope import weight
from service.adapters.imap.messages.folder_messages import FolderMessages, JsonOf
from service.adapters.imap.search.reader import read_texts
from service.adapters.imap.search.thread import THREAD_FIELDS, oldest_name, thread_item
from service.adapters.imap.session.fetch import fetch
from service.adapters.imap.wire.responses import FetchResponse
from service.adapters.shared.threads import in_thread
from service.mail.ids import thread_id
from service.mail.json_rows import with_text
from service.mail.search.filter import ListQuery

MAX_PREVIEW = 256
"""Characters (RFC 8970, 3.1)."""
_READ = 8 << 10
"""Stored octets of a text that are read for its first words."""


async def add_previews(messages: FolderMessages, items: JsonOf, query: ListQuery) -> JsonOf:
    """Returns the rows with previews and thread ids. One round trip or a few for messages not read before."""
    cached = await messages.get(items)
    if query.with_preview:
        cached |= await _read_previews(
            messages, {uid: message for uid, message in cached.items() if message.preview is None}
        )
    if query.with_thread:
        cached |= await _read_threads(
            messages, {uid: message for uid, message in cached.items() if message.thread_id is None}
        )
    return {uid: _extended(row, cached[uid], query) for uid, row in items.items() if uid in cached}


def _extended(row: bytes, message: CachedMessage, query: ListQuery) -> bytes:
    if query.with_preview and message.preview:
        row = with_text(row, b"preview", message.preview)
    if query.with_thread and message.thread_id:
        row = with_text(row, b"threadId", message.thread_id)
    return row


async def _read_previews(messages: FolderMessages, cached: dict[int, CachedMessage]) -> dict[int, CachedMessage]:
    """By PREVIEW (RFC 8970), else from the beginning of the text; so too if the server has NIL for a message."""
    if not cached:
        return {}
    if "PREVIEW" in messages.connection.capabilities:
        responses = await fetch(messages.selection, cached, b"PREVIEW")
        texts = {uid: preview for uid, row in responses.items() if (preview := _shown(row.get(b"PREVIEW")))}
    else:
        texts = {}
    if without := {uid: message for uid, message in cached.items() if uid not in texts}:
        texts |= {uid: text or "" for uid, text in (await read_texts(messages, without, _READ)).items()}
    previews = {uid: " ".join(texts.get(uid, "")[:_READ].split())[:MAX_PREVIEW] for uid in cached}
    return messages.extend(cached, previews=previews)


def _shown(token: object) -> str:
    return token.decode(errors="replace") if isinstance(token, bytes) else ""


async def _read_threads(messages: FolderMessages, cached: dict[int, CachedMessage]) -> dict[int, CachedMessage]:
    """By the server's own thread id (RFC 8474, Gmail); without one, or if it is NIL, by the oldest Message-ID that the
    message names."""
    if not cached:
        return {}
    item, read = thread_item(messages.connection.capabilities)
    responses = await fetch(messages.selection, cached, item)
    names = await _names(responses, read)
    without = [uid for uid, name in names.items() if not name] if item != THREAD_FIELDS else []
    names |= await _names(await fetch(messages.selection, without, THREAD_FIELDS), oldest_name)
    return messages.extend(cached, threads={uid: thread_id(name or messages.id(uid)) for uid, name in names.items()})


async def _names(responses: Mapping[int, FetchResponse], read: Callable[[FetchResponse], str]) -> dict[int, str]:
    return await in_thread(
        lambda: {uid: read(row) for uid, row in responses.items()}, sum(map(weight, responses.values()))
    )
