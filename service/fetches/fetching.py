"""Joins what fetches: what the composition root starts, and what gives the routes the fetches of an account."""

from service.accounts.credentials import Credentials
from service.fetches.desk import StoreDesk
from service.fetches.tools import Tools
from service.fetches.worker import Worker


class Fetching:
    """The fetches of this process. ``desk`` works before they run."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._worker = Worker(tools)

    def desk(self, credentials: Credentials) -> StoreDesk:
        """The fetches of an account. These credentials write to its mailbox."""
        return StoreDesk(self._tools, credentials)

    async def run(self) -> None:
        """Fetches until cancelled, at shutdown."""
        await self._worker.run()

    async def aclose(self) -> None:
        """Leaves the fetches to other processes. After ``run`` was cancelled, before the store is closed."""
        await self._worker.aclose()
