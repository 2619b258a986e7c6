"""The watch of one mailbox."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from random import uniform

import structlog

from service.accounts.credentials import Credentials, SealedGrant
from service.mail.backend import Backend
from service.mail.changes import AccountChanges, Watch
from service.mail.errors import (
    LoginRefused,
    MailError,
    StaleToken,
    StoreUnavailable,
    UpstreamFailure,
)
from service.mail.model import Capability
from service.push.watch.devices import Devices
from service.push.watch.news import News
from service.push.watch.tools import Tools
from service.standing.credentials import read_credentials, read_grant, with_grant
from service.store.model import Claim, Lost, Work
from service.store.sealing import Unreadable

LOOK_SECONDS = 60.0
"""Between two looks at whether a watch still runs: a request with wrong credentials ends all of the account."""
SAVE_SECONDS = 60.0
"""How old a mark in the store may be if no device was woken since."""
UNREADABLE_SECONDS = 3600.0
"""Until a row that no key opens is claimed again."""
_log = structlog.get_logger("service.push.watch")


class _Again(Exception):
    """The credentials have changed."""


class MailboxWatch:
    """Runs until the mailbox is no longer held, or has no subscription, or its login is refused."""

    def __init__(self, tools: Tools, claim: Claim) -> None:
        self._tools, self.claim = tools, claim
        self.revision = -1
        self.mode = "waiting"
        """``push`` or ``poll``; ``waiting`` before it is open."""
        self._devices = Devices(tools, claim)
        self._content = self._refused = b""
        self._mark: bytes | None = None
        self._saved: bytes | None = None
        self._saved_at = 0.0
        self._news = asyncio.Event()
        self._is_old = False
        self._watch: Watch | None = None

    def reload(self) -> None:
        """Its row has changed."""
        self._is_old = True
        self._news.set()
        if self._watch is not None:
            self._watch.wake()

    async def run(self) -> None:
        """See the class. Raises nothing: an error of one mailbox must not end others."""
        least, most = self._tools.timing.backoff
        pause = least
        while True:
            began = time.monotonic()
            try:
                if not await self._once():
                    return
                pause = least
            except (Lost, Unreadable):
                return
            except _Again:
                continue
            except MailError as error:
                seconds = error.retry_after or pause
            except Exception as error:
                _log.exception("a watch failed", kind=type(error).__name__)
                seconds = most
            else:
                continue
            self.mode = "waiting"
            if time.monotonic() > began + most:
                pause = least
            await self._rest(seconds * uniform(0.8, 1.2))  # noqa: S311 - so that not all come back at once
            pause = min(2 * pause, most)

    async def aclose(self) -> None:
        """Keeps the mark, once nothing runs any more."""
        await self._devices.aclose()
        with suppress(Lost, StoreUnavailable):
            await self._save()

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()

    async def _once(self) -> bool:
        """One time of the mailbox being open. Returns False if there is nothing to watch any more."""
        credentials = await self._load()
        if credentials is None:
            await self._tools.store.watches.release([self.claim])
            return False
        if self._refused != self._content:
            try:
                await self._open(credentials)
                return True
            except LoginRefused:
                if await self._has_other_credentials():
                    return True
        self._refused = self._content  # not tried again if the store fails just now
        await self._give_up()
        return False

    async def _load(self) -> Credentials | None:
        """The row as it is now. The mark is that of the row the first time only."""
        try:
            work = await self._tools.store.subscriptions.load(self.claim)
        except Unreadable:
            _log.warning("a mailbox cannot be watched: none of the secret_keys opens its row")
            await self._tools.store.watches.release([self.claim], UNREADABLE_SECONDS)
            raise
        if work is None or not work.items:
            return None
        self._take(work)
        credentials = read_credentials(work.content, self._tools.grants)
        self._devices.account = credentials.account
        self._devices.replace(work.items)
        return credentials

    def _take(self, work: Work) -> None:
        self.revision, self._content, self._is_old = work.revision, work.content, False
        if self._mark is None:
            self._mark = self._saved = work.mark

    async def _open(self, credentials: Credentials) -> None:
        host = self._tools.host_of(credentials.server)
        await self._tools.starts.turn(host)
        with self._tools.starts.standing(host) as may_stay:
            async with self._mailbox(credentials) as mailbox:
                if Capability.CHANGES not in mailbox.capabilities:
                    raise mailbox.not_supported(Capability.CHANGES)
                await self._begin(mailbox)
                is_reported = may_stay and Capability.PUSH in mailbox.capabilities
                self.mode = "push" if is_reported else "poll"
                await (self._listen(mailbox) if is_reported else self._look(mailbox))
        timing = self._tools.timing
        await self._rest(timing.backoff[0] if is_reported else timing.poll * uniform(0.9, 1.1))  # noqa: S311

    @asynccontextmanager
    async def _mailbox(self, credentials: Credentials) -> AsyncIterator[Backend]:
        """As requests with a session token open it."""
        admission = partial(self._tools.rates.sealed, credentials)
        async with self._tools.accounts.mailbox(credentials, admission) as mailbox:
            yield mailbox

    async def _begin(self, mailbox: Backend) -> None:
        """Without a mark, it is unknown since when devices wait, so they are woken once."""
        if self._mark is None:
            mark = await mailbox.get_sync_token(None)
            await self._devices.push(News(mailbox.account), mailbox)
            await self._advance(mark, is_pushed=True)

    async def _listen(self, mailbox: Backend) -> None:
        """Returns if the connection is no longer watched. A mail server that was away wakes when it is back."""
        async with mailbox.watch() as watch:
            self._watch = watch
            try:
                is_due = True
                while True:
                    seconds = LOOK_SECONDS
                    try:
                        if self._is_old:
                            await self._refresh()
                        if is_due:
                            await self._look(mailbox)
                            is_due = False
                    except StoreUnavailable as error:  # the mark has not moved
                        seconds = error.retry_after or LOOK_SECONDS
                    except UpstreamFailure:
                        pass
                    woken = await watch.wait(seconds)
                    if not woken and mailbox.watch_health() is None:
                        return
                    is_due |= woken
            finally:
                self._watch = None

    async def _refresh(self) -> None:
        """Raises _Again if the credentials are others now, Lost if there is nothing left to watch."""
        before = self._content
        if await self._load() is None:
            raise Lost
        if not _same_login(before, self._content):
            raise _Again

    async def _look(self, mailbox: Backend) -> None:
        """Hands over what happened since the mark, and moves the mark."""
        has_more = True
        while has_more:
            changes, token, has_more = await self._changes(mailbox)
            before = self._tools.seal_token(mailbox.account, self._mark or b"")
            news = News(mailbox.account, changes, before)
            is_pushed = bool(news) and await self._push(news, mailbox)
            await self._advance(token, is_pushed=is_pushed)

    async def _push(self, news: News, mailbox: Backend) -> bool:
        """Also to devices that subscribed just now: the news may be from after that. Returns whether any wanted it."""
        revision = await self._tools.require_held(self.claim)
        if revision not in (None, self.revision):
            await self._refresh()
        return await self._devices.push(news, mailbox)

    async def _changes(self, mailbox: Backend) -> tuple[AccountChanges | None, bytes, bool]:
        """The changes since the mark; None if they cannot be computed."""
        assert self._mark is not None
        try:
            changes = await mailbox.list_all_changes(self._mark)
        except StaleToken:
            return None, await mailbox.get_sync_token(None), False
        return changes, changes.token, changes.has_more

    async def _advance(self, mark: bytes, *, is_pushed: bool) -> None:
        """While the store fails, the mark is kept here: a process that ends then leads to pushes that say the same
        again."""
        self._mark = mark
        if is_pushed or time.monotonic() > self._saved_at + SAVE_SECONDS:
            with suppress(StoreUnavailable):
                await self._save()

    async def _save(self) -> None:
        if self._mark is not None and self._mark != self._saved:
            mark = self._mark
            await self._tools.store.watches.advance(self.claim, mark)
            self._saved = mark
        self._saved_at = time.monotonic()

    async def _has_other_credentials(self) -> bool:
        """Whether the row has others than those refused: the app subscribed again, or another replica renewed the
        grant."""
        before = self._content
        return await self._load() is not None and self._content != before

    async def _give_up(self) -> None:
        """Wakes the devices so that their user signs in again. The mail server is not asked any more: some lock an
        account after a few wrong passwords."""
        await self._devices.ask_to_sign_in()
        await self._tools.store.watches.fail(self.claim)


def _same_login(before: bytes, after: bytes) -> bool:
    """Whether nothing but the state of a grant differs."""
    return _without_grant(before) == _without_grant(after)


def _without_grant(content: bytes) -> bytes:
    return with_grant(content, SealedGrant("", 0, "", "", 0, 0)) if read_grant(content) else content
