"""What all watches of a process share."""

from collections.abc import Callable
from dataclasses import dataclass, field

from service.accounts.live import Accounts
from service.accounts.rates import Rates
from service.oauth.grants import Grants
from service.push.model import Pusher
from service.standing.lease import Lease
from service.standing.starts import Starts
from service.store.model import Claim
from service.store.opened import Store


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds."""

    beat: float = 3.0
    """Between two reports of a worker."""
    dead: float = 10.0
    """Without a report, after which a worker's mailboxes go to others."""
    poll: float = 300.0
    """Between two looks at a mailbox whose server reports nothing."""
    retry: float = 300.0
    """Between a push that failed and the next to the same device, at first. Doubled each time."""
    hand_over: float = 30.0
    """For one push, with its retries."""
    backoff: tuple[float, float] = (5.0, 300.0)
    """Until a mailbox that cannot be opened is tried again: the first time, and at most."""
    rotation: float = 600.0
    """Between two passes that seal rows with the present key."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Made by ``watching``."""

    store: Store
    accounts: Accounts
    rates: Rates
    grants: Grants
    pusher: Pusher
    starts: Starts
    lease: Lease
    host_of: Callable[[str], str]
    """The name that a mail server's connections are counted under."""
    seal_token: Callable[[str, bytes], str]
    """A sync token of an account, as the API returns it."""
    timing: Timing = field(default_factory=Timing)

    async def require_held(self, claim: Claim) -> int | None:
        """See ``Lease.require_held``."""
        return await self.lease.require_held(self.store.watches, claim)
