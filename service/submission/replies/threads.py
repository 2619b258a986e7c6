"""The place of an answer in its thread (RFC 5322, 3.6.4)."""

import re
from typing import NamedTuple

from service.mail.model import Message

MAX_IDS = 50
MAX_OCTETS = 998 - len("References: ")
"""Of all ids with their brackets and the spaces between them: those of one line that is not folded."""
MAX_ID = 500
_ID = re.compile(r"[!-;=?-~]{1,500}")


class Thread(NamedTuple):
    """Message-IDs without angle brackets. All of them are ASCII without blanks, so that they can be written."""

    in_reply_to: str | None = None
    references: tuple[str, ...] = ()


def reply_thread(original: Message) -> Thread:
    """The original's references, and itself. If they are too many, the first and the last are kept: by the first one
    programs find the thread, by the last ones the place in it."""
    parents = original.references
    if not parents and original.in_reply_to and len(original.in_reply_to) == 1:
        parents = original.in_reply_to
    own = original.message_id if original.message_id and _ID.fullmatch(original.message_id) else None
    ids = [each for each in dict.fromkeys(parents) if _ID.fullmatch(each) and each != own]
    return Thread(own, _bounded([*ids, own] if own else ids))


def forward_thread(original: Message) -> Thread:
    """A forward belongs to the thread, but replies to no message."""
    return Thread(None, reply_thread(original).references)


def _bounded(ids: list[str]) -> tuple[str, ...]:
    if len(ids) <= MAX_IDS and sum(map(_cost, ids)) <= MAX_OCTETS:
        return tuple(ids)
    first, *others = ids
    left, kept = MAX_OCTETS - _cost(first), list[str]()
    for each in reversed(others[1 - MAX_IDS :]):
        left -= _cost(each)
        if left < 0:
            break
        kept.append(each)
    return (first, *reversed(kept)) if kept else (others[-1],)


def _cost(message_id: str) -> int:
    """With brackets and a space."""
    return len(message_id) + 3
