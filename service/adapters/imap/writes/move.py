"""Copies and moves (RFC 9051, 6.4.7 and 6.4.8; RFC 4315, 3). No step leaves a message in neither folder."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.fetch import still_there
from service.adapters.imap.wire import arguments
from service.adapters.imap.wire.arguments import uid_set
from service.adapters.imap.wire.numbers import MAX_UID, count, members, number, read_runs
from service.adapters.imap.wire.protocol import Answer
from service.adapters.imap.wire.responses import fetch_rows
from service.adapters.imap.wire.status import Status, lost, read_status, refusal
from service.adapters.imap.writes.expunge import delete, require_uidplus
from service.mail.errors import (
    MailError,
    NotFound,
    UpstreamError,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamUnavailable,
)


class Moved(NamedTuple):
    """What became of one: ``validity`` and ``uid`` are its new place, where the server told."""

    error: MailError | None = None
    validity: int = 0
    uid: int = 0


async def copy(connection: Connection, uids: Iterable[int], target: bytes) -> dict[int, Moved]:
    """COPY from the selected folder: two round trips. The first also tells that the connection lives, so that only an
    answer to COPY itself can be lost."""
    wanted = set(uids)
    there = await still_there(connection, wanted)
    if not there:
        return _report(wanted, there, (0, {}))
    try:
        answer = await connection.run(b"UID", b"COPY", uid_set(there), arguments.string(target))
    except (UpstreamUnavailable, UpstreamTimeout) as error:
        return dict.fromkeys(wanted, Moved(lost(error, "Look into the other folder before you copy again.")))
    return _report(wanted, there, _copied(answer, len(there)))


async def move(connection: Connection, uids: Iterable[int], target: bytes) -> dict[int, Moved]:
    """MOVE, one round trip; without it COPY, then removal of what was copied from the selected folder."""
    wanted = set(uids)
    if "MOVE" not in connection.capabilities and "IMAP4REV2" not in connection.capabilities:
        return await _copy_and_delete(connection, wanted, target)
    looking = [b"UID", b"FETCH", uid_set(wanted), b"(UID)"]
    moving = [b"UID", b"MOVE", uid_set(wanted), arguments.string(target)]
    looked, answer = await connection.attempt_all([looking, moving])
    if answer.status.kind == "BAD":
        connection.distrust("MOVE")
        connection.distrust("IMAP4REV2")
        return await _copy_and_delete(connection, wanted, target)
    for one in (looked, answer):
        if one.status.kind != "OK":
            raise refusal(one.status)
    there = (await fetch_rows(looked.untagged)).keys() & wanted
    return _report(wanted, there, _copied(answer, len(wanted)))


async def _copy_and_delete(connection: Connection, wanted: set[int], target: bytes) -> dict[int, Moved]:
    require_uidplus(connection)
    copied = await copy(connection, wanted, target)
    done = [uid for uid, moved in copied.items() if moved.error is None]
    if not done:
        return copied
    try:
        kept: Mapping[int, MailError] = await delete(connection, done)
    except MailError as error:
        kept = dict.fromkeys(done, error)
    for uid, why in kept.items():
        if not isinstance(why, NotFound):
            copied[uid] = copied[uid]._replace(error=_not_removed(why))
    return copied


def _not_removed(error: MailError) -> UpstreamError:
    if isinstance(error, UpstreamUnavailable | UpstreamTimeout):
        return lost(error, "It was copied. Look whether it is still in the old folder.")
    detail = f"It was copied, but not removed from the old folder: {error.detail}"
    return UpstreamError(detail, protocol="imap", code="notRemoved")


def _copied(answer: Answer, most: int) -> tuple[int, dict[int, int]]:
    """UIDVALIDITY of the target and old to new UID; nothing if the server does not say, or says it wrong: the messages
    are there all the same."""
    told = (status for line in answer.untagged if line[:2].upper() == b"OK" and (status := read_status(line)))
    for status in (answer.status, *told):
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


def _report(wanted: set[int], there: set[int], copied: tuple[int, dict[int, int]]) -> dict[int, Moved]:
    validity, new = copied
    report = {}
    for uid in wanted:
        if uid in there or uid in new:
            report[uid] = Moved(None, validity, new.get(uid, 0))
        else:
            report[uid] = Moved(NotFound("message"))
    return report
