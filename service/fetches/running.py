"""One run of a fetch: what is new at the source is copied, and what came of it is written down."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from random import uniform

import structlog

from service.accounts.credentials import Credentials
from service.fetches.content import Mark, Written, read_fetch, read_mark, write_mark
from service.fetches.guarded import Guarded, Selected
from service.fetches.looking import UNKNOWN, News, digest_of, look
from service.fetches.model import MAX_SHOWN, Fault, Plan, Record
from service.fetches.tools import Tools
from service.mail.backend import Backend
from service.mail.errors import (
    InvalidRequest,
    LoginRefused,
    MailError,
    NotSupported,
    StoreUnavailable,
    Unauthenticated,
    UpstreamUnavailable,
)
from service.standing.credentials import read_credentials
from service.store.fetches import FetchRow
from service.store.model import Claim, Lost
from service.store.sealing import Unreadable
from service.telemetry import metrics
from service.transfer.burst import run_burst
from service.transfer.links import SOURCE, named
from service.transfer.model import Failure, Job, Options, Reason

BURST_SECONDS = 60.0
MOST_BURSTS = 5
"""In one run. Then others have their turn, and this one goes on after them."""
LONGEST_SECONDS = 3600.0
"""Between two tries of a fetch that fails, unless it is run less often."""
UNREADABLE_SECONDS = 3600.0
"""Until a row that no key opens is claimed again."""
MAX_TRIES = 3
"""How often a message is tried, one run after the other. Then it is left at the source."""
MAX_OWED = 1000
OWNER = "This mailbox"
_NO_USE = frozenset({Reason.TOO_LARGE, Reason.NUL, Reason.EMPTY})
_LASTING = (LoginRefused, Unauthenticated, InvalidRequest, NotSupported)
"""What does not change before the user does something."""
_PAUSED = (
    "A mail server was lost, or wants to be left alone for some time. What was not copied yet, the next run copies."
)
_BROKEN = "The run has failed. The operator of this service finds the reason in its log."
_log = structlog.get_logger("service.fetches")


class _More(Exception):
    """There is more to copy."""


class FetchRun:
    """See the module. ``run`` raises nothing: an error of one fetch must not end others."""

    def __init__(self, tools: Tools, claim: Claim) -> None:
        self._tools, self._claim = tools, claim
        self._copied = 0
        self._failed: list[Failure] = []
        self._handled: dict[bytes, bytes] = {}

    async def run(self) -> None:
        """Until what came of it is written, or the fetch is no longer held."""
        while True:
            try:
                await self._run()
            except StoreUnavailable as error:  # nothing is written before it is known whether the fetch is held
                await asyncio.sleep(error.retry_after or self._tools.beat)
            except Lost:
                return
            else:
                return

    async def _run(self) -> None:
        try:
            row = await self._tools.store.fetches.load(self._claim)
        except Unreadable:
            _log.warning("mail cannot be fetched: none of the secret_keys opens the row")
            await self._tools.store.fetch_queue.release([self._claim], UNREADABLE_SECONDS)
            return
        if row is None:
            return
        written, mark = read_fetch(row.content), await asyncio.to_thread(read_mark, row.mark)
        self._copied, self._failed, self._handled = 0, [], {}
        try:
            done = await self._fetch(row, written, mark)
        except (Lost, StoreUnavailable):
            raise
        except _More:
            metrics.fetch_run("copied")
            await self._write(_with_record(self._with_handled(mark), self._record(mark)), 0, 0)
        except MailError as error:
            await self._note_error(row, written, mark, error)
        except Exception as error:
            _log.exception("a fetch failed", kind=type(error).__name__)
            await self._note_error(row, written, mark, MailError(_BROKEN))
        else:
            metrics.fetch_run("copied" if self._copied else "nothing")
            await self._write(_with_record(done, self._record(mark)), 0, written.plan.every_seconds * _jitter())

    async def _fetch(self, row: FetchRow, written: Written, mark: Mark) -> Mark:
        """Returns the mark of afterwards."""
        source_login = read_credentials(row.source, self._tools.grants)
        owner_login = read_credentials(row.content, self._tools.grants)
        await self._tools.starts.turn(self._tools.host_of(source_login.server))
        async with AsyncExitStack() as stack:
            async with named(SOURCE):
                source = await self._opened(stack, source_login)
                news = await look(source, written, mark)
            news.mark.owed = {}
            if news.found:
                await stack.enter_async_context(self._tools.turns.turn(owner_login.account))
                async with named(OWNER):
                    destination = await self._opened(stack, owner_login)
                await self._copy(source, destination, written, news, mark)
        return news.mark

    async def _opened(self, stack: AsyncExitStack, credentials: Credentials) -> Backend:
        """As requests with a session token open it."""
        admission = partial(self._tools.rates.sealed, credentials)
        mailbox = await stack.enter_async_context(self._tools.accounts.mailbox(credentials, admission))
        await mailbox.check()
        return mailbox

    async def _copy(self, source: Backend, destination: Backend, written: Written, news: News, before: Mark) -> None:
        plan, fence = written.plan, partial(self._tools.require_held, self._claim)
        job = Job(Options(tuple(news.found), plan.into, deletes_source=plan.deletes_source))
        job.progress.is_distinct = before.is_distinct
        selected = Selected(source, fence, news.found, is_exact=not plan.deletes_source)
        guarded = Guarded(destination, fence)
        for last in (False,) * (MOST_BURSTS - 1) + (True,):
            try:
                report = await run_burst(selected, guarded, job, BURST_SECONDS, note=partial(self._note, news, plan))
            finally:
                self._copied = job.progress.copied
            self._failed += report.failed
            if report.is_done:
                break
            if report.retry_after is not None:
                raise UpstreamUnavailable(_PAUSED, retry_after=report.retry_after)
            if last:
                raise _More
            shown = _with_record(self._with_handled(before), self._record(before))
            await self._tools.store.fetch_queue.advance(self._claim, await asyncio.to_thread(write_mark, shown))
        news.mark.is_distinct = job.progress.is_distinct
        news.mark.owed = _owed(self._failed, news, before)

    def _note(self, news: News, plan: Plan, message: str) -> None:
        """A message has its copy. One that is to be deleted is looked at until it is."""
        if not plan.deletes_source:
            digest = digest_of(message)
            self._handled[digest] = news.mark.seen.get(digest, UNKNOWN)

    def _with_handled(self, mark: Mark) -> Mark:
        """The mark from before a run that did not come to its end, with what it has copied: the user may have filed or
        deleted that before the next run."""
        if not self._handled:
            return mark
        owed = {message: tried for message, tried in mark.owed.items() if digest_of(message) not in self._handled}
        return replace(mark, seen=mark.seen | self._handled, owed=owed)

    async def _note_error(self, row: FetchRow, written: Written, mark: Mark, error: MailError) -> None:
        """Back off, or stop if it would be the same again. The next run looks again for what was not copied."""
        mark = self._with_handled(mark)
        noted = _with_record(mark, self._record(mark, Fault(type(error).__name__, error.detail)))
        if isinstance(error, _LASTING):
            if isinstance(error, LoginRefused) and await self._has_other_credentials(row):
                await self._write(mark, row.failures, 0)
                return
            metrics.fetch_run("stopped")
            await self._write(noted, row.failures + 1, None)
            return
        metrics.fetch_run("failed")
        failures = 0 if self._copied else row.failures + 1
        await self._write(noted, failures, pause(written.plan.every_seconds, failures, error.retry_after) * _jitter())

    async def _has_other_credentials(self, row: FetchRow) -> bool:
        """Whether the row has others than those refused: another replica renewed the grant."""
        present = await self._tools.store.fetches.load(self._claim)
        if present is None:
            raise Lost
        return (present.content, present.source) != (row.content, row.source)

    async def _write(self, mark: Mark, failures: int, seconds: float | None) -> None:
        octets = await asyncio.to_thread(write_mark, mark)
        while True:
            try:
                await self._tools.store.fetches.finish(self._claim, octets, failures, seconds)
            except StoreUnavailable:
                await asyncio.sleep(self._tools.beat)
            else:
                return

    def _record(self, mark: Mark, fault: Fault | None = None) -> Record:
        failed = tuple(self._failed[:MAX_SHOWN])
        return Record(mark.record.copied + self._copied, datetime.now(UTC), self._copied, failed, fault)


def _with_record(mark: Mark, record: Record) -> Mark:
    return replace(mark, record=record)


def pause(every: float, failures: int, retry_after: int | None) -> float:
    """Seconds until the next try: doubled with each failure, up to an hour, and never before the mail server wants.
    After a run that has copied something, it goes on soon."""
    if not failures:
        return retry_after or every
    return max(retry_after or 0, min(every * 2.0 ** min(failures - 1, 10), max(every, LONGEST_SECONDS)))


def _jitter() -> float:
    """So that fetches that began together do not run together for ever."""
    return uniform(1.0, 1.1)  # noqa: S311


def _owed(failed: Sequence[Failure], news: News, before: Mark) -> dict[str, tuple[str, int]]:
    """The messages that the next run tries again. A folder that failed owes all of its messages."""
    tried: dict[str, None] = {}
    for failure in failed:
        if failure.reason in _NO_USE:
            continue
        if failure.id is not None:
            tried[failure.id] = None
        else:
            tried |= {each: None for id in news.found if news.names[id] == failure.folder for each in news.found[id]}  # noqa: A001
    folders = {message: folder for folder, messages in news.found.items() for message in messages}
    owed = {each: (folders[each], before.owed.get(each, ("", 0))[1] + 1) for each in tried if each in folders}
    return dict([(each, value) for each, value in owed.items() if value[1] < MAX_TRIES][:MAX_OWED])
