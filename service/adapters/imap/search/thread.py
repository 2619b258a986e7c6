"""Conversations of a folder: as the server tells them (RFC 5256, 4), else by the Message-IDs that messages name."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial

from service.adapters.imap.messages.envelope import weight
from service.adapters.imap.messages.folder_messages import FolderMessages
from service.adapters.imap.session.fetch import fetch, find_all
from service.adapters.imap.wire.numbers import MAX_UID, number
from service.adapters.imap.wire.pace import paced
from service.adapters.imap.wire.responses import FetchResponse, header_fields
from service.adapters.shared.threads import apart
from service.mail.errors import NotSupported
from service.mail.mime.headers import first, parse_message_ids, split_headers

MAX_MESSAGES = 10_000
_BATCH = 1000
_THREAD_TOKEN = re.compile(rb"[()]|[^()\s]+")
THREAD_FIELDS = b"BODY.PEEK[HEADER.FIELDS (MESSAGE-ID IN-REPLY-TO REFERENCES)]"


async def threads_of(rows: FolderMessages) -> list[set[int]]:
    """The UIDs of each conversation. One round trip with THREAD; else the folder's headers are read, of ten thousand
    messages at most."""
    if "THREAD=REFERENCES" in rows.connection.capabilities:
        [answer] = await rows.connection.attempt([b"UID", b"THREAD", b"REFERENCES", b"UTF-8", b"ALL"])
        if answer.status.kind == "OK":
            return [thread async for thread in _told(answer.untagged)]
        rows.connection.disable("THREAD=REFERENCES")
    uids = await find_all(rows.selection)
    if len(uids) > MAX_MESSAGES:
        raise NotSupported(
            "threads", f"This server tells no threads, and Casella makes them of {MAX_MESSAGES} messages at most."
        )
    names: dict[int, list[str]] = {}
    for at in range(0, len(uids), _BATCH):
        told = await fetch(rows.selection, uids[at : at + _BATCH], THREAD_FIELDS)
        names |= await apart(partial(_names_of, told), sum(map(weight, told.values())))
    return await _joined(names)


def _names_of(told: Mapping[int, FetchResponse]) -> dict[int, list[str]]:
    return {uid: message_names(row) for uid, row in told.items()}


def message_names(row: FetchResponse) -> list[str]:
    """All Message-IDs a message names, the oldest first and its own last."""
    fields = split_headers(header_fields(row))
    found = [parse_message_ids(first(fields, name) or b"") for name in ("References", "In-Reply-To", "Message-ID")]
    return [name for names in found for name in names]


async def _told(untagged: Iterable[bytes]) -> AsyncIterator[set[int]]:
    """``THREAD (1 2 (3)(4 5))(6)``: what nests is one conversation, and how it nests is not looked at."""
    depth = 0
    thread: set[int] = set()
    lines = (line for line in untagged if line[:7].upper() == b"THREAD ")
    async for token in paced(match[0] for line in lines for match in _THREAD_TOKEN.finditer(line, 7)):
        if token == b"(":
            depth += 1
        elif token != b")":
            thread.add(number(token, MAX_UID))
        else:
            depth -= 1
            if depth == 0:
                yield thread
                thread = set()


async def _joined(names: dict[int, list[str]]) -> list[set[int]]:
    """Messages that name the same Message-ID belong together, and so does whoever else does with one of them."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while (above := parent.setdefault(name, name)) != name:
            parent[name] = parent[above]
            name = above
        return name

    async for uid, found in paced(names.items()):
        own = f"uid {uid}"
        for name in found:
            parent[root(name)] = root(own)
    threads: dict[str, set[int]] = {}
    for uid in names:
        threads.setdefault(root(f"uid {uid}"), set()).add(uid)
    return list(threads.values())
