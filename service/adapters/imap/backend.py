"""The port on IMAP: which folder a call concerns, and what may be done again where a connection was lost."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint
from service.adapters.imap.folders import acl as sharing
from service.adapters.imap.folders.tree import Folders
from service.adapters.imap.ids import Ids, Place
from service.adapters.imap.lists import page as listing
from service.adapters.imap.lists.merged import Search
from service.adapters.imap.messages.cache import Rows
from service.adapters.imap.messages.content import Content
from service.adapters.imap.messages.folder_rows import FolderRows
from service.adapters.imap.search.evaluation import FOLDERS
from service.adapters.imap.session.capabilities import capabilities_of
from service.adapters.imap.session.connection import Connection, state_of
from service.adapters.imap.session.pool import Lane, Pool
from service.adapters.imap.session.single_flight import Joint
from service.adapters.imap.sync.changes import History
from service.adapters.imap.sync.deltas import numbers_of
from service.adapters.imap.sync.watch import Watching
from service.adapters.imap.wire.framing import Limits
from service.adapters.imap.wire.protocol import Timing
from service.adapters.imap.wire.status import lost
from service.adapters.imap.writes import store as storing
from service.adapters.imap.writes.batch import Writing
from service.adapters.shared.connection_limit import Host
from service.mail.backend import Backend
from service.mail.changes import AccountChanges, Changes, Watch, WatchHealth
from service.mail.errors import Changed, NotFound, StaleId, UpstreamTimeout, UpstreamUnavailable
from service.mail.json_rows import JsonRows
from service.mail.model import (
    Capability,
    Download,
    Flags,
    Folder,
    Grant,
    Header,
    HtmlForm,
    Message,
    Outcome,
    Page,
    Protocol,
    Quota,
    Source,
    Span,
)
from service.mail.search.filter import Condition, Filter, ListQuery, Operator, conditions

T = TypeVar("T")


class ImapBackend(Backend):
    """One mailbox by IMAP. No connection is opened before the first call. ``rows`` may be shared by all mailboxes of a
    process; ``avoid`` are capabilities not to be used, whatever the server says."""

    protocol = Protocol.IMAP
    lacking = "This IMAP server offers no {}."

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: Credentials,
        account: str | None = None,
        *,
        connections: int = 4,
        timing: Timing | None = None,
        limits: Limits | None = None,
        rows: Rows | None = None,
        host: Host | None = None,
        avoid: Iterable[str] = (),
    ) -> None:
        self.account = account or credentials.account
        self.capabilities: frozenset[Capability] = capabilities_of(frozenset())
        self.offered: frozenset[str] = frozenset()
        """What the server said it can do, in its own words, at the login before."""
        self._ids = Ids(self.account)
        self._rows = rows or Rows()
        untrue = set(avoid)

        async def open_connection() -> Connection:
            connection = await Connection.open(endpoint, credentials, timing, limits, untrue)
            self.offered = connection.capabilities
            self.capabilities = capabilities_of(self.offered)
            return connection

        self._pool = Pool(open_connection, connections, (timing or Timing()).patience, host)
        self._joint = Joint()
        self._folders = Folders(self._ids, self._anywhere, self._once, self._pool.forget)
        self._content = Content(self._ids, self._at, self._octets_at, self._rows_on)
        self._writing = Writing(self._ids, self._pool)
        self._watching = Watching(self._pool)
        self._history = History(self._ids, self._folders, self._anywhere, self._in)

    async def check(self) -> None:
        async with self._pool.connection():
            pass

    async def aclose(self) -> None:
        await self._watching.aclose()
        await self._pool.aclose()

    async def list_folders(self) -> tuple[Folder, ...]:
        return await self._folders.list()

    async def create_folder(self, name: str, parent: str | None = None) -> Folder:
        return await self._folders.create(name, parent)

    async def change_folder(
        self, folder: str, *, name: str | None = None, parent: str | None = None, is_subscribed: bool | None = None
    ) -> Folder:
        return await self._folders.change(folder, name=name, parent=parent, is_subscribed=is_subscribed)

    async def delete_folder(self, folder: str) -> None:
        await self._folders.delete(folder)

    async def list_grants(self, folder: str) -> tuple[Grant, ...]:
        return await sharing.list_grants(self._folders, folder)

    async def set_grant(self, folder: str, identifier: str, rights: str) -> Grant:
        return await sharing.set_grant(self._folders, folder, identifier, rights)

    async def delete_grant(self, folder: str, identifier: str) -> None:
        await sharing.delete_grant(self._folders, folder, identifier)

    async def list_quotas(self) -> tuple[Quota, ...]:
        return await sharing.list_quotas(self._folders)

    async def list_messages(self, folder: str, query: ListQuery) -> Page:
        name = await self._folders.name(folder)
        query = await self._with_ids(query)

        async def work(rows: FolderRows) -> Page:
            return await listing.list_page(rows, self._ids, query)

        if not self._pool.is_busy:
            return await self._rows_of(name, work)
        return await self._joint.run((name, query), lambda begin: self._rows_of(name, _begun(begin, work)))

    async def _with_ids(self, query: ListQuery) -> ListQuery:
        """Roles in its conditions replaced by the folders that play them; a role nobody plays stays, and holds
        nowhere."""
        if query.filter is None or not any(one.criterion in FOLDERS for one in conditions(query.filter)):
            return query
        roles = {folder.role: folder.id for folder in await self._folders.list() if folder.role}
        return replace(query, filter=_with_ids(query.filter, roles))

    async def get_state(self, folder: str) -> str | None:
        name = await self._folders.name(folder)
        return await self._anywhere(lambda connection: _state(connection, name))

    async def get_mark(self, folder: str | None) -> bytes:
        if folder is None:
            return await self._history.account_mark()
        return await self._history.mark(await self._folders.name(folder))

    async def list_changes(self, folder: str, since: bytes) -> Changes:
        return await self._history.changes(await self._folders.name(folder), since)

    async def list_all_changes(self, since: bytes) -> AccountChanges:
        return await self._history.account_changes(since)

    def watch_health(self) -> WatchHealth | None:
        return self._watching.told()

    def watch(self) -> AbstractAsyncContextManager[Watch]:
        return self._watching.listen()

    async def search_messages(self, folders: Sequence[str] | None, query: ListQuery) -> Page:
        query = await self._with_ids(query)
        return await Search(self._ids, self._bulk_rows_of, await self._searched(folders), query).page()

    async def _searched(self, folders: Sequence[str] | None) -> Sequence[bytes]:
        """The folders' names on the wire."""
        listed = await self._folders.list()
        if folders is None:
            wanted = [folder for folder in listed if folder.is_selectable and folder.total_messages != 0]
        else:
            by_name = {name: folder for folder in listed for name in (folder.id, folder.role) if name}
            if missing := [folder for folder in folders if folder not in by_name]:
                raise NotFound("folder", f"There is no folder {missing[0][:200]}.")
            wanted = [by_name[folder] for folder in folders]
        return [self._ids.folder_name(folder.id) for folder in wanted]

    async def get_messages(self, messages: Sequence[str]) -> JsonRows:
        groups, _ = self._writing.group(messages)
        found: dict[str, bytes] = {}
        for group in groups:

            async def read(rows: FolderRows, uids: Sequence[int] = list(group.ids)) -> dict[int, bytes]:
                await rows.connection.catch_up(uids)
                return await rows.summaries(uids)

            try:
                rows = await self._rows_of(group.folder, read, group.uid_validity)
            except (NotFound, StaleId):
                continue
            found |= {group.ids[uid]: summary for uid, summary in rows.items()}
        return JsonRows(found[message] for message in dict.fromkeys(messages) if message in found)

    async def get_message(self, message: str, html: HtmlForm = HtmlForm.SAFE) -> Message:
        place = self._ids.place(message)
        if not self._pool.is_busy:
            return await self._content.message(place, html)
        return await self._joint.run((place, html), lambda begin: self._content.message(place, html, begin))

    async def list_headers(self, message: str, names: Sequence[str] = ()) -> tuple[Header, ...]:
        return await self._content.headers(self._ids.place(message), names)

    async def open_part(self, message: str, part: str, *, encoded: bool = False, span: Span | None = None) -> Download:
        return await self._content.part(self._ids.place(message), part, encoded=encoded, span=span)

    async def open_source(self, message: str, *, span: Span | None = None) -> Download:
        return await self._content.source(self._ids.place(message), span)

    async def get_flags(self, message: str) -> Flags:
        place = self._ids.place(message)
        return await self._at(place, lambda connection: storing.get_flags(connection, place.uid))

    async def set_flags(self, message: str, flags: Sequence[str], *, version: str | None = None) -> Flags:
        place = self._ids.place(message)
        wanted = frozenset(flag.lower() for flag in flags)
        return await self._stored(
            place,
            lambda connection: storing.set_flags(connection, place.uid, flags, version),
            lambda found: found == wanted,
        )

    async def change_flags(
        self, message: str, add: Sequence[str], remove: Sequence[str], *, version: str | None = None
    ) -> Flags:
        place = self._ids.place(message)
        added, removed = ({flag.lower() for flag in flags} for flags in (add, remove))
        return await self._stored(
            place,
            lambda connection: storing.change_flags(connection, place.uid, add, remove, version),
            lambda found: added - removed <= found and not removed & found,
        )

    async def _stored(
        self, place: Place, store: Callable[[Connection], Awaitable[Flags]], is_done: Callable[[frozenset[str]], bool]
    ) -> Flags:
        """A change of flags is the same done twice. Under a version it is not: a second try that finds the message
        changed looks whether that was the first."""
        tries = 0

        async def work(connection: Connection) -> Flags:
            nonlocal tries
            tries += 1
            try:
                return await store(connection)
            except Changed:
                if tries > 1 and is_done(frozenset((now := await storing.get_flags(connection, place.uid)).flags)):
                    return now
                raise

        return await self._at(place, work)

    async def change_many(
        self, messages: Sequence[str], add: Sequence[str], remove: Sequence[str]
    ) -> tuple[Outcome, ...]:
        return await self._writing.change(messages, add, remove)

    async def append_message(
        self, folder: str, source: Source, flags: Sequence[str] = (), received_at: datetime | None = None
    ) -> str | None:
        return await self._writing.append(await self._folders.name(folder), source, flags, received_at)

    async def append_once(
        self, folder: str, source: Source, flags: Sequence[str] = (), received_at: datetime | None = None
    ) -> str | None:
        return await self._writing.append_once(await self._folders.name(folder), source, flags, received_at)

    async def copy_messages(self, messages: Sequence[str], folder: str) -> tuple[Outcome, ...]:
        return await self._writing.copy(messages, await self._folders.name(folder))

    async def move_messages(self, messages: Sequence[str], folder: str) -> tuple[Outcome, ...]:
        return await self._writing.move(messages, await self._folders.name(folder))

    async def delete_messages(self, messages: Sequence[str]) -> tuple[Outcome, ...]:
        return await self._writing.delete(messages)

    async def empty_folder(self, folder: str) -> int:
        return await self._writing.empty(await self._folders.name(folder))

    async def _octets_at(self, place: Place, work: Callable[[Connection], Awaitable[T]]) -> T:
        """As ``_at``, for what takes its time."""
        return await self._at(place, work, Lane.BULK)

    async def _at(self, place: Place, work: Callable[[Connection], Awaitable[T]], lane: Lane = Lane.INTERACTIVE) -> T:
        """Work where a message is; StaleId where its folder was renumbered since."""

        async def checked(connection: Connection) -> T:
            refuse_stale(connection, place.uid_validity)
            await connection.catch_up([place.uid])
            return await work(connection)

        try:
            return await self._in(place.folder, checked, lane)
        except NotFound as error:
            raise (NotFound("message") if error.what == "folder" else error) from None

    async def _bulk_rows_of(self, folder: bytes, work: Callable[[FolderRows], Awaitable[T]]) -> T:
        """As ``_rows_of``, for what takes its time."""
        return await self._rows_of(folder, work, lane=Lane.BULK)

    async def _rows_of(
        self,
        folder: bytes,
        work: Callable[[FolderRows], Awaitable[T]],
        uid_validity: int | None = None,
        lane: Lane = Lane.INTERACTIVE,
    ) -> T:
        """Work on the rows of a folder."""

        async def with_rows(connection: Connection) -> T:
            if uid_validity is not None:
                refuse_stale(connection, uid_validity)
            return await work(self._rows_on(connection))

        return await self._in(folder, with_rows, lane)

    def _rows_on(self, connection: Connection) -> FolderRows:
        return FolderRows(self._rows, self._ids, connection)

    async def _in(self, folder: bytes, work: Callable[[Connection], Awaitable[T]], lane: Lane = Lane.INTERACTIVE) -> T:
        """Work that may be done twice: a connection that died unnoticed is replaced."""
        return await self._again(lambda: self._pool.selected(folder, lane), work)

    async def _again(
        self,
        taken: Callable[[], AbstractAsyncContextManager[Connection]],
        work: Callable[[Connection], Awaitable[T]],
    ) -> T:
        """Each idle connection may have died unnoticed, Dovecot's for one where their folder was renamed; where there
        is none, a new one is tried twice."""
        for _ in range(max(1, self._pool.idle)):
            with suppress(UpstreamUnavailable):
                async with taken() as connection:
                    return await work(connection)
        async with taken() as connection:
            return await work(connection)

    async def _once(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Work that needs no folder and must not be done twice."""
        try:
            async with self._pool.connection() as connection:
                return await work(connection)
        except (UpstreamUnavailable, UpstreamTimeout) as error:
            raise lost(error, "List the folders to see.") from None

    async def _anywhere(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """As ``_in``, for work that needs no folder."""
        return await self._again(self._pool.connection, work)


def _begun(
    begin: Callable[[], None], work: Callable[[FolderRows], Awaitable[T]]
) -> Callable[[FolderRows], Awaitable[T]]:
    """The work, which says when it begins."""

    async def begun(rows: FolderRows) -> T:
        begin()
        return await work(rows)

    return begun


def _with_ids(tree: Filter, roles: Mapping[str, str]) -> Filter:
    if isinstance(tree, Operator):
        return Operator(tree.logic, tuple(_with_ids(one, roles) for one in tree.conditions))
    if tree.criterion not in FOLDERS:
        return tree
    names = tree.value if isinstance(tree.value, tuple) else (str(tree.value),)
    return Condition(tree.criterion, tuple(roles.get(name, name) for name in names))


async def _state(connection: Connection, name: bytes) -> str | None:
    if "CONDSTORE" not in connection.capabilities and "QRESYNC" not in connection.capabilities:
        return None
    return state_of(await numbers_of(connection, name))


def refuse_stale(connection: Connection, uid_validity: int) -> None:
    """StaleId where the selected folder was renumbered since an id was given."""
    if connection.selected is None or connection.selected.uid_validity != uid_validity:
        raise StaleId
