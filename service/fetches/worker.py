"""This process among those that fetch: it claims what is due, and runs it."""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from random import uniform

import structlog

from service.fetches.running import FetchRun
from service.fetches.tools import AT_ONCE, Tools
from service.mail.errors import StoreUnavailable
from service.store.model import Claim, Dead

_log = structlog.get_logger("service.fetches")


class Worker:
    """Runs until cancelled; then ``aclose`` leaves its fetches to others. It has the name of this process that watches,
    and is declared dead with it."""

    def __init__(self, tools: Tools) -> None:
        self._tools, self._queue = tools, tools.store.fetch_queue
        self._runs: dict[Claim, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """A round whenever a fetch may be due, and at each beat."""
        while True:
            try:
                await self._round()
            except StoreUnavailable:
                pass  # the database notes it
            except Dead:
                await self._end(list(self._runs))
            except Exception as error:
                _log.exception("a round failed", kind=type(error).__name__)
            await self._rest(self._tools.beat * uniform(0.8, 1.0))  # noqa: S311

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._tools.due.wait()
        self._tools.due.clear()

    async def aclose(self) -> None:
        """Ends all runs. What they have not written, others find at the destination."""
        claims = list(self._runs)
        await self._end(claims)
        if claims:
            with suppress(StoreUnavailable):
                await self._queue.release(claims)

    async def _round(self) -> None:
        name = self._tools.worker()
        if not name:
            await self._end(list(self._runs))
            return
        began = time.monotonic()
        held = {each.claim for each in await self._queue.report(name)}
        self._tools.lease.renew(began)
        await self._end([claim for claim in self._runs if claim not in held])
        for claim in held - self._runs.keys():
            self._begin(claim)
        free = AT_ONCE - len(self._runs)
        if free > 0:
            for claim in await self._queue.claim(name, free):
                self._begin(claim)

    def _begin(self, claim: Claim) -> None:
        task = self._runs[claim] = asyncio.create_task(FetchRun(self._tools, claim).run())
        task.add_done_callback(lambda _: self._ended(claim, task))

    def _ended(self, claim: Claim, task: "asyncio.Task[None]") -> None:
        if self._runs.get(claim) is task:
            del self._runs[claim]
            self._tools.due.set()  # others may wait for its place

    async def _end(self, claims: Iterable[Claim]) -> None:
        ending = [self._runs.pop(claim) for claim in claims]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
