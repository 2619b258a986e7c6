"""What changed since a token, asked for or told as it happens."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Header, Query, Request
from fastapi.sse import format_sse_event
from pydantic import Field
from pydantic_core import to_json
from starlette.responses import StreamingResponse

from service.api.deps import Mailbox, Service, require_live, service_of, session_of
from service.api.parameters import FolderId
from service.api.problems import SIGNED_IN, problem_responses
from service.mail.backend import Backend
from service.mail.changes import AccountChanges, Changes, FolderChanges, Watch
from service.mail.errors import InvalidRequest, StaleToken, Unauthenticated, UpstreamFailure
from service.mail.model import Capability, Value

router = APIRouter(
    prefix="/v1/accounts/{account}",
    tags=["changes"],
    responses=problem_responses(*SIGNED_IN, "stale-token", "not-supported"),
)
T = TypeVar("T")
MAX_TOKEN = 16 << 10
_FOLDER, _ALL = "folder", "account"
"""What a token is of."""
PING_SECONDS = 15.0
LOOK_SECONDS = 5.0
"""How often a held request looks into a mailbox without push."""
RETRY_MS = 1000
"""When a client comes back whose stream the service has closed."""
Since = Annotated[
    str | None,
    Query(max_length=MAX_TOKEN, description="A token from here; without it the answer is the token of now."),
]
Wait = Annotated[
    float, Query(ge=0, le=60, description="Seconds to hold the request until something changes; 0 answers at once.")
]


class ChangesPage(Value):
    """What happened to the messages of one folder."""

    created: tuple[str, ...] = Field((), description="Ids of messages that are there now and were not before.")
    updated: tuple[str, ...] = Field((), description="Ids of messages whose flags may have changed.")
    destroyed: tuple[str, ...] = Field((), description="Ids of messages that are gone.")
    token: str = Field(description="From here it goes on: the next `since`.")
    has_more: bool = Field(False, description="True where the same request with `token` has more at once.")


class AccountChangesPage(Value):
    """What happened in all folders."""

    folders: tuple[FolderChanges, ...] = Field((), description="Those in which something happened.")
    created_folders: tuple[str, ...] = Field(
        (), description="Ids of folders that are new; their messages are not told."
    )
    destroyed_folders: tuple[str, ...] = Field(
        (), description="Ids of folders that are gone with all that was in them."
    )
    token: str = Field(description="From here it goes on: the next `since`.")
    has_more: bool = Field(False, description="True where the same request with `token` has more at once.")


@router.get("/folders/{folder}/changes", response_model_exclude_none=True)
async def list_changes(
    request: Request, mailbox: Mailbox, folder: FolderId, since: Since = None, wait: Wait = 0
) -> ChangesPage:
    """What was created, updated and destroyed in the folder since `since`.

    410 `stale-token` where that cannot be told: list the folder again, and go on from a new token. Take the token
    before you list, and nothing is missed.
    """
    service = service_of(request)
    if since is None:
        return ChangesPage(token=_sealed(service, mailbox, _FOLDER, await mailbox.get_mark(folder)))
    mark = service.sessions.open_sync_token(mailbox.account, _FOLDER, since)
    found = await _held(service, mailbox, wait, lambda: mailbox.list_changes(folder, mark), _is_news)
    await require_live(request, session_of(request))  # it may have been ended meanwhile
    told = found.told
    return ChangesPage(
        created=told.created,
        updated=told.updated,
        destroyed=told.destroyed,
        token=_sealed(service, mailbox, _FOLDER, found.mark),
        has_more=found.has_more,
    )


@router.get("/changes", response_model_exclude_none=True)
async def list_account_changes(
    request: Request, mailbox: Mailbox, since: Since = None, wait: Wait = 0
) -> AccountChangesPage:
    """What happened in all folders since `since`, and which folders came and went.

    Renaming a folder destroys it and creates another. A folder with `resync` has to be listed again.
    """
    service = service_of(request)
    if since is None:
        return AccountChangesPage(token=_sealed(service, mailbox, _ALL, await mailbox.get_mark(None)))
    mark = service.sessions.open_sync_token(mailbox.account, _ALL, since)
    found = await _held(service, mailbox, wait, lambda: mailbox.list_all_changes(mark), bool)
    await require_live(request, session_of(request))  # it may have been ended meanwhile
    return AccountChangesPage(
        folders=tuple(found.folders),
        created_folders=tuple(found.created_folders),
        destroyed_folders=tuple(found.destroyed_folders),
        token=_sealed(service, mailbox, _ALL, found.mark),
        has_more=found.has_more,
    )


_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events for as long as both sides stay",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.get("/events", response_class=StreamingResponse, responses=_STREAM)
async def watch_account(
    request: Request,
    mailbox: Mailbox,
    folders: Annotated[
        str | None, Query(max_length=MAX_TOKEN, description="Ids or roles, separated by commas; without it, all.")
    ] = None,
    since: Since = None,
    last_event_id: Annotated[
        str | None,
        Header(max_length=MAX_TOKEN, description="The id of the last event heard: what came after it is told."),
    ] = None,
) -> StreamingResponse:
    """Changes as they happen, as server-sent events.

    `change` has folderId, created, updated and destroyed; `folders` has created and destroyed; `resync` has folderId,
    or nothing where all has to be listed again; `ping` comes every 15 seconds. The id of each is the account's token:
    who comes back with `Last-Event-ID`, or `since`, to this replica or another, is told exactly what was missed.
    """
    service = service_of(request)
    if Capability.PUSH not in mailbox.capabilities:
        raise mailbox.lacks(Capability.PUSH)
    names = frozenset(name.strip() for name in folders.split(",") if name.strip()) if folders is not None else None
    wanted = None if names is None else await _folder_ids(mailbox, names)
    await mailbox.check()
    stream = _Stream(service, mailbox, wanted, partial(require_live, request, session_of(request)))
    await stream.begin(last_event_id or since)
    return StreamingResponse(stream.events(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


class _Stream:
    """What one listener is told."""

    def __init__(
        self,
        service: Service,
        mailbox: Backend,
        wanted: frozenset[str] | None,
        require_live: Callable[[], Awaitable[None]],
    ) -> None:
        self._service = service
        self._require_live = require_live
        self._mailbox = mailbox
        self._wanted = wanted
        self._mark = b""
        self._sealed_mark, self._sealed = b"", ""
        self._greeting = "ping"

    async def begin(self, token: str | None) -> None:
        """From the token on; from now on where there is none, or where it is no longer understood."""
        if token:
            try:
                self._mark = self._service.sessions.open_sync_token(self._mailbox.account, _ALL, token)
                return
            except StaleToken:
                self._greeting = "resync"
        self._mark = await self._mailbox.get_mark(None)

    async def events(self) -> AsyncIterator[bytes]:
        """Closed by either side. The first is there at once: it says that somebody listens, and from where on."""
        streams = self._service.streams
        async with self._mailbox.watch() as watch:
            with streams.opened(watch):
                yield self._event(self._greeting, {})
                is_woken = True
                while not streams.is_closing and await self._is_live():
                    if is_woken:
                        async for event in self._news():
                            yield event
                    else:
                        yield self._event("ping", self._health())
                    is_woken = await watch.wait(PING_SECONDS)
                yield format_sse_event(retry=RETRY_MS, comment="going away")

    async def _is_live(self) -> bool:
        """Whether the listener may be told more: its session may have been ended since it began to listen."""
        try:
            await self._require_live()
        except Unauthenticated:
            return False
        return True

    async def _news(self) -> AsyncIterator[bytes]:
        """What a mail server that cannot be reached would tell comes when it can: the watch wakes then."""
        has_more = True
        while has_more:
            try:
                found = await self._mailbox.list_all_changes(self._mark)
            except StaleToken:
                self._mark = await self._mailbox.get_mark(None)
                yield self._event("resync", {})
                return
            except UpstreamFailure:
                return
            self._mark, has_more = found.mark, found.has_more
            for event in self._told(found):
                yield event

    def _told(self, found: AccountChanges) -> list[bytes]:
        """The last of them carries the token: who is cut off before it is told all of them again."""
        told: list[tuple[str, dict[str, Any]]] = [
            ("resync" if one.resync else "change", one.model_dump(by_alias=True, exclude={"resync"}))
            for one in found.folders
            if self._wanted is None or one.folder_id in self._wanted
        ]
        if self._wanted is None and (found.created_folders or found.destroyed_folders):
            told.append(("folders", {"created": found.created_folders, "destroyed": found.destroyed_folders}))
        return [self._event(name, data, is_last=at == len(told)) for at, (name, data) in enumerate(told, 1)]

    def _health(self) -> dict[str, Any]:
        """Nobody is told that all is well by a watch that is not."""
        health = self._mailbox.watch_health()
        return {"way": health.way} if health else {}

    def _event(self, name: str, data: dict[str, Any], *, is_last: bool = True) -> bytes:
        token = self._token if is_last else None
        return format_sse_event(event=name, data_str=to_json(data).decode(), id=token)

    @property
    def _token(self) -> str:
        """Sealed once for each mark: most of what is sent are pings."""
        if self._sealed_mark != self._mark:
            self._sealed_mark, self._sealed = self._mark, _sealed(self._service, self._mailbox, _ALL, self._mark)
        return self._sealed


async def _held(
    service: Service, mailbox: Backend, wait: float, look: Callable[[], Awaitable[T]], is_news: Callable[[T], bool]
) -> T:
    """What ``look`` finds, at once or as soon as that is news; after ``wait`` seconds whatever it is."""
    if not wait:
        return await look()
    loop = asyncio.get_running_loop()
    end = loop.time() + wait
    is_told = Capability.PUSH in mailbox.capabilities
    async with mailbox.watch() if is_told else _unwatched() as watch:
        with service.streams.opened(watch):
            while True:
                found = await look()
                left = end - loop.time()
                if is_news(found) or left <= 0 or service.streams.is_closing:
                    return found
                await watch.wait(left if is_told else min(left, LOOK_SECONDS))


@asynccontextmanager
async def _unwatched() -> AsyncIterator[Watch]:
    """Of a mailbox that tells nothing by itself, which is looked at now and then."""
    yield Patience()


class Patience:
    """A watch that hears only who wakes it."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()

    async def wait(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        return self._woken.is_set()

    def wake(self) -> None:
        self._woken.set()


def _is_news(found: Changes) -> bool:
    return bool(found.told) or found.has_more


def _sealed(service: Service, mailbox: Backend, place: str, mark: bytes) -> str:
    return service.sessions.seal_sync_token(mailbox.account, place, mark)


async def _folder_ids(mailbox: Backend, names: frozenset[str]) -> frozenset[str]:
    found = {name: folder.id for folder in await mailbox.list_folders() for name in (folder.id, folder.role) if name}
    if missing := names - found.keys():
        raise InvalidRequest(f"There is no folder {min(missing)[:200]}.")
    return frozenset(found[name] for name in names)
