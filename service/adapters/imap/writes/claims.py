"""The right to move messages, taken in the mailbox, so that processes that do not know each other move them once.

Two MOVE of the same message at the same instant may both copy it (Dovecot, Cyrus). Two STORE that are only for messages
that have not changed since (RFC 7162, 3.1.3) do not both succeed. So a claim is a nonce of keywords on the message, set
under that condition. It moves along with the message, and is removed in the target folder.
"""

from collections.abc import Collection, Iterable, Mapping
from itertools import combinations
from secrets import choice
from typing import NamedTuple

from service.adapters.imap.session.fetch import says_gone
from service.adapters.imap.session.selection import Selection
from service.adapters.imap.wire.arguments import flag_list, uid_set
from service.adapters.imap.wire.responses import FetchResponse, fetch_rows, version_of
from service.adapters.imap.wire.values.flags import from_wire
from service.adapters.imap.wire.values.numbers import count, members, read_ranges
from service.adapters.imap.writes.likeness import CONTENT, Likeness, likeness_of

WORDS = tuple(f"casella-move-{number}" for number in range(8))
"""A few fixed names: a Maildir folder has room for 26 keywords."""
Nonce = frozenset[str]
NONCES: tuple[Nonce, ...] = tuple(map(frozenset, combinations(WORDS, len(WORDS) // 2)))
"""All of one size, so that none contains another: a STORE that changes nothing may succeed although the message has
changed (Dovecot, one in two hundred of those at the same instant)."""
NOISY = "STORE-NOT-SILENT"
"""Stands among the capabilities that do not work, for a server that is never silent about what a STORE sets."""
_TRIES = 3


class Seen(NamedTuple):
    """A message before it is moved: what other processes have set, its version, and what to know it by afterwards."""

    nonces: Nonce
    version: int | None
    likeness: Likeness | None


class Claimed(NamedTuple):
    """Messages that are claimed now. In ``doubt`` are those of which the server also reports flags, although it was
    asked to be silent about what this STORE sets: another process has just set the same nonce."""

    sure: set[int]
    doubt: set[int]


def can_claim(selection: Selection) -> bool:
    """Whether the server counts changes, keeps keywords, and reports the new UIDs of moved messages (RFC 4315). Without
    one of these, nothing is claimed; nor if a command ends at some number of messages, because it would have to be
    joined together who has claimed what."""
    if selection.connection.message_limit is not None:
        return False
    capabilities = selection.connection.capabilities
    reports_uids = not capabilities.isdisjoint({"UIDPLUS", "IMAP4REV2"})
    keeps_words = not selection.is_read_only and all(map(selection.keeps, WORDS))
    return reports_uids and keeps_words and selection.counts_changes


async def look(selection: Selection, uids: Collection[int]) -> tuple[dict[int, Seen], dict[int, Seen]]:
    """Those of the messages that exist, and those that the server has listed: it may list one that has just gone, and
    report that in the same answer. One round trip; then another one."""
    items, listed = b"(UID FLAGS MODSEQ %b)" % CONTENT, dict[int, Seen]()
    for _ in range(_TRIES):
        answer = await selection.connection.run([b"UID", b"FETCH", uid_set(uids), items])
        rows = await fetch_rows(answer.untagged)
        present = rows.keys() & set(uids)
        listed |= {uid: _seen(rows[uid]) for uid in present}
        if not says_gone(answer.untagged):
            break
    return {uid: listed[uid] for uid in present}, listed


def _seen(row: FetchResponse) -> Seen:
    """A row without flags or version is of a message that cannot be claimed."""
    version = version_of(row) if b"FLAGS" in row else None
    nonces = frozenset(flag for flag in from_wire(row.get(b"FLAGS")) if flag in WORDS)
    return Seen(nonces, None if version is None else int(version), likeness_of(row))


async def claim(selection: Selection, versions: Mapping[int, int], nonce: Nonce) -> Claimed | None:
    """Set the nonce on those of the messages that have not changed. One round trip. None if the server refuses keywords
    or the condition.

    ``versions`` are of messages without another's claim: under the highest, no change after they were read is
    overlooked, because each change has a higher number than those before.
    """
    condition = b"(UNCHANGEDSINCE %d)" % max(versions.values())
    words = flag_list(sorted(nonce))
    store = [b"UID", b"STORE", uid_set(versions), condition, b"+FLAGS.SILENT", words]
    [answer] = await selection.connection.attempt(store)
    changed: set[int] = set()
    if answer.status.code == "MODIFIED":
        runs = read_ranges(answer.status.argument.strip())
        changed = set(members(runs)) if count(runs) <= len(versions) else set(versions)
    elif answer.status.kind != "OK":
        return None
    rows = await fetch_rows(answer.untagged)
    told = {uid for uid, row in rows.items() if b"FLAGS" in row} & versions.keys() - changed
    return Claimed(versions.keys() - changed - told, told)


async def unclaim(selection: Selection, words: Mapping[int, Nonce]) -> None:
    """Remove these keywords from these messages. One round trip for each set of keywords."""
    by_words: dict[Nonce, list[int]] = {}
    for uid, each in words.items():
        by_words.setdefault(each, []).append(uid)
    for each, uids in by_words.items():
        flags = flag_list(sorted(each))
        await selection.connection.run([b"UID", b"STORE", uid_set(uids), b"-FLAGS.SILENT", flags])


def new_nonce(taken: Iterable[Nonce]) -> Nonce:
    """One that has a word that no message with one of the ``taken`` has."""
    present = list(taken)
    free = [nonce for nonce in NONCES if not any(nonce <= each for each in present)]
    return choice(free or NONCES)
