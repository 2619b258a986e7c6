"""One live Backend for each set of credentials: opened on first use, shared by all requests, closed when idle.

This module knows no protocol: the composition root passes in how a backend is made.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from copy import copy
from dataclasses import dataclass, field

from service.accounts.credentials import Credentials
from service.mail.backend import Backend
from service.mail.errors import LoginRefused, MailError, TooManyRequests, UpstreamUnavailable
from service.mail.submission.submitter import Submitter

Admission = Callable[[], AbstractAsyncContextManager[None]]
"""Entered around a login with credentials that have not worked yet; raises if the login must not be tried."""


@dataclass(slots=True)
class _Shared:
    backend: Backend
    submitter: Submitter | None = None
    users: int = 0
    idle_since: float = 0.0
    is_proven: bool = False
    must_wait: bool = False
    refusal: LoginRefused | None = None
    proof: asyncio.Lock = field(default_factory=asyncio.Lock)


class Accounts:
    """The live backends. Each is kept for ``idle`` seconds after its last request."""

    def __init__(
        self,
        make: Callable[[Credentials], Backend],
        idle: float = 120.0,
        make_submitter: Callable[[Credentials], Submitter | None] = lambda _: None,
    ) -> None:
        self._make = make
        self._make_submitter = make_submitter
        self._idle = idle
        self._shared: dict[Credentials, _Shared] = {}

    def __len__(self) -> int:
        return len(self._shared)

    @asynccontextmanager
    async def mailbox(self, credentials: Credentials, admission: Admission = nullcontext) -> AsyncIterator[Backend]:
        """Yields the account's backend, and keeps it alive while the caller is inside.

        A backend that never signed in is closed when its last caller leaves, unless the mail server asked to wait: the
        backend remembers for how long.
        """
        shared = self._shared.get(credentials)
        if shared is None:
            shared = self._shared[credentials] = _Shared(self._make(credentials))
        shared.users += 1
        try:
            if not shared.is_proven:
                await _prove(shared, admission)
            async with _counted_late(shared, admission):
                yield shared.backend
        except LoginRefused:
            await self._forget(credentials, shared)
            raise
        finally:
            shared.users -= 1
            shared.idle_since = asyncio.get_running_loop().time()
            if not (shared.users or shared.is_proven or shared.must_wait):
                await self._forget(credentials, shared)

    def submitter(self, credentials: Credentials) -> Submitter | None:
        """What sends for an account whose mailbox is open; None if its server sends no mail. Opens no connection."""
        shared = self._shared[credentials]
        if shared.submitter is None:
            shared.submitter = self._make_submitter(credentials)
        return shared.submitter

    async def _forget(self, credentials: Credentials, shared: _Shared) -> None:
        if self._shared.get(credentials) is shared:
            await self.close(credentials)

    async def close(self, credentials: Credentials) -> None:
        """Close the account's connections; the next request opens new ones."""
        shared = self._shared.pop(credentials, None)
        if shared is None:
            return
        if shared.submitter is not None:
            await shared.submitter.aclose()
        await shared.backend.aclose()

    async def close_idle(self) -> None:
        """Close the backends that were not used for ``idle`` seconds."""
        before = asyncio.get_running_loop().time() - self._idle
        for credentials, shared in list(self._shared.items()):
            if shared.users == 0 and shared.idle_since < before:
                await self.close(credentials)

    async def sweep(self, every: float = 5.0) -> None:
        """Close idle backends until cancelled, at shutdown."""
        while True:
            await asyncio.sleep(every)
            with suppress(Exception):  # an error of one server must not end the sweep
                await self.close_idle()

    async def aclose(self) -> None:
        """Close all of them."""
        await asyncio.gather(*(self.close(credentials) for credentials in list(self._shared)))


async def _prove(shared: _Shared, admission: Admission) -> None:
    """Log in, once for all requests that wait: a wrong password in many requests at once is tried once."""
    async with shared.proof:
        if shared.refusal is not None:
            raise copy(shared.refusal)
        if shared.is_proven:
            return
        try:
            async with admission():
                await _check(shared)
        except LoginRefused as refusal:
            shared.refusal = refusal
            raise
        except UpstreamUnavailable:
            return  # work that needs the mail server raises this by itself, and a 501 needs no mail server
        shared.is_proven = True


async def _check(shared: _Shared) -> None:
    try:
        await shared.backend.check()
    except TooManyRequests:
        shared.must_wait = True
        raise


@asynccontextmanager
async def _counted_late(shared: _Shared, admission: Admission) -> AsyncIterator[None]:
    """Count a login that is refused late, once: the mail server could not be reached for the proof, but was reached for
    the work and then refused the credentials."""
    try:
        yield
    except LoginRefused as refusal:
        if not shared.is_proven and shared.refusal is None:
            shared.refusal = refusal
            with suppress(MailError):
                async with admission():
                    raise
        raise
