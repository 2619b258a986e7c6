"""A store with all that it does, made from an address and keys."""

from collections.abc import Sequence

from service.store.bell import Bell
from service.store.database import PATIENCE, Database
from service.store.fetches import FETCH, Fetches
from service.store.grants import GrantStates
from service.store.queue import Queue
from service.store.rotation import Rotation
from service.store.sealing import Seal
from service.store.subscriptions import WATCH, Subscriptions


class Store:
    """Opens no connection before its first use."""

    def __init__(self, url: str, keys: Sequence[bytes], patience: float = PATIENCE) -> None:
        self.seal = Seal(keys)
        self.database = Database(url, patience)
        self.bell = Bell(self.database)
        self.watches = self.queue(WATCH)
        self.subscriptions = Subscriptions(self.database, self.seal, self.bell)
        self.fetch_queue = self.queue(FETCH)
        self.fetches = Fetches(self.database, self.seal)
        self.grants = GrantStates(self.database, self.seal)
        self.rotation = Rotation(self.database, self.seal)

    def queue(self, kind: str) -> Queue:
        """The work of one kind."""
        return Queue(self.database, self.seal, self.bell, kind)

    async def aclose(self) -> None:
        """Close its connections."""
        await self.database.aclose()
