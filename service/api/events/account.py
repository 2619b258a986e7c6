"""The events of one account, before they are written: what changed since a state, while a client listens."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

from service.api.events.streams import EventStreams
from service.mail.backend import Backend
from service.mail.changes import AccountChanges
from service.mail.errors import StaleToken, UpstreamFailure

PING_SECONDS = 15.0


class Event(NamedTuple):
    """``state`` is the state of the mailbox that a client knows with this event. None: more events belong to it, and a
    client that is disconnected before it has the last one gets all of them again."""

    name: str
    data: dict[str, Any]
    state: bytes | None


class AccountEvents:
    """The events for one client. ``folders`` are the ids of those to report, None for all. ``require_live`` raises
    Unauthenticated once the client's session was ended."""

    def __init__(
        self,
        streams: EventStreams,
        mailbox: Backend,
        folders: frozenset[str] | None,
        require_live: Callable[[], Awaitable[None]],
    ) -> None:
        self._streams = streams
        self._require_live = require_live
        self._mailbox = mailbox
        self._folders = folders
        self._state = b""
        self._greeting = "ping"

    async def begin(self, state: bytes | None, *, is_lost: bool = False) -> None:
        """Start at ``state``; at the current one if it is None. ``is_lost``: the client had a state that cannot be
        read any more, and the first event says that it must list again."""
        self._state = await self._mailbox.get_sync_token(None) if state is None else state
        self._greeting = "resync" if is_lost else "ping"

    async def events(self) -> AsyncGenerator[Event, None]:
        """The events, until the service closes its streams. The first comes at once: it has the state of the start.

        Raises Unauthenticated when the session is ended."""
        async with self._mailbox.watch() as watch:
            with self._streams.opened(watch):
                yield Event(self._greeting, {}, self._state)
                is_woken = True
                while not self._streams.is_closing:
                    await self._require_live()
                    if is_woken:
                        async for event in self._news():
                            yield event
                    else:
                        yield Event("ping", self._health(), self._state)
                    is_woken = await watch.wait(PING_SECONDS)

    async def _news(self) -> AsyncIterator[Event]:
        """The changes since the last event. None if the mail server is unreachable: the watch wakes when it is back."""
        has_more = True
        while has_more:
            try:
                changes = await self._mailbox.list_all_changes(self._state)
            except StaleToken:
                self._state = await self._mailbox.get_sync_token(None)
                yield Event("resync", {}, self._state)
                return
            except UpstreamFailure:
                return
            await self._require_live()
            self._state, has_more = changes.token, changes.has_more
            for event in self._events_of(changes):
                yield event

    def _events_of(self, changes: AccountChanges) -> list[Event]:
        """Only the last event has the state."""
        events: list[tuple[str, dict[str, Any]]] = [
            ("resync" if folder.resync else "change", folder.model_dump(by_alias=True, exclude={"resync"}))
            for folder in changes.folders
            if self._folders is None or folder.folder_id in self._folders
        ]
        if self._folders is None and (changes.created_folders or changes.destroyed_folders):
            events.append(("folders", {"created": changes.created_folders, "destroyed": changes.destroyed_folders}))
        last = len(events)
        return [Event(name, data, changes.token if at == last else None) for at, (name, data) in enumerate(events, 1)]

    def _health(self) -> dict[str, Any]:
        """The data of a ping: how the mailbox is watched, so that clients see when the connection is down."""
        health = self._mailbox.watch_health()
        return {"mode": health.mode} if health else {}
