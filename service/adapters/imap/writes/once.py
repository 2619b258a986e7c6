"""A move that other processes may be asked for at the same time: each message is moved once, by the one whose claim it
has. The others find it in the target folder.

Only MOVE itself removes anything. A process that ends in between leaves keywords, and its claim is taken over once it
has not changed for a while.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager, suppress

from service.adapters.imap.session.access import Access
from service.adapters.imap.session.selection import Selection
from service.adapters.imap.wire.status import lost
from service.adapters.imap.writes import claims, move
from service.adapters.imap.writes.claims import Nonce, Seen
from service.adapters.imap.writes.likeness import Likeness, find_moved
from service.adapters.imap.writes.move import Moved, Unanswered, still_moving
from service.mail.errors import InUse, MailError, NotFound, UpstreamTimeout, UpstreamUnavailable

PATIENCE = 10.0
"""Seconds without a change of a message's flags, after which another process's claim is taken over."""
PATIENCE_EACH = 0.05
"""Added for each message that waits: a server takes longer to move many."""
LONGEST = 90.0
"""Seconds after which a request that only waits, or loses every claim, is answered that another one is at work."""
POLL = 0.1
_GONE = (UpstreamUnavailable, UpstreamTimeout)
_ADVICE = "The message is no longer in its folder: look for it in the target folder."
Select = Callable[[], AbstractAsyncContextManager[Selection]]


class MoveOnce:
    """One request to move messages of one folder, which ``select`` selects. ``run`` it once."""

    def __init__(self, access: Access, select: Select, uids: Iterable[int], target: bytes) -> None:
        self._access, self._select, self._target = access, select, target
        self._left = set(uids)
        self._report: dict[int, Moved] = {}
        self._seen: dict[int, Seen] = {}
        self._set: dict[int, Nonce] = {}  # the keywords of this request, and of claims that it took over
        self._waits: dict[int, tuple[int | None, float]] = {}  # the version of another's claim, and when it is stale
        self._vanished: set[int] = set()
        self._loss: MailError | None = None
        self._unanswered: tuple[Unanswered, set[int]] | None = None  # messages that the server may still be moving

    async def run(self) -> dict[int, Moved]:
        """The outcome of each message. Four round trips in all, beside those of selecting the two folders. No
        connection is held while this waits for another process."""
        end = _now() + LONGEST
        while self._left:
            await self._try()
            if self._left and _now() > end:
                self._settle(self._left, InUse("Another request is moving the message.", retry_after=2))
            elif self._left:
                await asyncio.sleep(POLL)
        await self._follow()
        return self._report

    def _settle(self, uids: Iterable[int], error: MailError) -> None:
        done = set(uids)
        self._report |= dict.fromkeys(done, Moved(error))
        self._left -= done

    async def _try(self) -> None:
        """After the first loss of a connection, the rest is tried again."""
        try:
            async with self._select() as selection:
                await self._round(selection)
        except _GONE as error:
            if self._loss is not None:
                self._settle(self._left, lost(error, "Look which of the messages are left.") if self._set else error)
            self._loss = error
        except MailError as error:
            self._settle(self._left, error)

    async def _round(self, selection: Selection) -> None:
        """Move what no other process has claimed."""
        if not claims.can_claim(selection):
            await self._move_plainly(selection, self._left)
            return
        seen, listed = await claims.look(selection, self._left)
        self._vanished |= self._left - seen.keys()
        self._left &= seen.keys()
        self._seen = listed | self._seen | seen
        if self._unanswered is not None and (doubtful := self._unanswered[1] & seen.keys()):
            self._settle(doubtful, still_moving(self._unanswered[0]))
            seen = {uid: each for uid, each in seen.items() if uid in self._left}
        versions = {uid: each.version for uid, each in seen.items() if each.version is not None}
        if blind := seen.keys() - versions.keys():
            await self._move_plainly(selection, blind)
        if free := {uid: version for uid, version in versions.items() if not self._must_wait(uid)}:
            await self._claim(selection, free)

    async def _move_plainly(self, selection: Selection, uids: Collection[int]) -> None:
        try:
            self._report |= await move.move(selection, uids, self._target)
        except Unanswered as error:
            self._settle(uids, still_moving(error))
        self._left -= self._report.keys()

    def _must_wait(self, uid: int) -> bool:
        """Whether another process has a claim, and may still be at work."""
        seen = self._seen[uid]
        if not seen.nonces or seen.nonces == self._set.get(uid):
            return False
        version, deadline = self._waits.get(uid, (None, 0.0))
        if version != seen.version:
            deadline = _now() + PATIENCE + PATIENCE_EACH * len(self._left)
            self._waits[uid] = seen.version, deadline
        return _now() < deadline

    async def _claim(self, selection: Selection, versions: dict[int, int]) -> None:
        nonce = claims.new_nonce(self._seen[uid].nonces for uid in versions)
        # Noted before it is known: if the answer is lost, the keywords may be set.
        self._set |= {uid: self._seen[uid].nonces | nonce for uid in versions}
        claimed = await claims.claim(selection, versions, nonce)
        if claimed is None:
            await self._move_plainly(selection, versions)
            return
        mine = claimed.sure | self._without_doubt(selection, claimed.doubt)
        for uid in versions.keys() - mine:
            del self._set[uid]
        if mine:
            await self._move(selection, mine)

    def _without_doubt(self, selection: Selection, doubt: set[int]) -> set[int]:
        """Those of the messages that are claimed all the same. After a wait, no other process is at work: then the
        server is one that always reports flags."""
        connection = selection.connection
        if waited := doubt & self._waits.keys():
            connection.disable(claims.NOISY)
        return doubt if connection.is_disabled(claims.NOISY) else waited

    async def _move(self, selection: Selection, claimed: set[int]) -> None:
        try:
            report = await move.move(selection, claimed, self._target)
        except Unanswered as error:
            self._unanswered = error, claimed
            raise
        except _GONE:
            raise
        except MailError as error:
            await self._release(selection, claimed)
            if not (isinstance(error, NotFound) and error.what == "message"):  # one is gone: again, without it
                self._settle(claimed, error)
            return
        await self._release(selection, {uid for uid, moved in report.items() if moved.error})
        self._left -= report.keys()
        has_uids = any(moved.uid for moved in report.values())
        for uid, moved in report.items():
            if isinstance(moved.error, NotFound) or (has_uids and not moved.error and not moved.uid):
                self._vanished.add(uid)
            else:
                self._report[uid] = moved

    async def _release(self, selection: Selection, uids: Iterable[int]) -> None:
        """The messages that were not moved are as before."""
        with suppress(MailError):
            await claims.unclaim(selection, {uid: self._set[uid] for uid in uids})

    async def _follow(self) -> None:
        """In the target folder: look for the messages that others have moved, or whose new UIDs are not known, and
        remove the keywords from those that this request has moved."""
        unknown = self._vanished | {uid for uid, moved in self._report.items() if not moved.error and not moved.uid}
        wanted = {uid: like for uid in unknown if uid in self._seen and (like := self._seen[uid].likeness)}
        has_moved = any(self._report[uid].uid for uid in self._set.keys() & self._report.keys())
        error = await self._follow_up(wanted) if wanted or has_moved else None
        for uid in self._vanished - self._report.keys():
            self._report[uid] = Moved(self._missing(uid, error))

    async def _follow_up(self, wanted: dict[int, Likeness]) -> MailError | None:
        """Tries twice: nothing that is done here harms if it is done again."""
        for _ in range(2):
            try:
                async with self._access.within(self._target) as selection:
                    await self._find(selection, wanted)
                    await self._unmark(selection)
            except _GONE as failure:
                error: MailError = failure
            except MailError as failure:
                return failure
            else:
                return None
        return error

    async def _find(self, selection: Selection, wanted: dict[int, Likeness]) -> None:
        found = await find_moved(selection, wanted) if wanted else {}
        self._report |= {old: Moved(None, selection.uid_validity, new) for old, new in found.items()}

    async def _unmark(self, selection: Selection) -> None:
        reports = ((uid, self._report[uid]) for uid in self._set.keys() & self._report.keys())
        words = {
            moved.uid: self._set[uid]
            for uid, moved in reports
            if moved.uid and moved.uid_validity == selection.uid_validity
        }
        await selection.catch_up(words)
        await claims.unclaim(selection, words)

    def _missing(self, uid: int, error: MailError | None) -> MailError:
        """The error for a message that is in neither folder, as far as that could be seen."""
        if uid in self._set and self._loss is not None:
            return lost(self._loss, _ADVICE)
        if uid in self._seen and error is not None:
            return lost(error, _ADVICE)
        return NotFound("message")


def _now() -> float:
    return asyncio.get_running_loop().time()
