"""Flags of messages, read and written by STORE alone: never read, changed here and written back (RFC 9051, 6.4.6;
RFC 7162)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from service.adapters.imap.ids import MessageRef
from service.adapters.imap.session.access import Access, again
from service.adapters.imap.session.fetch import find_existing
from service.adapters.imap.session.selection import Selection
from service.adapters.imap.wire.arguments import flag_list, uid_set
from service.adapters.imap.wire.responses import FetchResponse, fetch_rows, require_attributed, version_of
from service.adapters.imap.wire.status import error_from
from service.adapters.imap.wire.values.flags import from_wire, to_wire
from service.mail.errors import (
    Changed,
    MailError,
    NotFound,
    NotPermitted,
    NotSupported,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from service.mail.model import Flags
from service.mail.numbers import read_number

Responses = dict[int, FetchResponse]


@dataclass
class FlagChange:
    """Flags to set, or to add and to remove. With ``version`` only while the message has that version."""

    replace: Sequence[str] | None = None
    add: Sequence[str] = ()
    remove: Sequence[str] = ()
    version: str | None = None
    tries: int = 0

    @property
    def commands(self) -> list[tuple[bytes, Sequence[str]]]:
        """The data items of STORE with their flags."""
        if self.replace is not None:
            return [(b"FLAGS", self.replace)]
        return [(item, flags) for item, flags in ((b"+FLAGS", self.add), (b"-FLAGS", self.remove)) if flags]

    @property
    def is_free(self) -> bool:
        """Whether the order of the commands makes no difference, and none may depend on the success of another."""
        added, removed = ({flag.lower() for flag in each} for each in (self.add, self.remove))
        return self.version is None and not added & removed

    def is_done(self, flags: Iterable[str]) -> bool:
        """Whether a message with these flags is what the change makes."""
        present = set(flags)
        added, removed = ({flag.lower() for flag in each} for each in (self.add, self.remove))
        if self.replace is not None:
            return present == {flag.lower() for flag in self.replace}
        return added - removed <= present and not removed & present


class FlagStore:
    """Reads and writes the flags of one message."""

    def __init__(self, access: Access) -> None:
        self.access = access

    @again
    async def get(self, message: MessageRef) -> Flags:
        """The flags now, with the version if the server counts changes. One round trip."""
        async with self.access.messages(message.folder, message.uid_validity, [message.uid]) as selection:
            return _flags(await _fetch(selection, [message.uid]), message.uid)

    @again
    async def apply(self, message: MessageRef, change: FlagChange) -> Flags:
        """The flags afterwards. One round trip, or one for each data item if they depend on each other; and one if the
        server does not report the result.

        A change of flags has the same result if it is done twice. Under a version it has not: if a second try finds the
        message changed, that may have been the first one.
        """
        change.tries += 1
        async with self.access.messages(message.folder, message.uid_validity, [message.uid]) as selection:
            try:
                return await _apply(selection, message.uid, change)
            except Changed:
                flags = _flags(await _fetch(selection, [message.uid]), message.uid) if change.tries > 1 else None
                if flags is not None and change.is_done(flags.flags):
                    return flags
                raise


async def _apply(selection: Selection, uid: int, change: FlagChange) -> Flags:
    """Together, if neither command depends on the other. Else the version is asked of the first; the second belongs to
    it."""
    if change.is_free and not selection.connection.is_legacy:
        responses = await _store_all(selection, [uid], change.commands)
    else:
        responses = {}
        version = change.version
        for item, flags in change.commands:
            modifier = [] if version is None else [_unchanged_since(selection, version)]
            responses = await _store(selection, [uid], item, flags, modifier)
            version = None
    if b"FLAGS" not in responses.get(uid, {}):
        responses = await _fetch(selection, [uid])
    return _flags(responses, uid)


async def change_many(
    selection: Selection, uids: Iterable[int], add: Sequence[str], remove: Sequence[str]
) -> dict[int, MailError]:
    """Returns an error for each message that is not there, or that did not get a flag (Exchange) or did not lose one
    (pymap) although the server said OK. One round trip for each kind of change, and one more if the server does not
    report every message.

    A server may refuse the whole command for one message, and have changed the others all the same (RFC 2180, 4.2): so
    after a refusal each message is looked at.
    """
    wanted = set(uids)
    change = FlagChange(add=add, remove=remove)
    for item, flags in change.commands:
        _keepable(selection, item, flags)
    try:
        return await _change_many(selection, wanted, change)
    except (UpstreamUnavailable, UpstreamTimeout, UpstreamProtocol):
        raise
    except MailError as refusal:
        if len(wanted) == 1:
            raise
        return await _changed_although(refusal, selection, wanted, change)


async def _changed_although(
    refusal: MailError, selection: Selection, wanted: set[int], change: FlagChange
) -> dict[int, MailError]:
    """Without the messages that are gone the change is tried again."""
    rows = await _fetch(selection, wanted)
    errors: dict[int, MailError] = {uid: NotFound("message") for uid in wanted - rows.keys()}
    if errors and rows:
        return errors | await change_many(selection, rows, change.add, change.remove)
    return errors | {uid: refusal for uid, row in rows.items() if not change.is_done(from_wire(row[b"FLAGS"]))}


async def _change_many(selection: Selection, wanted: set[int], change: FlagChange) -> dict[int, MailError]:
    add, remove = change.add, change.remove
    reported: Responses = {}
    for item, flags in change.commands:
        reported |= await _store(selection, wanted, item, flags)
    if silent := wanted - reported.keys():  # not there, or not changed, which some servers do not report
        reported |= await _fetch(selection, silent)
    errors: dict[int, MailError] = {uid: NotFound("message") for uid in wanted - reported.keys()}
    removed = {flag.lower() for flag in remove}
    added = {flag.lower() for flag in add} - removed
    for uid, row in reported.items():
        if uid in wanted and b"FLAGS" in row and (dropped := added.difference(from_wire(row[b"FLAGS"]))):
            errors[uid] = not_kept_error(min(dropped))
    return errors | await _stuck(selection, {uid: reported[uid] for uid in wanted & reported.keys()}, removed)


async def _stuck(selection: Selection, reported: Responses, removed: set[str]) -> dict[int, MailError]:
    """An error for each message that still has one of the flags. What was reported may be older than the removal, so
    those are asked for again."""
    has = {uid for uid, row in reported.items() if removed.intersection(from_wire(row.get(b"FLAGS")))}
    rows = await _fetch(selection, has) if has else {}
    left = {uid: removed.intersection(from_wire(row[b"FLAGS"])) for uid, row in rows.items()}
    return {
        uid: NotPermitted(f"The mail server does not remove the flag {min(flags)}.")
        for uid, flags in left.items()
        if uid in has and flags
    }


async def _store(
    selection: Selection, uids: Iterable[int], item: bytes, flags: Sequence[str], modifier: Sequence[bytes] = ()
) -> Responses:
    wire_flags = _keepable(selection, item, flags)
    if selection.connection.is_legacy and not (uids := await find_existing(selection, uids)):
        return {}
    [answer] = await selection.connection.attempt([b"UID", b"STORE", uid_set(uids), *modifier, item, wire_flags])
    if answer.status.kind != "OK" or answer.status.code == "MODIFIED":
        raise Changed if answer.status.code == "MODIFIED" else error_from(answer.status)
    return await fetch_rows(answer.untagged)


async def _store_all(
    selection: Selection, uids: Iterable[int], changes: Sequence[tuple[bytes, Sequence[str]]]
) -> Responses:
    """Several changes in one round trip."""
    commands = [(b"UID", b"STORE", uid_set(uids), item, _keepable(selection, item, flags)) for item, flags in changes]
    if not commands:
        return {}
    answer = await selection.connection.run(*commands)
    return await fetch_rows(answer.untagged)


def _keepable(selection: Selection, item: bytes, flags: Sequence[str]) -> bytes:
    """The flags as STORE has them. Raises NotPermitted if the folder does not keep one."""
    words = [to_wire(flag) for flag in flags]
    written = flag_list(words)
    _require_keepable(selection, words, item)
    return written


def _require_keepable(selection: Selection, words: Sequence[str], item: bytes) -> None:
    """Raises NotPermitted. A server says OK to a flag that it will not keep, so its list decides (RFC 9051, 7.1:
    PERMANENTFLAGS)."""
    if selection.is_read_only:
        raise NotPermitted("The folder is read-only.")
    if item == b"-FLAGS":
        return
    not_kept = [word for word in words if not selection.keeps(word)]
    if not_kept:
        raise not_kept_error(not_kept[0])


def not_kept_error(flag: str) -> NotPermitted:
    """The folder does not keep this flag."""
    return NotPermitted(f"This folder does not keep the flag {flag}.")


def _unchanged_since(selection: Selection, version: str) -> bytes:
    if not selection.counts_changes:
        raise NotSupported("versions", "This IMAP server does not count changes (CONDSTORE), so If-Match cannot hold.")
    if (count := read_number(version.encode())) is None:
        raise Changed
    return b"(UNCHANGEDSINCE %d)" % count


async def _fetch(selection: Selection, uids: Iterable[int]) -> Responses:
    items = b"(UID FLAGS MODSEQ)" if selection.counts_changes else b"(UID FLAGS)"
    answer = await selection.connection.run([b"UID", b"FETCH", uid_set(uids), items])
    rows = {uid: row for uid, row in (await fetch_rows(answer.untagged)).items() if b"FLAGS" in row}
    if any(uid not in rows for uid in uids):
        await require_attributed(answer.untagged)
    return rows


def _flags(responses: Responses, uid: int) -> Flags:
    if uid not in responses:
        raise NotFound("message")
    return Flags(flags=from_wire(responses[uid].get(b"FLAGS")), version=version_of(responses[uid]))
