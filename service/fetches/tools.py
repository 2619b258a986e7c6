"""What all fetches of a process share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from service.accounts.live import Accounts
from service.accounts.rates import Rates
from service.oauth.grants import Grants
from service.standing.lease import Lease
from service.standing.starts import Starts
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
        """See ``Lease.require_held``."""
        await self.lease.require_held(self.store.fetch_queue, claim)
