"""Copies and moves (RFC 9051, 6.4.7 and 6.4.8; RFC 4315, 3). No step leaves a message in neither folder."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from service.adapters.imap.session.fetch import find_existing, says_gone
from service.adapters.imap.session.selection import Selection
from service.adapters.imap.wire import arguments
from service.adapters.imap.wire.arguments import uid_set
from service.adapters.imap.wire.commands import Answer
from service.adapters.imap.wire.responses import fetch_rows
from service.adapters.imap.wire.status import Status, error_from, lost, read_status
from service.adapters.imap.wire.values.numbers import MAX_UID, count, members, number, read_runs
from service.adapters.imap.writes.expunge import delete, require_removable
from service.mail.errors import (
    MailError,
    NotFound,
    UpstreamError,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamUnavailable,
)


class Unanswered(UpstreamTimeout):
    """The server has taken MOVE and not answered it, so it may still be at work: a second MOVE of the same messages
    could copy them twice."""

    default = "The mail server has not answered the move."


class Moved(NamedTuple):
    """What became of a message: ``uid_validity`` and ``uid`` are its new place, if the server reported it."""

    error: MailError | None = None
    uid_validity: int = 0
    uid: int = 0


async def copy(selection: Selection, uids: Iterable[int], target: bytes) -> dict[int, Moved]:
    """COPY from the selected folder. Two round trips: the first also shows that the connection is alive, so that only
    an answer to COPY itself can be lost. More if the server limits the messages of a command."""
    return await _in_batches(selection, uids, partial(_copy, selection, target))


async def _in_batches(
    selection: Selection, uids: Iterable[int], work: Callable[[set[int]], Awaitable[dict[int, Moved]]]
) -> dict[int, Moved]:
    """An error of a later batch concerns its own messages: the earlier ones are done."""
    ordered = sorted(set(uids))
    size = selection.connection.message_limit or len(ordered)
    report: dict[int, Moved] = {}
    for at in range(0, len(ordered), max(1, size)):
        batch = set(ordered[at : at + size])
        try:
            report |= await work(batch)
        except MailError as error:
            if not at:
                raise
            report |= dict.fromkeys(batch, Moved(error))
    return report


async def _copy(selection: Selection, target: bytes, wanted: set[int]) -> dict[int, Moved]:
    existing = await find_existing(selection, wanted)
    if not existing:
        return _report(wanted, existing, (0, {}))
    try:
        answer = await selection.connection.run([b"UID", b"COPY", uid_set(existing), arguments.string(target)])
    except (UpstreamUnavailable, UpstreamTimeout) as error:
        return dict.fromkeys(wanted, Moved(lost(error, "Look into the other folder before you copy again.")))
    except NotFound as error:
        left = await find_existing(selection, existing) if _is_missing(error) else existing
        if left == existing:
            raise
        return _report(wanted - left, set(), (0, {})) | await _copy(selection, target, left)
    return _report(wanted, existing, _copied(answer, len(existing)))


async def move(selection: Selection, uids: Iterable[int], target: bytes) -> dict[int, Moved]:
    """MOVE in one round trip. If the server has no MOVE: COPY, then removal of what was copied. More if the server
    limits the messages of a command."""
    return await _in_batches(selection, uids, partial(_move, selection, target))


async def _move(selection: Selection, target: bytes, wanted: set[int]) -> dict[int, Moved]:
    connection = selection.connection
    if connection.capabilities.isdisjoint({"MOVE", "IMAP4REV2"}):
        return await _copy_and_delete(selection, wanted, target)
    looking = [b"UID", b"FETCH", uid_set(wanted), b"(UID)"]
    moving = [b"UID", b"MOVE", uid_set(wanted), arguments.string(target)]
    try:
        looked, answer = await connection.attempt(looking, moving)
    except UpstreamTimeout:
        raise Unanswered(protocol="imap") from None
    if answer.status.kind == "BAD":
        connection.disable("MOVE", "IMAP4REV2")
        return await _copy_and_delete(selection, wanted, target)
    if looked.status.kind != "OK":
        raise error_from(looked.status)
    existing = (await fetch_rows(looked.untagged)).keys() & wanted
    if answer.status.kind == "OK":
        return _report(wanted, existing, _copied(answer, len(wanted)))
    if not existing:
        raise error_from(answer.status)
    missing = dict.fromkeys(wanted - existing, Moved(NotFound("message")))
    return missing | await _refused(selection, target, existing, answer)


async def _refused(selection: Selection, target: bytes, wanted: set[int], answer: Answer) -> dict[int, Moved]:
    """The server may have moved some of the messages before it said no (RFC 6851, 3.3): those that are gone. If it said
    so because one of them was removed, the others are moved now."""
    error, copied = error_from(answer.status), _copied(answer, len(wanted))
    if not says_gone(answer.untagged) and not _is_missing(error):
        raise error
    left = await find_existing(selection, wanted)
    if left == wanted:
        raise error
    are_moved = not _is_missing(error) and not copied[0]  # the server does not say which
    report = _report(wanted - left, wanted - left if are_moved else set(), copied)
    again = _is_missing(error) and left
    return report | (await _move(selection, target, left) if again else dict.fromkeys(left, Moved(error)))


def _is_missing(error: MailError) -> bool:
    return isinstance(error, NotFound) and error.what == "message"


async def _copy_and_delete(selection: Selection, wanted: set[int], target: bytes) -> dict[int, Moved]:
    require_removable(selection)
    copied = await copy(selection, wanted, target)
    done = [uid for uid, moved in copied.items() if moved.error is None]
    if not done:
        return copied
    try:
        kept: Mapping[int, MailError] = await delete(selection, done)
    except MailError as error:
        kept = dict.fromkeys(done, error)
    for uid, why in kept.items():
        if not isinstance(why, NotFound):
            copied[uid] = copied[uid]._replace(error=_not_removed(why))
    return copied


def still_moving(error: Unanswered) -> UpstreamError:
    """The error for a message that was not moved yet when the answer to MOVE was given up."""
    return lost(error, "Look into both folders after a while, before you move the message again.")


def _not_removed(error: MailError) -> UpstreamError:
    if isinstance(error, UpstreamUnavailable | UpstreamTimeout):
        return lost(error, "It was copied. Look whether it is still in the old folder.")
    detail = f"It was copied, but not removed from the old folder: {error.detail}"
    return UpstreamError(detail, protocol="imap", code="notRemoved")


def _copied(answer: Answer, most: int) -> tuple[int, dict[int, int]]:
    """UIDVALIDITY of the target, and new UIDs by old ones. Nothing if the server does not report them, or reports
    nonsense: the messages were copied all the same."""
    untagged = (status for line in answer.untagged if line[:2].upper() == b"OK" and (status := read_status(line)))
    for status in (answer.status, *untagged):
        if status.code == "COPYUID":
            with suppress(UpstreamProtocol):
                return _copyuid(status, most)
            break
    return 0, {}


def _copyuid(status: Status, most: int) -> tuple[int, dict[int, int]]:
    match status.argument.split(None, 3):
        case [validity, old, new]:
            before, after = read_runs(old), read_runs(new)
            if count(before) == count(after) <= most:
                return number(validity, MAX_UID), dict(zip(members(before), members(after), strict=True))
    return 0, {}


def _report(wanted: set[int], existing: set[int], copied: tuple[int, dict[int, int]]) -> dict[int, Moved]:
    uid_validity, new = copied
    report = {}
    for uid in wanted:
        if uid in existing or uid in new:
            report[uid] = Moved(None, uid_validity, new.get(uid, 0))
        else:
            report[uid] = Moved(NotFound("message"))
    return report
