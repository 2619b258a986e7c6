"""The event source (RFC 8620, 7.3): which types changed, as it happens."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi.sse import format_sse_event
from pydantic_core import to_json

from service.jmap.account.account import Account
from service.jmap.host import Streams
from service.jmap.methods.mailbox.read import mailboxes_of, state_of
from service.mail.errors import Unauthenticated, UpstreamFailure

TYPES = ("Email", "Mailbox", "Thread")
MIN_PING, MAX_PING = 1, 900
WAIT_SECONDS = 15.0
"""The session is looked at so often, and comments keep the connection open."""


class Events:
    """One open event source. ``fresh`` gives an account that has read nothing yet."""

    def __init__(self, streams: Streams, fresh: Callable[[], Account], types: frozenset[str], *, closes: bool) -> None:
        self._streams, self._fresh, self._types, self._closes = streams, fresh, types, closes
        self._known: dict[str, str] = {}

    async def begin(self) -> None:
        """Read the states of the start. Raises what the mailbox raises."""
        self._known = await self._states()

    async def run(self, ping: int, last: str | None, require_live: Callable[[], Any]) -> AsyncIterator[bytes]:
        """The events until either side closes the stream. ``ping`` zero: none are sent."""
        account = self._fresh()
        async with account.backend.watch() as watch:
            with self._streams.opened(watch):
                yield format_sse_event(comment="open")
                if last is not None and last != self._id():
                    yield self._event(self._known)
                    if self._closes:
                        return
                waited = 0.0
                while not self._streams.is_closing:
                    seconds = min(WAIT_SECONDS, ping - waited) if ping else WAIT_SECONDS
                    is_woken = await watch.wait(seconds)
                    try:
                        await require_live()
                    except Unauthenticated:
                        return
                    if is_woken and (changed := await self._changed()):
                        yield self._event(changed)
                        if self._closes:
                            return
                        continue
                    waited += seconds
                    if ping and waited >= ping:
                        waited = 0.0
                        yield format_sse_event(event="ping", data_str=to_json({"interval": ping}).decode())
                    else:
                        yield format_sse_event(comment="still here")

    async def _changed(self) -> dict[str, str]:
        """The states that differ from those known before. None while the mail server cannot be reached."""
        try:
            states = await self._states()
        except UpstreamFailure:
            return {}
        changed = {name: state for name, state in states.items() if self._known.get(name) != state}
        self._known = states
        return changed

    async def _states(self) -> dict[str, str]:
        account = self._fresh()
        states: dict[str, str] = {}
        if self._types & {"Email", "Thread"}:
            state = await account.state()
            states |= {name: state for name in ("Email", "Thread") if name in self._types}
        if "Mailbox" in self._types:
            states["Mailbox"] = state_of(account, await mailboxes_of(account))
        return states

    def _id(self) -> str:
        return self._known.get("Email") or self._known.get("Mailbox") or self._known.get("Thread") or ""

    def _event(self, changed: dict[str, str]) -> bytes:
        data = {"@type": "StateChange", "changed": {self._fresh().id: changed}}
        return format_sse_event(event="state", data_str=to_json(data).decode(), id=self._id())


def read_types(text: str) -> frozenset[str]:
    """The types asked for; ``*`` means all."""
    return frozenset(TYPES) if text == "*" else frozenset(text.split(",")) & frozenset(TYPES)


def read_ping(text: str) -> int:
    """Seconds between two pings, in bounds; zero: none."""
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0
    return min(MAX_PING, max(MIN_PING, seconds)) if seconds else 0
