"""The right to send a draft, taken in the mailbox itself, so that processes that do not know each other send it once.

A claim is a keyword on the draft, set only if the draft has not changed meanwhile (``change_flags`` with a version).
It allows a process to begin. A draft that this process has just written, and that no other looks for, needs none. The
second step is what sends: right before the end of the message, ``commit`` sets ``$submitpending`` in the same way. If
another process has taken over the claim, ``commit`` fails and the message is not sent. So a claim can be taken over at
any time from a process that died; if that process is only slow, it does no harm.

Once ``$submitpending`` is set, the message may be sent, and no process tries again by itself.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from secrets import choice

from service.mail.backend import Backend
from service.mail.errors import Changed, InUse, MailError, NotFound, NotPermitted, NotSupported, UpstreamError
from service.mail.model import Flags
from service.mail.submission.submitter import LOST

PENDING = "$submitpending"
SENT, DELETED = "$submitted", "$deleted"
NONCES = tuple(f"casella-send-{number}" for number in range(16))
"""A few fixed names: a Maildir folder has room for 26 keywords. Two processes that set the same keyword at the same
instant may both succeed, because the second STORE changes nothing (Dovecot); with 16 names that is rare, and ``commit``
draws again."""
PATIENCE = 10.0
"""Seconds without a change of the draft's flags, after which a claim of another process is taken over."""
POLL = 0.25
UNKNOWN = (
    "An earlier attempt to send this draft ended without an answer from the mail server. Look in Sent and ask the"
    " recipients before you send it again; to send it again, change the draft."
)
VANISHED = (
    "Another process was sending this draft, which is gone now, and Sent has no copy. Whether it was sent is not known."
)


class TakenOver(InUse):
    """Another process sends the draft. This one has not sent it."""

    def __init__(self) -> None:
        super().__init__("Another process has taken over sending this draft.", retry_after=2)


class Claim:
    """The right to send one draft. Taken by ``take_claim``; without a nonce, it is not marked before ``commit``."""

    def __init__(self, mailbox: Backend, draft: str, nonce: str | None, flags: Flags) -> None:
        self._mailbox, self._draft = mailbox, draft
        self.is_sent = SENT in flags.flags
        """Whether the message was sent by a process that ended before the draft had left its folder."""
        self.may_be_filed = self.is_sent or DELETED in flags.flags
        """Whether Sent may have the copy already: the draft could not be removed, or that process is only slow."""
        self._nonces = set() if nonce is None else {nonce}
        self.is_exclusive = True
        """Whether other processes see the claim: the mailbox keeps keywords."""
        self._may_be_pending = False  # by this claim
        self._version, self._flags = flags.version, frozenset(flags.flags)

    async def commit(self) -> None:
        """From here on the message may be sent. Raises TakenOver, and NotFound if the draft is gone."""
        nonce = _nonce(self._nonces)
        self._may_be_pending = True
        while True:
            try:
                flags = await self._mailbox.change_flags(self._draft, [PENDING, nonce], [], version=self._version)
            except Changed:
                await self._renew()
            except (NotPermitted, NotSupported):
                if self._nonces:
                    raise
                self.is_exclusive = False
                return
            except MailError:  # it may be set, and is taken back by ``release``
                self._nonces.add(nonce)
                raise
            else:
                self._nonces.add(nonce)
                self._version, self._flags = flags.version, frozenset(flags.flags)
                self.is_exclusive = PENDING in self._flags
                return

    async def _renew(self) -> None:
        """After a change of the flags: that may have been a person's, who marked the draft."""
        flags = await self._mailbox.get_flags(self._draft)
        if not self._is_own(flags) or not {PENDING, SENT}.isdisjoint(flags.flags):
            raise TakenOver
        self._version = flags.version

    async def release(self) -> None:
        """The message was not sent: the draft is as before. What another process has set since it took the claim over
        stays, and what one had set that may have sent it."""
        cleared = [PENDING, *self._nonces] if self._may_be_pending else sorted(self._nonces)
        while self._nonces:
            try:
                await self._mailbox.change_flags(self._draft, [], cleared, version=self._version)
            except Changed:
                flags = await self._mailbox.get_flags(self._draft)
                if not self._is_own(flags):
                    return
                self._version = flags.version
            else:
                return

    def _is_own(self, flags: Flags) -> bool:
        present = _nonces_of(flags)
        return present <= self._nonces and bool(present) is bool(self._nonces)

    async def settle(self) -> None:
        """The message was sent: the draft says so, in case this process ends before the draft has left its folder. One
        round trip if the flags have not changed meanwhile. Claims of others that came too late go too."""
        added, cleared = [SENT, "$seen"], ["$draft", PENDING, *NONCES]
        if not self.is_exclusive:
            await Unversioned(self._mailbox, self._draft, Flags(flags=tuple(self._flags))).settle()
            return
        try:
            flags = sorted(self._flags.difference(cleared).union(added))
            await self._mailbox.set_flags(self._draft, flags, version=self._version)
        except Changed:
            await self._mailbox.change_flags(self._draft, added, cleared)


class Unclaimed:
    """Stands in for a claim if there is no draft."""

    is_sent = may_be_filed = is_exclusive = False

    async def commit(self) -> None:
        """Nothing to set."""

    release = settle = commit


