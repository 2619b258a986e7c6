"""A mailbox by IMAP: turns names and ids into folders and UIDs, and calls the operations of the packages below."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from datetime import datetime

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint
from service.adapters.imap.folders.acl import Sharing
from service.adapters.imap.folders.permanent import PermanentFolders
from service.adapters.imap.folders.tree import Folders
from service.adapters.imap.ids import Ids
from service.adapters.imap.lists.correspondents import Correspondents
from service.adapters.imap.lists.email_ids import GUID, EmailIds
from service.adapters.imap.lists.inventory import Inventory
from service.adapters.imap.lists.merged import AT_ONCE, MergedSearch
from service.adapters.imap.lists.page import Pages
from service.adapters.imap.messages.cache import MessageCache
from service.adapters.imap.messages.content import Content
from service.adapters.imap.messages.items import GMAIL
from service.adapters.imap.search.evaluation import FOLDERS
from service.adapters.imap.search.thread import thread_filter
from service.adapters.imap.session.access import Access
from service.adapters.imap.session.capabilities import capabilities_of
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.pool import Pool
from service.adapters.imap.session.single_flight import SingleFlight
from service.adapters.imap.settings.delivery_note import DeliveryNote
from service.adapters.imap.settings.metadata import Metadata
from service.adapters.imap.settings.store import SettingsStore
from service.adapters.imap.sync.changes import ChangeLog
from service.adapters.imap.sync.news_record import NewsRecord
from service.adapters.imap.sync.watch import Watcher
from service.adapters.imap.wire.arguments import is_flag
from service.adapters.imap.wire.commands import AnswerTimes, Timing
from service.adapters.imap.wire.octets.framing import Limits
from service.adapters.imap.wire.values.flags import to_wire
from service.adapters.imap.writes.assembling import Section
from service.adapters.imap.writes.batch import Writes
from service.adapters.imap.writes.store import FlagChange, FlagStore
from service.adapters.shared.connection_limit import ConnectionLimit
from service.adapters.shared.sign_in.attempts import signed_in
from service.mail.backend import Backend
from service.mail.changes import AccountChanges, Changes, Watch, WatchHealth
from service.mail.errors import NotFound, NotPermitted, StaleId, UpstreamError
from service.mail.exchange import Correspondence, Download, FoundMessages, Outcome, PartRef, Source, Span
from service.mail.ids import read_thread_id
from service.mail.inventory import Appended, Item, NewMessage
from service.mail.json_rows import JsonRows
from service.mail.model import Capability, Flags, Folder, Grant, Header, HtmlMode, Message, Page, Protocol, Quota
from service.mail.search.filter import Condition, Filter, ListQuery, Operator, conditions


class ImapBackend(Backend):
    """One mailbox by IMAP. No connection is opened before the first call.

    All mailboxes of a process may share ``cache``. Capabilities in ``avoid`` are never used, even if the server
    announces them.
    """

    protocol = Protocol.IMAP
    not_supported_text = "This IMAP server offers no {}."

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: Credentials,
        account: str | None = None,
        *,
        connections: int = 4,
        timing: Timing | None = None,
        limits: Limits | None = None,
        cache: MessageCache | None = None,
        host: ConnectionLimit | None = None,
        news: NewsRecord | None = None,
        avoid: Iterable[str] = (),
    ) -> None:
        self.account = account or credentials.account
        self.capabilities: frozenset[Capability] = capabilities_of(frozenset())
        self.offered: frozenset[str] = frozenset()
        """The server's own capabilities, as of the last login."""
        cache = cache or MessageCache()
        broken_capabilities, times = set(avoid), AnswerTimes()

        def log_in(own: Credentials) -> Awaitable[Connection]:
            return Connection.open(endpoint, own, timing, limits, broken_capabilities, times)

        async def open_connection() -> Connection:
            connection = await signed_in(credentials, log_in)
            self.offered = connection.capabilities
            self.capabilities = capabilities_of(self.offered)
            return connection

        self._broken_capabilities = broken_capabilities
        self._pool = Pool(open_connection, connections, (timing or Timing()).patience, host, times)
        self._ids = Ids(self.account)
        self._single_flight = SingleFlight()
        self._access = access = Access(self._pool, self._ids)
        self._cache = cache
        self._folders = Folders(access)
        self._permanent_folders = PermanentFolders(access, self._ids)
        self._sharing = Sharing(access, self._folders)
        self._pages = Pages(access, cache)
        self._correspondents = Correspondents(access, cache)
        self._content = Content(access, cache)
        self._email_ids = EmailIds(access)
        self._inventory = Inventory(access)
        self._flags = FlagStore(access)
        self._writes = Writes(access)
        self._watcher = Watcher(self._pool, news)
        self._change_log = ChangeLog(access)
        metadata = Metadata(access)
        self._settings = SettingsStore(access, self._folders, metadata)
        self._delivery_note = DeliveryNote(metadata)

    async def check(self) -> None:
        async with self._access.anywhere():
            pass

    async def aclose(self) -> None:
        await self._watcher.aclose()
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
        return await self._sharing.list_grants(folder)

    async def set_grant(self, folder: str, identifier: str, rights: str) -> Grant:
        return await self._sharing.set_grant(folder, identifier, rights)

    async def delete_grant(self, folder: str, identifier: str) -> None:
        await self._sharing.delete_grant(folder, identifier)

    async def list_quotas(self) -> tuple[Quota, ...]:
        return await self._sharing.list_quotas()

    async def list_messages(self, folder: str, query: ListQuery) -> Page:
        name = await self._folders.selectable_name(folder)
        query = await self._replace_roles(query)
        if not self._pool.is_busy:
            return await self._pages.read(name, query)
        return await self._single_flight.run((name, query), lambda begin: self._pages.read(name, query, begin))

    async def _replace_roles(self, query: ListQuery) -> ListQuery:
        """The query with the ids of folders in place of roles. A role that no folder has stays, and matches nothing."""
        if query.filter is None or not any(each.criterion in FOLDERS for each in conditions(query.filter)):
            return query
        roles = {folder.role: folder.id for folder in await self._folders.list() if folder.role}
        return replace(query, filter=_replace_roles(query.filter, roles))

    async def get_state(self, folder: str) -> str | None:
        return await self._pages.state(await self._folders.selectable_name(folder))

    async def get_sync_token(self, folder: str | None) -> bytes:
        if folder is None:
            return await self._change_log.account_token()
        return await self._change_log.folder_token(await self._folders.selectable_name(folder))

    def is_shown_at(self, token: bytes, folder: str, page: Page) -> bool:
        return self._change_log.is_state(token, self._ids.folder_name(folder), page.state)

    async def list_changes(self, folder: str, since: bytes) -> Changes:
        return await self._change_log.folder_changes(await self._folders.selectable_name(folder), since)

    async def list_all_changes(self, since: bytes) -> AccountChanges:
        """All listeners that the same news woke are at the same token: it is read once for them."""
        return await self._single_flight.run(("changes", since), lambda begin: self._changes_once(since, begin))

    async def _changes_once(self, since: bytes, begin: Callable[[], None]) -> AccountChanges:
        await asyncio.sleep(0)  # the others are woken in this turn of the loop
        begin()
        return await self._change_log.account_changes(since)

    def watch_health(self) -> WatchHealth | None:
        return self._watcher.report()

    def watch(self) -> AbstractAsyncContextManager[Watch]:
        return self._watcher.listen()

    async def search_messages(self, folders: Sequence[str] | None, query: ListQuery) -> Page:
        query = await self._replace_roles(query)
        names = await self._searched(folders)
        return await MergedSearch(self._access, self._cache, names, query).page()

    async def _searched(self, folders: Sequence[str] | None) -> Sequence[bytes]:
        """The folders' names on the wire, those last that show messages of others. A folder that cannot be selected
        has no messages."""
        listed = await self._folders.list()
        if folders is None:
            searched = [folder for folder in listed if folder.is_selectable and folder.total_messages != 0]
        else:
            by_name = {name: folder for folder in listed for name in (folder.id, folder.role) if name}
            if missing := [folder for folder in folders if folder not in by_name]:
                raise NotFound("folder", f"There is no folder {missing[0][:200]}.")
            searched = [by_name[folder] for folder in folders if by_name[folder].is_selectable]
        names = dict.fromkeys(self._ids.folder_name(folder.id) for folder in searched)
        return sorted(names, key=self._folders.rank)

    async def list_correspondents(
        self, folder: str, query: ListQuery, *, recipients: bool = False
    ) -> Sequence[Correspondence]:
        name = await self._folders.selectable_name(folder)
        return await self._correspondents.read(name, query, recipients)

    async def find_messages(self, folder: str, tree: Filter | None, limit: int) -> FoundMessages:
        name = await self._folders.selectable_name(folder)
        return await self._pages.find(name, (await self._replace_roles(ListQuery(filter=tree))).filter, limit)

    async def list_thread(self, thread: str) -> Page:
        await self.check()
        return await self.search_thread(thread, thread_filter(self.offered, read_thread_id(thread)))

    async def get_messages(
        self, messages: Sequence[str], *, with_preview: bool = False, with_thread: bool = False
    ) -> JsonRows:
        query = ListQuery(with_preview=with_preview, with_thread=with_thread)
        groups, _ = self._writes.group(messages)
        summaries: dict[str, bytes] = {}
        for group in groups:
            try:
                rows = await self._pages.rows(group.folder, group.uid_validity, list(group.ids), query)
            except (NotFound, StaleId):
                continue
            summaries |= {group.ids[uid]: row for uid, row in rows.items()}
        return JsonRows(summaries[message] for message in dict.fromkeys(messages) if message in summaries)

    async def get_folder_ids(self) -> dict[str, str]:
        return await self._permanent_folders.read()

    @property
    def has_email_ids(self) -> bool:
        return GUID not in self._broken_capabilities or not self.offered.isdisjoint({"OBJECTID", GMAIL})

    async def get_email_ids(self, messages: Sequence[str]) -> dict[str, str]:
        groups, _ = self._writes.group(messages)
        found: dict[str, str] = {}
        for group in groups:
            with suppress(NotFound, StaleId):
                names = await self._email_ids.read(group.folder, group.uid_validity, list(group.ids))
                found |= {group.ids[uid]: name for uid, name in names.items()}
        return found

    async def find_emails(self, email_ids: Sequence[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        if not any(map(self._ids.email_name, email_ids)):
            return found
        turn = asyncio.Semaphore(AT_ONCE)

        async def find(folder: bytes) -> dict[str, list[str]]:
            async with turn:
                with suppress(NotFound, NotPermitted, UpstreamError):
                    return await self._email_ids.find(folder, email_ids)
                return {}

        for each in await asyncio.gather(*map(find, await self._searched(None))):
            for email, messages in each.items():
                found.setdefault(email, []).extend(messages)
        return found

    async def get_message(self, message: str, html: HtmlMode = HtmlMode.SAFE) -> Message:
        ref = self._ids.message_ref(message)
        if not self._pool.is_busy:
            return await self._content.message(ref, html)
        return await self._single_flight.run((ref, html), lambda begin: self._content.message(ref, html, begin))

    async def list_headers(self, message: str, names: Sequence[str] = ()) -> tuple[Header, ...]:
        return await self._content.headers(self._ids.message_ref(message), names)

    async def open_part(self, message: str, part: str, *, encoded: bool = False, span: Span | None = None) -> Download:
        return await self._content.part(self._ids.message_ref(message), part, encoded=encoded, span=span)

    async def open_source(self, message: str, *, span: Span | None = None) -> Download:
        return await self._content.source(self._ids.message_ref(message), span)

    async def get_flags(self, message: str) -> Flags:
        return await self._flags.get(self._ids.message_ref(message))

    async def set_flags(self, message: str, flags: Sequence[str], *, version: str | None = None) -> Flags:
        return await self._flags.apply(self._ids.message_ref(message), FlagChange(replace=flags, version=version))

    async def change_flags(
        self, message: str, add: Sequence[str], remove: Sequence[str], *, version: str | None = None
    ) -> Flags:
        change = FlagChange(add=add, remove=remove, version=version)
        return await self._flags.apply(self._ids.message_ref(message), change)

    async def change_many(
        self, messages: Sequence[str], add: Sequence[str], remove: Sequence[str]
    ) -> tuple[Outcome, ...]:
        return await self._writes.change(messages, add, remove)

    async def list_ids(self, folder: str) -> Sequence[str]:
        return await self._inventory.ids(await self._folders.selectable_name(folder))

    async def get_items(self, messages: Sequence[str]) -> Sequence[Item]:
        groups, _ = self._writes.group(messages)
        found: dict[str, Item] = {}
        for group in groups:
            with suppress(NotFound, StaleId):
                found |= await self._inventory.items(group)
        return [found[message] for message in messages if message in found]

    async def read_sources(self, messages: Sequence[str]) -> dict[str, bytes]:
        groups, _ = self._writes.group(messages)
        found: dict[str, bytes] = {}
        for group in groups:
            with suppress(NotFound, StaleId):
                found |= await self._inventory.sources(group)
        return found

    async def kept_flags(self, folder: str, flags: Collection[str]) -> frozenset[str]:
        written = [flag for flag in flags if is_flag(to_wire(flag))]
        name = await self._folders.selectable_name(folder)
        return await self._inventory.kept_flags(name, written, list(map(to_wire, written)))

    async def append_many(self, folder: str, messages: Sequence[NewMessage]) -> Sequence[Appended]:
        appended = await self._writes.append_many(await self._folders.name(folder), messages)
        return await super().append_many(folder, messages) if appended is None else appended

    async def append_message(
        self, folder: str, source: Source, flags: Sequence[str] = (), received_at: datetime | None = None
    ) -> str | None:
        return await self._writes.append(await self._folders.name(folder), source, flags, received_at)

    async def append_assembled(
        self, folder: str, pieces: Sequence[bytes | PartRef], flags: Sequence[str] = ()
    ) -> str | None:
        sections = [piece if isinstance(piece, bytes) else await self._section(piece) for piece in pieces]
        return await self._writes.append_assembled(await self._folders.name(folder), sections, flags)

    async def _section(self, part: PartRef) -> Section:
        ref = self._ids.message_ref(part.message)
        return Section(ref, await self._content.section(ref, part.part, is_base64=part.is_base64))

    async def append_once(
        self, folder: str, source: Source, flags: Sequence[str] = (), received_at: datetime | None = None
    ) -> str | None:
        return await self._writes.append_once(await self._folders.name(folder), source, flags, received_at)

    async def copy_messages(self, messages: Sequence[str], folder: str) -> tuple[Outcome, ...]:
        return await self._writes.copy(messages, await self._folders.name(folder))

    async def move_messages(self, messages: Sequence[str], folder: str, *, once: bool = False) -> tuple[Outcome, ...]:
        return await self._writes.move(messages, await self._folders.name(folder), once=once)

    async def delete_messages(self, messages: Sequence[str]) -> tuple[Outcome, ...]:
        return await self._writes.delete(messages)

    async def get_settings(self) -> bytes | None:
        return await self._settings.read()

    async def set_settings(self, settings: bytes, *, version: str | None = None) -> None:
        await self._settings.write(settings, version)

    async def get_delivery_note(self) -> bytes | None:
        return await self._delivery_note.read()

    async def change_delivery_note(self, change: Callable[[bytes | None], bytes | None]) -> None:
        await self._delivery_note.change(change)

    async def empty_folder(self, folder: str) -> int:
        return await self._writes.empty(await self._folders.selectable_name(folder))


def _replace_roles(tree: Filter, roles: Mapping[str, str]) -> Filter:
    if isinstance(tree, Operator):
        return Operator(tree.logic, tuple(_replace_roles(condition, roles) for condition in tree.conditions))
    if tree.criterion not in FOLDERS:
        return tree
    names = tree.value if isinstance(tree.value, tuple) else (str(tree.value),)
    return Condition(tree.criterion, tuple(roles.get(name, name) for name in names))
