"""Changes since a token: on request, or as an event stream."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Annotated, TypeVar

from fastapi import Query, Request, Response
from fastapi.sse import format_sse_event
from pydantic import Field
from pydantic_core import to_json
from starlette.responses import StreamingResponse

from service.accounts.tokens import ALL_FOLDERS
from service.api.changed_rows import RowReader
from service.api.deps import Mailbox, Service, require_live, service_of, session_of
from service.api.events.account import AccountEvents
from service.api.events.polling import PollingWatch
from service.api.events.response import RETRY_MS, STREAM, Folders, LastEventId, Since, event_stream, names_of
from service.api.parameters import FolderId
from service.api.problems import SIGNED_IN, problem_responses
from service.api.responses import json_octets
from service.api.routing import api_router
from service.mail.backend import Backend
from service.mail.changes import Changes, FolderChanges, Watch
from service.mail.errors import InvalidRequest, StaleToken, Unauthenticated
from service.mail.model import Capability, Value

router = api_router(
    prefix="/v1/accounts/{account}",
    tags=["changes"],
    responses=problem_responses(*SIGNED_IN, "stale-token", "not-supported"),
)
T = TypeVar("T")
_FOLDER, _ALL = "folder", ALL_FOLDERS
"""What a token refers to: the messages of one folder, or all folders of the account."""
LOOK_SECONDS = 5.0
"""How often a long poll checks a mailbox without push."""
Fields = Annotated[
    str | None,
    Query(
        max_length=300,
        description="Names of fields of MessageSummary, separated by commas: `created` has rows with these in place of"
        " ids. Generated clients read ids; leave it out there.",
    ),
]
Wait = Annotated[float, Query(ge=0, le=60, description="Seconds to wait for a change (long poll). 0: respond at once.")]


class ChangesPage(Value):
    """The changes to the messages of one folder."""

    created: tuple[str, ...] = Field((), description="The ids of new messages.")
    updated: tuple[str, ...] = Field((), description="The ids of messages whose flags may have changed.")
    destroyed: tuple[str, ...] = Field((), description="The ids of messages that no longer exist.")
    token: str = Field(description="The token of this state: the next `since`.")
    has_more: bool = Field(False, description="True if there are more changes: send the request again with `token`.")


class AccountChangesPage(Value):
    """The changes in all folders of the account."""

    folders: tuple[FolderChanges, ...] = Field((), description="The folders whose messages changed.")
    created_folders: tuple[str, ...] = Field(
        (), description="The ids of new folders. Their messages are not listed in `folders`."
    )
    destroyed_folders: tuple[str, ...] = Field(
        (), description="The ids of folders that no longer exist, with all their messages."
    )
    token: str = Field(description="The token of this state: the next `since`.")
    has_more: bool = Field(False, description="True if there are more changes: send the request again with `token`.")


@router.get("/folders/{folder}/changes", response_model_exclude_none=True, response_model=ChangesPage)
async def list_changes(
    request: Request, mailbox: Mailbox, folder: FolderId, since: Since = None, wait: Wait = 0, fields: Fields = None
) -> ChangesPage | Response:
    """The messages of the folder that were created, updated or destroyed after the token `since`.

    410 `stale-token` if the service cannot tell what changed: get a new token, list the folder again, and continue from
    that token. Get the token before listing, so that no change is missed.
    """
    service, rows = service_of(request), RowReader(mailbox, fields)
    if since is None:
        return ChangesPage(token=_sealed(service, mailbox, _FOLDER, await mailbox.get_sync_token(folder)))
    mark = service.sessions.open_sync_token(mailbox.account, _FOLDER, since)
    changes = await _long_poll(service, mailbox, wait, lambda: mailbox.list_changes(folder, mark), _is_news)
    await require_live(request, session_of(request))  # it may have been ended meanwhile
    page = ChangesPage(
        created=changes.changes.created,
        updated=changes.changes.updated,
        destroyed=changes.changes.destroyed,
        token=_sealed(service, mailbox, _FOLDER, changes.token),
        has_more=changes.has_more,
    )
    return page if fields is None else json_octets(await rows.with_rows(page))


@router.get("/changes", response_model_exclude_none=True, response_model=AccountChangesPage)
async def list_account_changes(
    request: Request, mailbox: Mailbox, since: Since = None, wait: Wait = 0, fields: Fields = None
) -> AccountChangesPage | Response:
    """The changes in all folders after the token `since`, and the folders that were created or destroyed.

    A renamed folder is destroyed, and another one is created. A folder with `resync` must be listed again.
    """
    service, rows = service_of(request), RowReader(mailbox, fields)
    if since is None:
        return AccountChangesPage(token=_sealed(service, mailbox, _ALL, await mailbox.get_sync_token(None)))
    mark = service.sessions.open_sync_token(mailbox.account, _ALL, since)
    changes = await _long_poll(service, mailbox, wait, lambda: mailbox.list_all_changes(mark), bool)
    await require_live(request, session_of(request))  # it may have been ended meanwhile
    page = AccountChangesPage(
        folders=tuple(changes.folders),
        created_folders=tuple(changes.created_folders),
        destroyed_folders=tuple(changes.destroyed_folders),
        token=_sealed(service, mailbox, _ALL, changes.token),
        has_more=changes.has_more,
    )
    return page if fields is None else json_octets(await rows.with_folder_rows(page))


@router.get("/events", response_class=StreamingResponse, responses=STREAM)
async def watch_account(
    request: Request,
    mailbox: Mailbox,
    folders: Folders = None,
    since: Since = None,
    last_event_id: LastEventId = None,
) -> StreamingResponse:
    """Changes as they happen, as server-sent events.

    `change` has folderId, created, updated and destroyed. `folders` has created and destroyed. `resync` has folderId,
    or nothing if all folders must be listed again. `ping` is sent every 15 seconds and may have `mode`, as in the
    account's `watch`. The id of an event is the account's token: a client that reconnects with `Last-Event-ID` or
    `since`, to this replica or another, gets exactly the changes that it missed.
    """
    service = service_of(request)
    if Capability.PUSH not in mailbox.capabilities:
        raise mailbox.not_supported(Capability.PUSH)
    names = names_of(folders)
    folder_ids = None if names is None else await _folder_ids(mailbox, names)
    await mailbox.check()
    live = partial(require_live, request, session_of(request))
    stream = _Stream(service, mailbox, AccountEvents(service.streams, mailbox, folder_ids, live))
    await stream.begin(last_event_id or since)
    return event_stream(stream.written())


class _Stream:
    """The event stream of one account, as it is written."""

    def __init__(self, service: Service, mailbox: Backend, events: AccountEvents) -> None:
        self._service = service
        self._mailbox = mailbox
        self._events = events
        self._state, self._token = b"", ""

    async def begin(self, token: str | None) -> None:
        """Start at ``token``. Without one, or with one that cannot be read any more, start at the current state."""
        state, is_lost = None, False
        if token:
            try:
                state = self._service.sessions.open_sync_token(self._mailbox.account, _ALL, token)
            except StaleToken:
                is_lost = True
        await self._events.begin(state, is_lost=is_lost)

    async def written(self) -> AsyncIterator[bytes]:
        """The events, until either side closes the stream."""
        with suppress(Unauthenticated):  # its session was ended: a client that reconnects is answered 401
            async for name, data, state in self._events.events():
                token = None if state is None else self._sealed(state)
                yield format_sse_event(event=name, data_str=to_json(data).decode(), id=token)
        yield format_sse_event(retry=RETRY_MS, comment="closing")

    def _sealed(self, state: bytes) -> str:
        """The state as a token. It is sealed once, not for every event: most events are pings."""
        if self._state != state:
            self._state, self._token = state, _sealed(self._service, self._mailbox, _ALL, state)
        return self._token


async def _long_poll(
    service: Service, mailbox: Backend, wait: float, look: Callable[[], Awaitable[T]], is_news: Callable[[T], bool]
) -> T:
    """The result of ``look``, as soon as ``is_news`` is true of it, or after ``wait`` seconds."""
    if not wait:
        return await look()
    loop = asyncio.get_running_loop()
    end = loop.time() + wait
    has_push = Capability.PUSH in mailbox.capabilities
    async with mailbox.watch() if has_push else _unwatched() as watch:
        with service.streams.opened(watch):
            while True:
                result = await look()
                left = end - loop.time()
                if is_news(result) or left <= 0 or service.streams.is_closing:
                    return result
                await watch.wait(left if has_push else min(left, LOOK_SECONDS))


@asynccontextmanager
async def _unwatched() -> AsyncIterator[Watch]:
    """A watch for a mailbox without push, which is polled."""
    yield PollingWatch()


def _is_news(changes: Changes) -> bool:
    return bool(changes.changes) or changes.has_more


def _sealed(service: Service, mailbox: Backend, scope: str, mark: bytes) -> str:
    return service.sessions.seal_sync_token(mailbox.account, scope, mark)


async def _folder_ids(mailbox: Backend, names: frozenset[str]) -> frozenset[str]:
    ids = {name: folder.id for folder in await mailbox.list_folders() for name in (folder.id, folder.role) if name}
    if missing := names - ids.keys():
        raise InvalidRequest(f"folders: {min(missing)[:200]} does not exist.", location="query.folders")
    return frozenset(ids[name] for name in names)