class Unversioned(Unclaimed):
    """Stands in for a claim in a mailbox that counts no versions or keeps no keywords. This process still sends a draft
    once, because it holds its ``turn``; for those that come later the draft is marked as far as the mailbox can."""

    def __init__(self, mailbox: Backend, draft: str, flags: Flags) -> None:
        self._mailbox, self._draft = mailbox, draft
        self.is_sent = SENT in flags.flags
        self.may_be_filed = self.is_sent or DELETED in flags.flags

    async def commit(self) -> None:
        """See ``Claim.commit``: it fails with the mailbox."""
        await self._mark([PENDING], [])

    async def release(self) -> None:
        """See ``Claim.release``."""
        await self._mark([], [PENDING])

    async def settle(self) -> None:
        """See ``Claim.settle``."""
        await self._mark([SENT], [PENDING])
        await self._mark(["$seen"], ["$draft"])

    async def _mark(self, add: list[str], remove: list[str]) -> None:
        with suppress(NotPermitted, NotSupported):
            await self._mailbox.change_flags(self._draft, add, remove)


class Turns:
    """One attempt at a time for each draft in this process."""

    def __init__(self) -> None:
        self._held: set[tuple[str, str]] = set()

    @asynccontextmanager
    async def turn(self, account: str, draft: str) -> AsyncIterator[None]:
        """Raises InUse while another request sends or changes the draft."""
        key = account, draft
        if key in self._held:
            raise InUse("This draft is being sent or changed by another request.", retry_after=1)
        self._held.add(key)
        try:
            yield
        finally:
            self._held.discard(key)


class Gone(Exception):
    """The draft went while another process had its claim: that has sent it, if Sent has it now. Else ``error`` says
    what is known; None: that process had said that it was sent."""

    def __init__(self, last: Flags) -> None:
        super().__init__()
        self.error: MailError | None = NotFound("message")
        if SENT in last.flags:
            self.error = None
        elif PENDING in last.flags:
            self.error = UpstreamError(VANISHED, protocol="smtp", code=LOST)


async def take_claim(mailbox: Backend, draft: str, *, is_new: bool = False) -> "Claim | Unclaimed":
    """Take the claim: two round trips if no other process has it. Waits for one that has. ``is_new``: this process has
    just written the draft, and no other looks for it; one round trip.

    Raises Gone if the draft goes while this waits, NotFound if there is no such draft, and UpstreamError with the code
    ``LOST`` if an earlier attempt may have sent it.
    """
    return await _Attempt(mailbox, draft, is_new=is_new).take()


@asynccontextmanager
async def unsent(mailbox: Backend, draft: str, turns: Turns) -> AsyncIterator[Claim | Unclaimed]:
    """Within, no process begins to send the draft, so that another one can take its place. Two round trips. Waits as
    ``take_claim`` does, but a draft that may have been sent can be changed. Raises InUse and NotFound. The caller
    releases the claim if the draft stays after all."""
    async with turns.turn(mailbox.account, draft):
        try:
            claim = await _Attempt(mailbox, draft, is_new=False, changes=True).take()
        except Gone:
            raise NotFound("message") from None
        held = claim if isinstance(claim, Claim) else Unclaimed()
        try:
            yield held
        except BaseException:
            with suppress(MailError):
                await held.release()
            raise


class _Attempt:
    """Tries until the claim is taken or cannot be."""

    def __init__(self, mailbox: Backend, draft: str, *, is_new: bool, changes: bool = False) -> None:
        self._mailbox, self._draft, self._is_new, self._changes = mailbox, draft, is_new, changes
        self._last: Flags | None = None
        self._state: str | None = None  # in which another process's claim has been since ...
        self._deadline = 0.0

    async def take(self) -> "Claim | Unclaimed":
        while True:
            flags = await self._flags()
            if self._must_wait(flags):
                await asyncio.sleep(POLL)
            elif flags.version is None:
                return Unversioned(self._mailbox, self._draft, flags)
            elif (taken := await self._try(flags)) is not None:
                return taken

    async def _flags(self) -> Flags:
        try:
            self._last = await self._mailbox.get_flags(self._draft)
        except NotFound:
            if self._last is not None:
                raise Gone(self._last) from None
            raise
        return self._last

    def _must_wait(self, flags: Flags) -> bool:
        """Whether another process has the claim, and may still be at work."""
        is_pending, is_sent = PENDING in flags.flags, SENT in flags.flags
        if not is_pending and not is_sent and not _nonces_of(flags):
            return False
        now = asyncio.get_running_loop().time()
        state = flags.version or " ".join(sorted(flags.flags))
        if state != self._state:
            self._state, self._deadline = state, now + PATIENCE
        if now < self._deadline:
            return True
        if is_pending and not is_sent and not self._changes:
            raise UpstreamError(UNKNOWN, protocol="smtp", code=LOST)
        return False

    async def _try(self, flags: Flags) -> "Claim | Unclaimed | None":
        """None if the draft changed meanwhile."""
        others = _nonces_of(flags)
        if self._is_new and not others:
            return Claim(self._mailbox, self._draft, None, flags)
        nonce = _nonce(others)
        try:
            taken = await self._mailbox.change_flags(self._draft, [nonce], sorted(others), version=flags.version)
        except (Changed, NotFound):
            return None
        except (NotPermitted, NotSupported):
            return Unversioned(self._mailbox, self._draft, flags)
        is_taken = nonce in taken.flags
        return (
            Claim(self._mailbox, self._draft, nonce, taken)
            if is_taken
            else Unversioned(self._mailbox, self._draft, taken)
        )


def _nonce(taken: Collection[str]) -> str:
    return choice([nonce for nonce in NONCES if nonce not in taken] or NONCES)


def _nonces_of(flags: Flags) -> set[str]:
    return {flag for flag in flags.flags if flag in NONCES}
