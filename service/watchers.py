"""The store, and those who watch mailboxes on it, as the settings say. What they need is imported only if there is a
store: its libraries are an extra."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from service.accounts.credentials import Credentials
from service.api.deps import Service
from service.oauth.grants import Shared
from service.push.model import Keeper, Pusher
from service.settings.model import Settings

if TYPE_CHECKING:
    from service.push.watch.watching import Watching
    from service.store.opened import Store


def store_of(settings: Settings, keys: Sequence[bytes]) -> "Store | None":
    """The store. It connects on first use."""
    if settings.store.url is None:
        return None
    from service.store.opened import Store  # noqa: PLC0415

    return Store(settings.store.url.get_secret_value(), keys)


def shared_states(store: "Store | None") -> Shared | None:
    """The states of grants that replicas share by the store."""
    if store is None:
        return None
    from service.push.watch.watching import SharedStates  # noqa: PLC0415

    return SharedStates(store.grants)


class Watchers:
    """The watchers of this process. Their keeper is needed before they are made of the same service."""

    def __init__(self, store: "Store | None") -> None:
        self._store = store
        self.watching: Watching | None = None
        """None if there is no store."""

    @property
    def keeper(self) -> Callable[[Credentials], Keeper] | None:
        """Keeps the subscriptions of an account whose mailbox is watched; None if none is."""
        return self._keeper if self._store else None

    def _keeper(self, credentials: Credentials) -> Keeper:
        assert self.watching is not None
        return self.watching.keeper(credentials)

    def join(self, settings: Settings, service: Service, pusher: Pusher | None) -> None:
        """Make them. Nothing runs yet."""
        if self._store is None or pusher is None:
            return
        from service.push.watch.tools import Timing  # noqa: PLC0415
        from service.push.watch.watching import open_watching  # noqa: PLC0415

        self.watching = open_watching(
            self._store,
            service.accounts,
            service.rates,
            service.grants,
            service.sessions,
            service.servers,
            pusher,
            timing=Timing(settings.store.heartbeat_seconds, settings.store.dead_seconds),
            logins_per_second=settings.store.logins_per_second,
            server_connections=settings.server_connections,
        )
