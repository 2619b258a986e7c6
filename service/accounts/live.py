"""Credentials to one live Backend: opened on first use, shared by all requests of the account, closed when idle.

No protocol is known here: the composition root says how a backend is made.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from enum import StrEnum

from service.mail.backend import Backend
from service.mail.errors import LoginRefused, MailError, TooManyRequests, UpstreamUnavailable
from service.mail.ids import account_id
from service.mail.model import Protocol


class SecretKind(StrEnum):
    """What the secret is."""

    PASSWORD = "password"  # noqa: S105 - the kind's name
    ACCESS_TOKEN = "accessToken"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who, on which server, by which protocol. Equal credentials share connections; a wrong password never rides on a
    right one's, because it is part of what is compared."""

    server: str
    protocol: Protocol
    username: str
    secret: str = field(repr=False)
    kind: SecretKind = SecretKind.PASSWORD

    @property
    def account(self) -> str:
        """The account's id: the same whatever the secret."""
        return account_id(self.server, self.protocol, self.username)


Admission = Callable[[], AbstractAsyncContextManager[None]]
"""Entered around a login with credentials that were not seen to work yet; raises where it must not be tried."""


@dataclass(slots=True)
class _Shared:
    backend: Backend
    users: int = 0
    idle_since: float = 0.0
    is_proven: bool = False
    is_put_off: bool = False
    refusal: LoginRefused | None = None
    proof: asyncio.Lock = field(default_factory=asyncio.Lock)


class Accounts:
    """The live backends. ``idle`` is how many seconds one is kept after its last request."""

    def __init__(self, make: Callable[[Credentials], Backend], idle: float = 120.0) -> None:
        self._make = make
        self._idle = idle
        self._shared: dict[Credentials, _Shared] = {}

    def __len__(self) -> int:
        return len(self._shared)

    @asynccontextmanager
    async def mailbox(self, credentials: Credentials, admission: Admission = nullcontext) -> AsyncIterator[Backend]:
        """The account's backend, kept alive while the caller is inside. What never signed in is forgotten at once,
        unless the mail server asked to wait, which the backend remembers."""
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
            if not (shared.users or shared.is_proven or shared.is_put_off):
                await self._forget(credentials, shared)

    async def _forget(self, credentials: Credentials, shared: _Shared) -> None:
        if self._shared.get(credentials) is shared:
            await self.close(credentials)

    async def close(self, credentials: Credentials) -> None:
        """Close the account's connections; the next request opens new ones."""
        shared = self._shared.pop(credentials, None)
        if shared is not None:
            await shared.backend.aclose()

    async def close_idle(self) -> None:
        """Close what nobody has used for a while."""
        before = asyncio.get_running_loop().time() - self._idle
        for credentials, shared in list(self._shared.items()):
            if shared.users == 0 and shared.idle_since < before:
                await self.close(credentials)

    async def sweep(self, every: float = 5.0) -> None:
        """Close idle backends for ever; cancelled at shutdown."""
        while True:
            await asyncio.sleep(every)
            with suppress(Exception):  # one server's odd goodbye must not end the sweep
                await self.close_idle()

    async def aclose(self) -> None:
        """Close all of them."""
        await asyncio.gather(*(self.close(credentials) for credentials in list(self._shared)))


async def _prove(shared: _Shared, admission: Admission) -> None:
    """Log in, once for all who ask at the same time: a wrong password that many requests bring is tried once."""
    async with shared.proof:
        if shared.refusal is not None:
            raise LoginRefused(shared.refusal.detail)
        if shared.is_proven:
            return
        try:
            async with admission():
                await _check(shared)
        except LoginRefused as refusal:
            shared.refusal = refusal
            raise
        except UpstreamUnavailable:
            return  # what needs the mail server says so by itself; what this mailbox cannot do needs none
        shared.is_proven = True


async def _check(shared: _Shared) -> None:
    try:
        await shared.backend.check()
    except TooManyRequests:
        shared.is_put_off = True
        raise


@asynccontextmanager
async def _counted_late(shared: _Shared, admission: Admission) -> AsyncIterator[None]:
    """If the mail server could not be reached for the proof, and then refuses the credentials when it is reached after
    all, that counts as a login, once."""
    try:
        yield
    except LoginRefused as refusal:
        if not shared.is_proven and shared.refusal is None:
            shared.refusal = refusal
            with suppress(MailError):
                async with admission():
                    raise
        raise
