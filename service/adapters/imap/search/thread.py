"""Threads of a folder: by the server's THREAD (RFC 5256, 4) or its own thread ids (RFC 8474, Gmail), else by the
Message-IDs that messages name."""

import re
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from functools import partial

from service.adapters.imap.messages.envelope import weight
from service.adapters.imap.messages.folder_messages import FolderMessages
from service.adapters.imap.messages.items import GMAIL
from service.adapters.imap.session.fetch import fetch, find_all
from service.adapters.imap.wire.pace import paced
from service.adapters.imap.wire.responses import FetchResponse, header_fields
from service.adapters.imap.wire.values.numbers import MAX_UID, number
from service.adapters.shared.threads import in_thread
from service.mail.errors import NotSupported
from service.mail.mime.headers.fields import first, parse_message_ids, split_headers
from service.mail.search.filter import Condition, Criterion, Filter, HeaderText, names_thread

MAX_MESSAGES = 10_000
_BATCH = 1000
_THREAD_TOKEN = re.compile(rb"[()]|[^()\s]+")
_OBJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,255}\Z")
_NUMBER = re.compile(r"\d{1,20}\Z", re.ASCII)
THREAD_FIELDS = b"BODY.PEEK[HEADER.FIELDS (MESSAGE-ID IN-REPLY-TO REFERENCES)]"


async def threads_of(messages: FolderMessages) -> list[set[int]]:
    """The UIDs of each thread. One round trip with THREAD; else the thread ids or the headers of all messages are read.
    Raises NotSupported for more than ten thousand messages then."""
    if "THREAD=REFERENCES" in messages.connection.capabilities:
        [answer] = await messages.connection.attempt([b"UID", b"THREAD", b"REFERENCES", b"UTF-8", b"ALL"])
        if answer.status.kind == "OK":
            return [thread async for thread in _read_threads(answer.untagged)]
        messages.connection.disable("THREAD=REFERENCES")
    uids = await find_all(messages.selection)
    if len(uids) > MAX_MESSAGES:
        raise NotSupported(
            "threads", f"This server has no THREAD, and Casella finds the threads of {MAX_MESSAGES} messages at most."
        )
    item, read = thread_item(messages.connection.capabilities)
    read_names = message_names if item == THREAD_FIELDS else partial(_own_names, read)
    names: dict[int, list[str]] = {}
    for at in range(0, len(uids), _BATCH):
        responses = await fetch(messages.selection, uids[at : at + _BATCH], item)
        names |= await in_thread(partial(_names_of, read_names, responses), sum(map(weight, responses.values())))
    return await _joined(names)


def _names_of(
    read: Callable[[FetchResponse], list[str]], responses: Mapping[int, FetchResponse]
) -> dict[int, list[str]]:
    return {uid: read(row) for uid, row in responses.items()}


def _own_names(read: Callable[[FetchResponse], str], row: FetchResponse) -> list[str]:
    """The server's thread id, if the message has one."""
    return [name] if (name := read(row)) else []


def thread_item(capabilities: Collection[str]) -> tuple[bytes, Callable[[FetchResponse], str]]:
    """The item that says to which thread a message belongs, and how to read it: an empty text if it says nothing."""
    if "OBJECTID" in capabilities:
        return b"THREADID", lambda row: _word(row.get(b"THREADID"))
    if GMAIL in capabilities:
        return b"X-GM-THRID", lambda row: _word(row.get(b"X-GM-THRID"))
    return THREAD_FIELDS, oldest_name


def thread_filter(capabilities: Collection[str], name: str) -> Filter:
    """Holds for all messages of the thread with this name. Servers find their own ids (RFC 8474, Gmail)."""
    if "OBJECTID" in capabilities and _OBJECT_ID.match(name):
        return Condition(Criterion.SERVER_THREAD, HeaderText("THREADID", name))
    if GMAIL in capabilities and _NUMBER.match(name):
        return Condition(Criterion.SERVER_THREAD, HeaderText("X-GM-THRID", name))
    return names_thread(name)


def oldest_name(row: FetchResponse) -> str:
    """The oldest Message-ID that the message names."""
    return next(iter(message_names(row)), "")


def _word(token: object) -> str:
    """The thread id, which servers write bare or as ``(id)``."""
    if isinstance(token, list):
        token = token[0] if token else None
    return token.decode(errors="replace") if isinstance(token, bytes) else ""


def message_names(row: FetchResponse) -> list[str]:
    """All Message-IDs that a message names, the oldest first and its own last."""
    fields = split_headers(header_fields(row))
    named = [parse_message_ids(first(fields, name) or b"") for name in ("References", "In-Reply-To", "Message-ID")]
    return [name for names in named for name in names]


async def _read_threads(untagged: Iterable[bytes]) -> AsyncIterator[set[int]]:
    """Reads ``THREAD (1 2 (3)(4 5))(6)``. Nested messages are one thread; how they nest does not matter."""
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
    """Groups messages that name a common Message-ID, directly or through others (the connected components)."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while (above := parent.setdefault(name, name)) != name:
            parent[name] = parent[above]
            name = above
        return name

    async for uid, named in paced(names.items()):
        own = f"uid {uid}"
        for name in named:
            parent[root(name)] = root(own)
    threads: dict[str, set[int]] = {}
    for uid in names:
        threads.setdefault(root(f"uid {uid}"), set()).add(uid)
    return list(threads.values())
