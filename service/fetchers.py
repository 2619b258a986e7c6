"""Standing fetches, as the settings say. What they need is imported only if there is a store."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from service.accounts.credentials import Credentials
from service.api.deps import Service
from service.fetches.model import Desk
from service.settings.model import Settings

if TYPE_CHECKING:
    from service.fetches.fetching import Fetching
    from service.push.watch.watching import Watching
    from service.store.opened import Store


class Fetchers:
    """The standing fetches of this process. The desk is needed before they are made of the same service."""

    def __init__(self, store: "Store | None") -> None:
        self._store = store
        self.fetching: Fetching | None = None
        """None if there is no store."""

    @property
    def desk(self) -> Callable[[Credentials], Desk] | None:
        """The fetches of an account; None without a store."""
        return self._desk if self._store else None

    def _desk(self, credentials: Credentials) -> Desk:
        assert self.fetching is not None
        return self.fetching.desk(credentials)

    def join(self, settings: Settings, service: Service, watching: "Watching | None") -> None:
        """Make them. Nothing runs yet."""
        if self._store is None or watching is None:
            return
        from service.fetches.fetching import Fetching  # noqa: PLC0415
        from service.fetches.tools import Tools  # noqa: PLC0415
        from service.standing.lease import Lease  # noqa: PLC0415
        from service.standing.starts import Starts  # noqa: PLC0415

        self.fetching = Fetching(
            Tools(
                self._store,
                service.accounts,
                service.rates,
                service.grants,
                service.imports,
                Starts(settings.store.logins_per_second, settings.server_connections),
                Lease(settings.store.dead_seconds),
                service.servers.key_of,
                lambda: watching.worker_name,
                settings.store.heartbeat_seconds,
            )
        )
