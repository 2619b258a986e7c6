"""What all fetches of a process share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from service.accounts.live import Accounts
from service.accounts.rates import Rates
from service.mail.errors import StoreUnavailable
from service.oauth.grants import Grants
from service.push.watch.starts import Starts
from service.push.watch.tools import Lease
from service.store.model import Claim
from service.store.opened import Store
from service.transfer.turns import ImportTurns

AT_ONCE = 16
"""Fetches that one process runs at a time."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Made by ``fetching``."""

    store: Store
    accounts: Accounts
    rates: Rates
    grants: Grants
    turns: ImportTurns
    starts: Starts
    lease: Lease
    host_of: Callable[[str], str]
    """The name that a mail server's connections are counted under."""
    worker: Callable[[], str]
    """The name of this process in the store; empty while it has none."""
    beat: float
    """Seconds between two reports."""
    due: asyncio.Event = field(default_factory=asyncio.Event)
    """Set if a fetch may be due. Those of other processes are seen at the next report."""

    async def require_held(self, claim: Claim) -> None:
        """The fence before each change of a mailbox. Raises Lost if another process may have the fetch. While the store
        fails, the lease decides: then raises StoreUnavailable once it has ended."""
        try:
            await self.store.fetch_queue.require(claim)
        except StoreUnavailable:
            if not self.lease.is_sure:
                raise
