"""Writes to many messages, grouped by folder, with an outcome for each message. A lost write is never repeated blindly.

If a connection dies during a write, it is unknown whether the write was done. If the result can be seen afterwards, it
is looked up once, on another connection; if not, the outcome is reported as unknown.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime

from service.adapters.imap.session.access import Access, once_more
from service.adapters.imap.session.fetch import find_all, find_existing
from service.adapters.imap.session.pool import Lane
from service.adapters.imap.session.selection import Selection
from service.adapters.imap.wire.status import SignedOut, lost
from service.adapters.imap.writes import append as appending
from service.adapters.imap.writes import append_many as many
from service.adapters.imap.writes import assembling
from service.adapters.imap.writes import move as moving
from service.adapters.imap.writes import store as storing
from service.adapters.imap.writes.assembling import Section
from service.adapters.imap.writes.expunge import BATCH, delete
from service.adapters.imap.writes.move import Moved, Unanswered, still_moving
from service.adapters.imap.writes.once import MoveOnce
from service.mail.errors import MailError, NotFound, TooManyRequests, UpstreamTimeout, UpstreamUnavailable
from service.mail.exchange import Outcome, Source
from service.mail.inventory import Appended, NewMessage

_GONE = (UpstreamUnavailable, UpstreamTimeout)
_AT_ONCE = 10
"""Copies of a message that replicas may append at once."""


@dataclass(frozen=True)
class Group:
    """Messages of one folder: their ids by UID."""

    folder: bytes
    uid_validity: int
    ids: dict[int, str]


Work = Callable[[Selection, Collection[int]], Awaitable[Mapping[int, Moved]]]
"""Does the write to some messages of the selected folder, and returns the outcome of each."""
Gone = Callable[[MailError], Moved]
"""The outcome of a message that no longer exists after the answer was lost."""


class Writes:
    """The writes of one mailbox."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._ids = access.ids

    def group(self, messages: Sequence[str]) -> tuple[list[Group], dict[str, Outcome]]:
        """The messages by folder, and an outcome for each id that is not of this account."""
        outcomes: dict[str, Outcome] = {}
        groups: dict[tuple[bytes, int], Group] = {}
        for message in messages:
            try:
                ref = self._ids.message_ref(message)
            except MailError as error:
                outcomes[message] = Outcome(message, error)
                continue
            key = (ref.folder, ref.uid_validity)
            groups.setdefault(key, Group(*key, {})).ids[ref.uid] = message
        return list(groups.values()), outcomes

    async def change(self, messages: Sequence[str], add: Sequence[str], remove: Sequence[str]) -> tuple[Outcome, ...]:
        """Changes flags of many messages. Doing it twice has the same result."""

        async def change(selection: Selection, uids: Collection[int]) -> Mapping[int, Moved]:
            errors = await storing.change_many(selection, uids, add, remove)
            return {uid: Moved(errors.get(uid)) for uid in uids}

        return await self._each(messages, change)

    async def copy(self, messages: Sequence[str], target: bytes) -> tuple[Outcome, ...]:
        """If the answer is lost, the outcome stays unknown: copying again might make two."""
        return await self._each(messages, lambda selection, uids: moving.copy(selection, uids, target), target=target)

    async def move(self, messages: Sequence[str], target: bytes, *, once: bool = False) -> tuple[Outcome, ...]:
        """If the connection is lost, a message that is still in its folder was not moved; if the answer does not come,
        that is unknown. ``once``: see ``once.py``."""
        if once:
            return await self._each_group(messages, lambda group: self._move_once(group, target), target)

        def gone(error: MailError) -> Moved:
            return Moved(lost(error, "The message is no longer in its folder: look for it in the target folder."))

        return await self._each(
            messages, lambda selection, uids: moving.move(selection, uids, target), gone, target=target
        )

    async def delete(self, messages: Sequence[str]) -> tuple[Outcome, ...]:
        """If the answer is lost, a message that no longer exists was deleted."""

        async def work(selection: Selection, uids: Collection[int]) -> Mapping[int, Moved]:
            errors = await delete(selection, uids)
            return {uid: Moved(errors.get(uid)) for uid in uids}

        return await self._each(messages, work, lambda _: Moved())

    async def empty(self, folder: bytes) -> int:
        """Deletes the messages that are in the folder now, a thousand at a time."""
        async with self.access.within(folder, Lane.BULK) as selection:
            await selection.refresh()
            uids = await find_all(selection)
            removed = 0
            for at in range(0, len(uids), BATCH):
                batch = uids[at : at + BATCH]
                errors = await delete(selection, batch)
                kept = [error for error in errors.values() if not isinstance(error, NotFound)]
                if kept:
                    raise kept[0]
                removed += len(batch) - len(errors)
            return removed

    @once_more
    async def append(
        self, folder: bytes, source: Source, flags: Sequence[str], received_at: datetime | None
    ) -> str | None:
        """If the answer is lost, the folder is searched for the message: the id of the one found is the answer."""
        try:
            async with self.access.anywhere(Lane.BULK) as connection:
                new_ref = await appending.append(connection, folder, source, flags, received_at)
                if new_ref and self.access.contradicts(folder, new_ref[0], connection.selection):
                    new_ref = None
        except SignedOut:
            raise
        except _GONE as error:
            return await self._look_for(folder, source, error)
        if new_ref is not None:
            return self._ids.message(folder, *new_ref)
        return await self._find(folder, source)

    @once_more
    async def append_many(self, folder: bytes, messages: Sequence[NewMessage]) -> Sequence[Appended] | None:
        """All by one command. None if the server cannot do that, or takes them only one by one, if at all: then it has
        appended none."""
        async with self.access.anywhere(Lane.BULK) as connection:
            if not many.can_append(connection, folder, messages):
                return None
            try:
                appended = await many.append_many(connection, folder, messages)
            except many.Refused as refused:
                if isinstance(refused.error, NotFound | TooManyRequests | UpstreamUnavailable):
                    raise refused.error from None
                return None
        if appended is None:
            return [Appended(None)] * len(messages)
        validity, uids = appended
        return [Appended(self._ids.message(folder, validity, uid)) for uid in uids]

    @once_more
    async def append_assembled(
        self, folder: bytes, pieces: Sequence[bytes | Section], flags: Sequence[str]
    ) -> str | None:
        """As ``assembling.append``."""
        async with self.access.once("List the messages of the folder before you write it again.") as connection:
            new_ref = await assembling.append(connection, folder, pieces, flags)
        return self._ids.message(folder, *new_ref) if new_ref else None

    async def append_once(
        self, folder: bytes, source: Source, flags: Sequence[str], received_at: datetime | None
    ) -> str | None:
        """Two requests at once on two replicas may both find nothing and both append; then the one that appended the
        later message removes it. If the server names another message as the one that was appended, nothing is
        removed."""
        if (found := await self._find(folder, source)) is not None:
            return found
        appended = await self.append(folder, source, flags, received_at)
        found_now = await self._find_all(folder, source, _AT_ONCE)
        if appended is not None and appended in found_now[1:]:
            await self.delete([appended])
        return found_now[0] if found_now else appended

    async def _find(self, folder: bytes, source: Source) -> str | None:
        found = await self._find_all(folder, source, 1)
        return found[0] if found else None

    async def _find_all(self, folder: bytes, source: Source, most: int) -> list[str]:
        async with self.access.within(folder) as selection:
            uids = await appending.find_same(selection, source, most=most)
            return [self._ids.message(folder, selection.uid_validity, uid) for uid in uids]

    async def _look_for(self, folder: bytes, source: Source, error: MailError) -> str:
        try:
            found = await self._find(folder, source)
        except MailError:
            raise lost(error, "Look into the folder before you send it again.") from None
        if found is None:
            raise error
        return found

    async def _each(
        self, messages: Sequence[str], work: Work, gone: Gone | None = None, *, target: bytes = b""
    ) -> tuple[Outcome, ...]:
        """The outcomes in the order of ``messages``."""
        return await self._each_group(messages, lambda group: self._report(group, work, gone), target)

    async def _each_group(
        self, messages: Sequence[str], report_of: Callable[[Group], Awaitable[Mapping[int, Moved]]], target: bytes
    ) -> tuple[Outcome, ...]:
        groups, outcomes = self.group(messages)
        for group in groups:
            report = await report_of(group)
            for uid, message in group.ids.items():
                moved = report.get(uid, Moved(NotFound("message")))
                outcomes[message] = Outcome(message, moved.error, self._new_id(target, moved))
        return tuple(outcomes[message] for message in messages)

    def _new_id(self, target: bytes, moved: Moved) -> str | None:
        if not moved.uid_validity or not moved.uid or self.access.contradicts(target, moved.uid_validity):
            return None
        return self._ids.message(target, moved.uid_validity, moved.uid)

    async def _move_once(self, group: Group, target: bytes) -> Mapping[int, Moved]:
        return await MoveOnce(self.access, lambda: self._selected(group), group.ids, target).run()

    async def _report(self, group: Group, work: Work, gone: Gone | None) -> Mapping[int, Moved]:
        try:
            try:
                async with self._selected(group) as selection:
                    return await work(selection, group.ids)
            except _GONE as error:
                return await self._again(group, work, gone, error)
        except MailError as error:
            return dict.fromkeys(group.ids, Moved(error))

    async def _again(self, group: Group, work: Work, gone: Gone | None, error: MailError) -> Mapping[int, Moved]:
        """Tries once more after a lost connection: messages that no longer exist have the outcome ``gone``, and the
        work is done to the others, unless the server may still be doing it. Work without ``gone`` may be done
        twice."""
        try:
            async with self._selected(group) as selection:
                left = set(group.ids) if gone is None else await find_existing(selection, group.ids)
                report = {uid: gone(error) for uid in group.ids if gone and uid not in left}
                if isinstance(error, Unanswered):
                    return report | dict.fromkeys(left, Moved(still_moving(error)))
                return report | dict(await work(selection, left)) if left else report
        except _GONE as again:
            raise (again if gone is None else lost(again, "Look which of the messages are left.")) from None

    def _selected(self, group: Group) -> AbstractAsyncContextManager[Selection]:
        lane = Lane.BULK if len(group.ids) > 1 else Lane.INTERACTIVE
        return self.access.messages(group.folder, group.uid_validity, group.ids, lane)
