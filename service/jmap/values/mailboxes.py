"""Folders as Mailboxes (RFC 8621, 2)."""

from collections.abc import Mapping
from hashlib import blake2s
from typing import Any

from service.jmap.core.known import write_known
from service.mail.model import Capability, Folder

PROPERTIES = (
    *("id", "name", "parentId", "role", "sortOrder", "totalEmails", "unreadEmails", "totalThreads", "unreadThreads"),
    *("myRights", "isSubscribed"),
)
COUNTS = ("totalEmails", "unreadEmails", "totalThreads", "unreadThreads")
_ORDER = {role: number for number, role in enumerate(
    ("inbox", "drafts", "sent", "archive", "junk", "trash", "flagged", "all"), 1
)}  # fmt: skip
_LAST = 10
KIND = b"f"
"""Begins the states of mailboxes."""
_RIGHTS = {
    "mayReadItems": "r",
    "mayAddItems": "i",
    "mayRemoveItems": "te",
    "maySetSeen": "s",
    "maySetKeywords": "w",
    "mayCreateChild": "k",
    "mayRename": "x",
    "mayDelete": "x",
    "maySubmit": "p",
}
"""The letters of RFC 4314 that give each right; all of them are needed."""
_MESSAGES = ("mayReadItems", "mayAddItems", "mayRemoveItems", "maySetSeen", "maySetKeywords", "maySubmit")


def mailbox(mailbox_id: str, folder: Folder, parents: Mapping[str, str], can: frozenset[Capability]) -> dict[str, Any]:
    """``parents`` has the Mailbox id of each folder. Threads are not counted: their numbers are those of Emails."""
    total, unread = folder.total_messages or 0, folder.unread_messages or 0
    return {
        "id": mailbox_id,
        "name": folder.name,
        "parentId": parents.get(folder.parent_id) if folder.parent_id else None,
        "role": folder.role,
        "sortOrder": _ORDER.get(folder.role or "", _LAST),
        "totalEmails": total,
        "unreadEmails": unread,
        "totalThreads": total,
        "unreadThreads": unread,
        "myRights": rights(folder, can),
        "isSubscribed": folder.is_subscribed,
    }


def rights(folder: Folder, can: frozenset[Capability]) -> dict[str, bool]:
    """What the user may do, as far as the server says; all of it in folders of the user's own."""
    letters = "lrswipkxtea" if folder.rights is None else folder.rights
    may = {name: all(letter in letters for letter in needed) for name, needed in _RIGHTS.items()}
    lacking = set() if folder.is_selectable else set(_MESSAGES)
    if Capability.FOLDERS not in can:
        lacking |= {"mayCreateChild", "mayRename", "mayDelete"}
    if Capability.APPEND not in can:
        lacking |= {"mayAddItems"}
    if Capability.FLAGS not in can:
        lacking |= {"maySetSeen", "maySetKeywords"}
    if folder.role == "inbox":
        lacking |= {"mayRename", "mayDelete"}
    return {name: value and name not in lacking for name, value in may.items()}


def write_state(mailboxes: Mapping[str, dict[str, Any]]) -> bytes:
    """A state that says by itself what was there."""
    known = {each["id"]: [_digest(each, counts=False), _digest(each, counts=True)] for each in mailboxes.values()}
    return write_known(KIND, known)


def changed(
    known: Mapping[str, list[str]], mailboxes: Mapping[str, dict[str, Any]]
) -> tuple[list[str], list[str], list[str], bool]:
    """Created, updated and destroyed; and whether nothing but counts was updated."""
    created = [each for each in mailboxes if each not in known]
    destroyed = [each for each in known if each not in mailboxes]
    both = [each for each in mailboxes if each in known]
    names = [each for each in both if _digest(mailboxes[each], counts=False) != known[each][0]]
    counts = [each for each in both if _digest(mailboxes[each], counts=True) != known[each][1]]
    return created, list(dict.fromkeys((*names, *counts))), destroyed, bool(counts) and not names


def _digest(record: Mapping[str, Any], *, counts: bool) -> str:
    values = [record[name] for name in PROPERTIES if (name in COUNTS) == counts]
    return blake2s(repr(values).encode(), digest_size=5).hexdigest()
