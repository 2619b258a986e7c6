"""The port on files: each call is one function of a mailbox, run whole in one thread after the sign-in."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from anyio import CancelScope

from service.adapters.maildir.disk import content
from service.adapters.maildir.disk.content import PartQuery
from service.adapters.maildir.disk.files import File
from service.adapters.maildir.disk.keywords import flag_names
from service.adapters.maildir.disk.threads import ThreadLane
from service.adapters.maildir.folders.delivery import Delivery
from service.adapters.maildir.mailbox import Mailbox
from service.adapters.maildir.operations import changes, folder_changes, inventory, listing, reads, writes
from service.adapters.maildir.operations import settings as stored_settings
from service.adapters.maildir.sign_in import PasswordChanged, Proof, SignIn
from service.adapters.shared.cache import RowCache
from service.adapters.shared.parsing import parse_message, parse_structure
from service.mail.backend import Backend
from service.mail.changes import AccountChanges, Changes
from service.mail.exchange import Correspondence, Download, FoundMessages, Outcome, Source, Span
from service.mail.inventory import Item
from service.mail.model import Capability, Flags, Folder, Header, HtmlMode, Message, MessageSummary, Page, Protocol
from service.mail.search.filter import Filter, ListQuery, conditions

P = ParamSpec("P")
T = TypeVar("T")
CAPABILITIES = frozenset({
    Capability.FOLDERS, Capability.FLAGS, Capability.MOVE, Capability.APPEND, Capability.SEARCH, Capability.SORT,
    Capability.CHANGES, Capability.SETTINGS, Capability.IMPORT,
})  # fmt: skip


class MaildirBackend(Backend):
    """One mailbox on disk. Each call is one thread hop; a download has another for each further window, and an append
    two, and one for each full window. ``rows`` may be shared by all mailboxes of a process."""

    protocol = Protocol.MAILDIR
    capabilities = CAPABILITIES
    not_supported_text = "A mailbox on disk has no {}."

    def __init__(self, sign_in: SignIn, account: str, rows: RowCache | None = None) -> None:
        self.account = account
        self._sign_in = sign_in
        self._lane, self._bulk_lane = sign_in.threads.interactive, sign_in.threads.bulk
        self._rows = rows or RowCache(Protocol.MAILDIR)
        self._mailbox: Mailbox | None = None
        self._appending_once = asyncio.Lock()

    async def list_folders(self) -> tuple[Folder, ...]:
        return await self._run(Mailbox.list_folders)

    async def get_folder(self, folder: str) -> Folder:
        return await self._run(Mailbox.get_folder, folder)

    async def create_folder(self, name: str, parent: str | None = None) -> Folder:
        return await self._run(folder_changes.create, name, parent)

    async def change_folder(
        self, folder: str, *, name: str | None = None, parent: str | None = None, is_subscribed: bool | None = None
    ) -> Folder:
        return await self._run(folder_changes.change, folder, name, parent, is_subscribed)

    async def delete_folder(self, folder: str) -> None:
        await self._run_bulk(folder_changes.delete, folder)

    async def list_messages(self, folder: str, query: ListQuery) -> Page:
        self._require_threads(query)
        run = self._run_bulk if query.filter or query.sort else self._run
        return await run(listing.list_messages, folder, query)

    async def search_messages(self, folders: Sequence[str] | None, query: ListQuery) -> Page:
        self._require_threads(query)
        return await self._run_bulk(listing.search_messages, folders, query)

    async def get_state(self, folder: str) -> str | None:
        return await self._run(Mailbox.get_state, folder)

    async def get_sync_token(self, folder: str | None) -> bytes:
        return await self._run(changes.get_token, folder)

    async def list_changes(self, folder: str, since: bytes) -> Changes:
        return await self._run(changes.list_changes, folder, since)

    async def list_all_changes(self, since: bytes) -> AccountChanges:
        return await self._run(changes.list_all_changes, since)

    async def list_correspondents(
        self, folder: str, query: ListQuery, *, recipients: bool = False
    ) -> Sequence[Correspondence]:
        return await self._run_bulk(reads.list_correspondents, folder, query, recipients)

    async def find_messages(self, folder: str, tree: Filter | None, limit: int) -> FoundMessages:
        self._require_threads(ListQuery(filter=tree))
        return await self._run_bulk(listing.find_messages, folder, tree, limit)

    async def get_messages(
        self, messages: Sequence[str], *, with_preview: bool = False, with_thread: bool = False
    ) -> Sequence[MessageSummary]:
        self._require_threads(ListQuery(with_thread=with_thread))
        return await self._run(reads.get_messages, messages, with_preview)

    async def get_message(self, message: str, html: HtmlMode = HtmlMode.SAFE) -> Message:
        file, fields, parsed = await self._run(reads.open_message, message, html)
        if parsed is None:
            parsed = await parse_message(file, id="", folder_id="", html=html)
        return parsed.model_copy(update=fields)

    async def list_headers(self, message: str, names: Sequence[str] = ()) -> tuple[Header, ...]:
        return await self._run(reads.list_headers, message, names)

    async def open_part(self, message: str, part: str, *, encoded: bool = False, span: Span | None = None) -> Download:
        query = PartQuery(message, part, encoded, span)
        opened = await self._run(reads.open_part, query, self._lane)
        if isinstance(opened, File):  # too large to be parsed in a thread
            root = await parse_structure(opened)
            opened = await self._bulk_lane.run(content.open_part, opened, root, query, self._lane)
        return opened

    async def open_source(self, message: str, *, span: Span | None = None) -> Download:
        return await self._run(reads.open_source, message, span, self._lane)

    async def delete_messages(self, messages: Sequence[str]) -> tuple[Outcome, ...]:
        return await self._run_bulk(writes.delete_messages, messages)

    async def get_flags(self, message: str) -> Flags:
        return await self._run(writes.get_flags, message)

    async def set_flags(self, message: str, flags: Sequence[str], *, version: str | None = None) -> Flags:
        return await self._run(writes.set_flags, message, flags, version)

    async def change_flags(
        self, message: str, add: Sequence[str], remove: Sequence[str], *, version: str | None = None
    ) -> Flags:
        return await self._run(writes.change_flags, message, add, remove, version)

    async def change_many(
        self, messages: Sequence[str], add: Sequence[str], remove: Sequence[str]
    ) -> tuple[Outcome, ...]:
        return await self._run_bulk(writes.change_many, messages, add, remove)

    async def append_message(
        self, folder: str, source: Source, flags: Sequence[str] = (), received_at: datetime | None = None
    ) -> str | None:
        delivery = Delivery(source.size, flag_names(flags), received_at)
        try:
            await self._run(writes.begin, delivery, folder)
            rest = bytearray()
            async for chunk in source.chunks():
                rest += chunk
                if len(rest) >= content.WINDOW:
                    await self._lane.run(delivery.write, bytes(rest))
                    rest.clear()
            target = await self._lane.run(delivery.finish, bytes(rest))
        except BaseException:
            with CancelScope(shield=True):
                await self._lane.run(delivery.discard)
            raise
        return self._entered.message_id(target, delivery.unique)

    async def list_ids(self, folder: str) -> Sequence[str]:
        return await self._run(inventory.list_ids, folder)

    async def get_items(self, messages: Sequence[str]) -> Sequence[Item]:
        return await self._run_bulk(inventory.get_items, messages)

    async def read_sources(self, messages: Sequence[str]) -> dict[str, bytes]:
        return await self._run_bulk(inventory.read_sources, messages)

    async def append_once(
        self, folder: str, source: Source, flags: Sequence[str] = (), received_at: datetime | None = None
    ) -> str | None:
        """Two processes that get the same request at the same moment may both append: there is no lock between them."""
        async with self._appending_once:
            same = await self._run_bulk(writes.find_same, folder, source.size, source.digest)
            return same or await self.append_message(folder, source, flags, received_at)

    async def copy_messages(self, messages: Sequence[str], folder: str) -> tuple[Outcome, ...]:
        return await self._run_bulk(writes.copy_messages, messages, folder)

    async def move_messages(self, messages: Sequence[str], folder: str, *, once: bool = False) -> tuple[Outcome, ...]:
        """A message is a file, which the system renames once: ``once`` holds by itself."""
        return await self._run_bulk(writes.move_messages, messages, folder)

    async def get_settings(self) -> bytes | None:
        return await self._run(stored_settings.read)

    async def set_settings(self, settings: bytes, *, version: str | None = None) -> None:
        await self._run(stored_settings.write, settings, version)

    async def empty_folder(self, folder: str) -> int:
        return await self._run_bulk(writes.empty_folder, folder)

    async def check(self) -> None:
        await self._run(Mailbox.check)

    async def aclose(self) -> None:
        """Does nothing: files are open only while they are read."""

    def _require_threads(self, query: ListQuery) -> None:
        criteria = {each.criterion for each in conditions(query.filter)} if query.filter else set()
        if query.with_thread or criteria & listing.THREAD_CRITERIA:
            raise self.not_supported(Capability.THREADS)

    async def _run(self, work: Callable[Concatenate[Mailbox, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Returns what ``work`` makes of the mailbox. One thread hop, once signed in."""
        return await self._signed_in(self._lane, work, *args, **kwargs)

    async def _run_bulk(self, work: Callable[Concatenate[Mailbox, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As ``_run``, for work that may take seconds."""
        return await self._signed_in(self._bulk_lane, work, *args, **kwargs)

    async def _signed_in(
        self, lane: ThreadLane, work: Callable[Concatenate[Mailbox, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        while True:
            proof = await self._sign_in.enter()
            if self._mailbox is None:  # made here, not in a thread: calls at once must share one
                self._mailbox = Mailbox(proof.root, self.account, self._rows)
            try:
                return await lane.run(self._checked, proof, partial(work, self._mailbox, *args, **kwargs))
            except PasswordChanged:
                self._sign_in.withdraw(proof)

    def _checked(self, proof: Proof, work: Callable[[], T]) -> T:
        self._sign_in.check(proof)
        return work()

    @property
    def _entered(self) -> Mailbox:
        assert self._mailbox is not None
        return self._mailbox
