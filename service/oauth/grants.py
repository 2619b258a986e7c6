"""The grants of this process: one access token for all requests of a session, renewed before it ends by one refresh.

A session token holds the state of its grant, counted by ``generation``. A replica takes over the newest state that a
request brings, so that replicas share a grant without a store. If an issuer accepts a refresh token only once and two
replicas use it at the same time, the loser goes on with its access token until a request brings the winner's state.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from copy import copy
from random import uniform
from secrets import token_hex
from typing import Protocol
from weakref import WeakValueDictionary

from cachetools import TTLCache

from service.accounts.credentials import AccessToken, SealedGrant
from service.mail.errors import ConsentRequired, MailError, NotFound, Unauthenticated
from service.oauth.issuer import TokenClient, Tokens

KEPT = 20_000
"""Grants in memory; beyond that, the oldest is left to the session token."""
LEAD, MAX_LEAD_SECONDS = 0.2, 120.0
"""An access token is renewed when this part of its life is left. It varies, so that replicas seldom do it together."""
AGAIN_SECONDS = 5.0
"""Until the next try to renew an access token that is still good, after the issuer did not answer."""
PATIENCE = 3.0
"""How long a request waits for an issuer while the access token is still good."""
_NO_REFRESH = "The provider gave no way to renew the access. Sign in again; ask the provider for offline access."


class Shared(Protocol):
    """The states of grants that others work with too, without any request. Its methods raise MailError if it fails."""

    async def newest(self, session: str) -> SealedGrant | None:
        """The newest state that is known there."""

    async def keep(self, session: str, sealed: SealedGrant) -> None:
        """A grant has a new state."""


class SessionGrant:
    """The grant of one session."""

    def __init__(
        self, client: TokenClient, sealed: SealedGrant, session: str = "", shared: Shared | None = None
    ) -> None:
        self._client = client
        self._session, self._shared = session, shared
        self._state = sealed
        self._refresh: asyncio.Task[None] | None = None
        self._gone: ConsentRequired | None = None
        self._spent: str | None = None
        """A refresh token that the issuer refused while the access token was still good."""
        self._measure()

    def _measure(self) -> None:
        """Reads when the access token ends, and when to renew it, by the monotonic clock: a clock that is set meanwhile
        changes neither."""
        state = self._state
        self._ends_at = time.monotonic() + min(state.ends_at - time.time(), state.seconds)
        self._renew_at = self._ends_at - _lead(state)

    @property
    def sealed(self) -> SealedGrant:
        return self._state

    def adopt(self, sealed: SealedGrant) -> None:
        """Takes over a newer state, which another replica made. Of a link's ticket, the access token at most."""
        mine = self._state
        if not sealed.refresh and mine.refresh:
            if sealed.ends_at > mine.ends_at:
                self._state = mine._replace(access=sealed.access, ends_at=sealed.ends_at, seconds=sealed.seconds)
        elif sealed.generation > mine.generation or (sealed.refresh and not mine.refresh):
            if sealed.ends_at < mine.ends_at:  # it came without an access token
                sealed = sealed._replace(access=mine.access, ends_at=mine.ends_at, seconds=mine.seconds)
            self._state, self._gone = sealed, None
        else:
            return
        self._measure()

    async def keep_fresh(self) -> None:
        """Renews the access token if it ends soon. A request waits for that, so that its response brings the client
        the new state: an issuer may accept the old refresh token no more."""
        if self._is_good and time.monotonic() >= self._renew_at and self._can_refresh:
            with suppress(MailError, TimeoutError):  # the access token is still good
                async with asyncio.timeout(PATIENCE):
                    await self._refreshed()

    async def access_token(self) -> AccessToken:
        if not self._is_good:
            await self._refreshed()
        return self._token

    async def replacement(self, refused: AccessToken) -> AccessToken:
        if refused.value == self._state.access:
            await self._refreshed()
        return self._token

    def end(self) -> None:
        """The session was ended here: the grant gives nothing any more."""
        self._gone = ConsentRequired()

    @property
    def _token(self) -> AccessToken:
        return AccessToken(self._state.access, self._ends_at)

    @property
    def _is_good(self) -> bool:
        return self._gone is None and time.monotonic() < self._ends_at

    @property
    def _can_refresh(self) -> bool:
        return bool(self._state.refresh) and self._state.refresh != self._spent

    def _begin(self) -> "asyncio.Task[None]":
        """The one refresh that is under way. It goes on if the request that began it is gone: the issuer may accept
        the old refresh token no more."""
        if self._refresh is None:
            self._refresh = asyncio.create_task(self._run())
            self._refresh.add_done_callback(self._done)
        return self._refresh

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._refresh = None
        if not task.cancelled():
            task.exception()  # no request may wait for it any more

    async def _refreshed(self) -> None:
        if self._gone is not None:
            raise copy(self._gone)
        try:
            await asyncio.shield(self._begin())
        except MailError as error:  # of all who wait for it
            raise copy(error) from None
        if self._gone is not None:  # the session was ended meanwhile
            raise copy(self._gone)

    async def _run(self) -> None:
        """Looks for a newer state first: the issuer may have ended the refresh token when others used it."""
        if await self._is_renewed():
            return
        used = self._state.refresh
        try:
            if not self._can_refresh:
                raise ConsentRequired(None if used else _NO_REFRESH)
            tokens = await self._client.refresh(used)
        except ConsentRequired as gone:
            if self._state.refresh != used or await self._is_renewed():
                return  # meanwhile a request brought what another replica got, or it is shared
            self._spent = used
            if not self._is_good:
                self._gone = gone
            raise
        except MailError:
            self._renew_at = min(time.monotonic() + AGAIN_SECONDS, self._ends_at)
            raise
        self._state = _next(self._state, tokens)
        self._measure()
        if self._shared is not None:
            with suppress(MailError):  # the session token has it too
                await self._shared.keep(self._session, self._state)

    async def _is_renewed(self) -> bool:
        """Whether others have made a newer state whose access token is still good. Adopts it."""
        if self._shared is None:
            return False
        with suppress(MailError):
            newest = await self._shared.newest(self._session)
            if newest is not None and newest.generation > self._state.generation:
                self.adopt(newest)
                return self._is_good
        return False


