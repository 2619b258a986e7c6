"""One stream of the events of several accounts: browsers open six connections to a host, and each stream takes one."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from fastapi import Request
from fastapi.sse import format_sse_event
from pydantic_core import to_json

from service.accounts.tokens import Listener
from service.api.deps import granted, opened, require_live, service_of
from service.api.events.account import PING_SECONDS, AccountEvents, Event
from service.api.events.polling import PollingWatch
from service.api.events.position import LOST, seal_position
from service.api.events.response import RETRY_MS
from service.api.problems import Problem, fault_of, is_retryable, problem_of
from service.mail.backend import Backend
from service.mail.errors import MailError
from service.mail.model import Capability

AGAIN_SECONDS = 15.0
"""How long an account that cannot be reached waits for its next attempt, if the error does not say."""
_CLOSING = None


class SharedStream:
    """The stream of one client. Accounts in ``states`` start at their state, others at the current one.

    What happens to an account ends its own part only: one that cannot be reached is tried again, and one whose session
    has ended, or that cannot be watched, gets the event ``ended`` with the problem.
    """

    def __init__(
        self,
        request: Request,
        listeners: Sequence[Listener],
        states: Mapping[str, bytes],
        folders: frozenset[str] | None,
    ) -> None:
        self._request = request
        self._service = service_of(request)
        self._listeners = listeners
        self._states = dict(states)
        self._folders = folders
        self._last_id = ""
        self._queue: asyncio.Queue[tuple[str, Event] | None] = asyncio.Queue(maxsize=1)  # a slow client slows its parts

    async def events(self) -> AsyncIterator[bytes]:
        """The events, until either side closes the stream."""
        tasks = [asyncio.create_task(self._follow(listener)) for listener in self._listeners]
        try:
            while (happened := await self._next()) is not _CLOSING:
                yield self._write(*happened)
            yield format_sse_event(retry=RETRY_MS, comment="closing")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _next(self) -> tuple[str, Event] | None:
        """Pings if no account does: each of them may have ended, or wait for its next attempt."""
        try:
            async with asyncio.timeout(2 * PING_SECONDS):
                return await self._queue.get()
        except TimeoutError:
            return "", Event("ping", {}, None)

    def _write(self, account: str, event: Event) -> bytes:
        """With an id if it differs from the last one: clients keep that."""
        data = {"accountId": account, **event.data} if account else event.data
        token = None
        if event.state is not None and (event.state != self._states.get(account) or not self._last_id):
            self._states[account] = event.state
            token = self._last_id = seal_position(self._service.sessions, self._states)
        return format_sse_event(event=event.name, data_str=to_json(data).decode(), id=token)

    async def _follow(self, listener: Listener) -> None:
        """Puts the events of one account into the queue, until its part ends."""
        account = listener.credentials.account
        pause = PollingWatch()
        with self._service.streams.opened(pause):
            while not self._service.streams.is_closing:
                try:
                    await self._watch(listener)
                except MailError as error:
                    if not is_retryable(error):
                        await self._end(account, problem_of(self._request, error))
                        return
                    await self._queue.put((account, Event("ping", {"mode": "down"}, None)))
                    await pause.wait(error.retry_after or AGAIN_SECONDS)
                except Exception as error:  # a fault in one account's part must not end the others
                    await self._end(account, fault_of(self._request, error))
                    return
        await self._queue.put(_CLOSING)

    async def _watch(self, listener: Listener) -> None:
        """Raises what ends the account's part, or interrupts it. Returns when the service closes its streams."""
        await self._require_live(listener)
        credentials = granted(self._service, listener.credentials, listener.sealed)
        account = credentials.account
        async with opened(self._request, credentials, is_sealed=True) as mailbox:
            if Capability.PUSH not in mailbox.capabilities:
                raise mailbox.not_supported(Capability.PUSH)
            await mailbox.check()
            folder_ids = await self._folder_ids(mailbox)
            live = partial(self._require_live, listener)
            stream = AccountEvents(self._service.streams, mailbox, folder_ids, live)
            known = self._states.get(account)
            await stream.begin(known or None, is_lost=known == LOST)
            async with aclosing(stream.events()) as events:
                async for event in events:
                    await self._queue.put((account, event))

    async def _require_live(self, listener: Listener) -> None:
        listener.require_unexpired()
        await require_live(self._request, listener.session)

    async def _folder_ids(self, mailbox: Backend) -> frozenset[str] | None:
        """Those of the named folders that this account has."""
        if self._folders is None:
            return None
        folders = await mailbox.list_folders()
        return frozenset(folder.id for folder in folders if self._folders & {folder.id, folder.role})

    async def _end(self, account: str, problem: Problem) -> None:
        data: dict[str, Any] = {"problem": problem.model_dump(mode="json", by_alias=True, exclude_none=True)}
        await self._queue.put((account, Event("ended", data, None)))
