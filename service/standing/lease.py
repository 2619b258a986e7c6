"""Whether work of the store is still this process's."""

import time

from service.mail.errors import StoreUnavailable
from service.store.model import Claim
from service.store.queue import Queue


class Lease:
    """Until when no other process can have this one's mailboxes, even if the store does not answer."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = 0.0

    def renew(self, began: float) -> None:
        """A report succeeded that began at this moment, by the monotonic clock."""
        self._until = began + self._seconds

    @property
    def is_sure(self) -> bool:
        return time.monotonic() < self._until

    async def require_held(self, queue: Queue, claim: Claim) -> int | None:
        """The fence before each effect. Returns the revision of the row. Raises Lost if another worker may have it.
        While the store fails, the lease decides: until it ends no other worker can have taken the work, and this
        returns None. Then raises StoreUnavailable."""
        try:
            return await queue.require(claim)
        except StoreUnavailable:
            if not self.is_sure:
                raise
            return None