class Grants:
    """The grants by session, and who is asked for their tokens. A grant lives as long as anything uses it."""

    def __init__(self, clients: Mapping[str, TokenClient], lifetime: float, shared: Shared | None = None) -> None:
        self._clients = clients
        self._shared = shared
        self._kept: TTLCache[str, SessionGrant] = TTLCache(KEPT, lifetime)
        self._alive: WeakValueDictionary[str, SessionGrant] = WeakValueDictionary()

    def client(self, issuer: str) -> TokenClient:
        """Raises NotFound if the operator has no such issuer."""
        client = self._clients.get(issuer)
        if client is None:
            raise NotFound("provider", "There is no such provider here. GET /v1/discovery names it for an address.")
        return client

    def begin(self, issuer: str, tokens: Tokens) -> tuple[str, SessionGrant]:
        """The id of a new session, and its grant."""
        first = SealedGrant(issuer, 0, "", "", 0, 0)
        session = token_hex(16)
        return session, self.of(session, _next(first, tokens))

    def of(self, session: str, sealed: SealedGrant) -> SessionGrant:
        """The grant of a session, in the newest state that is known. Raises Unauthenticated if its issuer is no longer
        in the configuration."""
        grant = self._alive.get(session)
        if grant is None:
            client = self._clients.get(sealed.issuer)
            if client is None:
                raise Unauthenticated("This session's provider is no longer served here. Sign in again.")
            grant = self._alive[session] = SessionGrant(client, sealed, session, self._shared)
        else:
            grant.adopt(sealed)
        self._kept[session] = grant
        return grant

    def end(self, session: str) -> None:
        """Forget the grant of a session that was ended."""
        grant = self._alive.pop(session, None)
        self._kept.pop(session, None)
        if grant is not None:
            grant.end()

    async def aclose(self) -> None:
        """Close the connections to the issuers."""
        for client in self._clients.values():
            with suppress(MailError):
                await client.aclose()


def _next(state: SealedGrant, tokens: Tokens) -> SealedGrant:
    """The state after a refresh. An issuer that sends no refresh token accepts the old one again."""
    refresh = tokens.refresh or state.refresh
    ends_at = time.time() + tokens.seconds
    return SealedGrant(state.issuer, state.generation + 1, refresh, tokens.access, ends_at, tokens.seconds)


def _lead(state: SealedGrant) -> float:
    lead = min(state.seconds * LEAD, MAX_LEAD_SECONDS)
    return lead * uniform(0.6, 1.4)  # noqa: S311 - spreads the refreshes of replicas
