"""Joins the watchers: what the composition root starts, and what gives the routes the subscriptions of an account."""

import asyncio

import structlog

from service.accounts.credentials import Credentials, SealedGrant
from service.accounts.live import Accounts
from service.accounts.rates import Rates
from service.accounts.servers import ServerTable
from service.accounts.tokens import ALL_FOLDERS, Sessions
from service.mail.errors import StoreUnavailable
from service.oauth.grants import Grants
from service.push.model import Pusher
from service.push.watch.keeper import WatchKeeper
from service.push.watch.tools import Timing, Tools
from service.push.watch.worker import Worker
from service.standing.credentials import read_grant, with_grant
from service.standing.lease import Lease
from service.standing.starts import Starts
from service.store.grants import GrantStates
from service.store.opened import Store

STANDING = 2
"""One in two connections to a mail server may be that of a watch."""
_log = structlog.get_logger("service.push.watch")


class Watching:
    """The watchers of this process. ``keeper`` works before they run."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._worker = Worker(tools)

    def keeper(self, credentials: Credentials) -> WatchKeeper:
        """The subscriptions of an account. These credentials watch its mailbox."""
        return WatchKeeper(self._tools, credentials)

    @property
    def worker_name(self) -> str:
        """See ``Worker.name``. Other standing work of this process goes by it too."""
        return self._worker.name

    async def run(self) -> None:
        """Watches until cancelled, at shutdown."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tools.store.bell.listen())
            tasks.create_task(self._worker.run())
            tasks.create_task(self._rotate())

    async def aclose(self) -> None:
        """Leaves the mailboxes to other processes. After ``run`` was cancelled, before the accounts are closed."""
        try:
            await self._worker.aclose()
        except StoreUnavailable:
            _log.warning("the store fails, so others wait until this process counts as dead")
        await self._tools.store.aclose()

    async def _rotate(self) -> None:
        """Rows that replicas sealed with other keys are sealed with the present one."""
        while True:
            try:
                count = await self._tools.store.rotation.run()
            except StoreUnavailable:
                count = 0
            except Exception as error:
                _log.exception("rows could not be sealed again", kind=type(error).__name__)
                count = 0
            if count:
                _log.info("rows were sealed with the present key", count=count)
            await asyncio.sleep(self._tools.timing.rotation)


def open_watching(
    store: Store,
    accounts: Accounts,
    rates: Rates,
    grants: Grants,
    sessions: Sessions,
    servers: ServerTable,
    pusher: Pusher,
    *,
    timing: Timing,
    logins_per_second: float,
    server_connections: int,
) -> Watching:
    """Joins them. Nothing runs yet."""
    tools = Tools(
        store,
        accounts,
        rates,
        grants,
        pusher,
        Starts(logins_per_second, max(1, server_connections // STANDING)),
        Lease(timing.dead),
        servers.key_of,
        lambda account, state: sessions.seal_sync_token(account, ALL_FOLDERS, state),
        timing,
    )
    return Watching(tools)


class SharedStates:
    """See ``oauth.grants.Shared``: the states of grants that mailboxes are watched with."""

    def __init__(self, states: GrantStates) -> None:
        self._states = states

    async def newest(self, session: str) -> SealedGrant | None:
        grants = [grant for content in await self._states.contents(session) if (grant := read_grant(content))]
        return max(grants, key=lambda grant: grant.generation, default=None)

    async def keep(self, session: str, sealed: SealedGrant) -> None:
        def changed(content: bytes) -> bytes | None:
            present = read_grant(content)
            return with_grant(content, sealed) if present and present.generation < sealed.generation else None

        await self._states.change(session, changed)
