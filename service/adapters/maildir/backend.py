"""The port on files: each call is work on the disk, done in a thread after the door was passed."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TypeVar

from service.adapters.maildir import content
from service.adapters.maildir.changes import Letters, Marks, letters_of
from service.adapters.maildir.delivery import Draft
from service.adapters.maildir.disk import File, told
from service.adapters.maildir.folder import Box, Change, version_of
from service.adapters.maildir.folders import Folders
from service.adapters.maildir.keywords import named
from service.adapters.maildir.listing import THREADS, Listing, Place, Where
from service.adapters.maildir.sign_in import Door
from service.adapters.shared.cache import Rows
from service.adapters.shared.parsing import read_whole
from service.mail.backend import Backend
from service.mail.changes import AccountChanges, Changes, FolderChanges
from service.mail.errors import MailError, NotFound, StaleToken
from service.mail.ids import account_tag, read_id
from service.mail.mime.digest import Digest
from service.mail.mime.headers import list_headers
from service.mail.model import (
    Capability,
    Download,
    Flags,
    Folder,
    Header,
    HtmlMode,
    Message,
    MessageSummary,
    Outcome,
    Page,
    Protocol,
    Source,
    Span,
)
from service.mail.search.filter import ListQuery, conditions

T = TypeVar("T")
CAPABILITIES = frozenset({
    Capability.FOLDERS, Capability.FLAGS, Capability.MOVE, Capability.APPEND, Capability.SEARCH, Capability.SORT,
    Capability.CHANGES,
})  # fmt: skip


class MaildirBackend(Backend):
    """One mailbox on disk. ``rows`` may be shared by all mailboxes of a process."""

    protocol = Protocol.MAILDIR
    capabilities = CAPABILITIES
    not_supported_text = "A mailbox on disk has no {}."

    def __init__(self, door: Door, account: str, rows: Rows | None = None) -> None:
        self.account = account
        self._tag = account_tag(account)
        self._door = door
        self._listing = Listing(account, rows or Rows(Protocol.MAILDIR), self._run)
        self._marks = Marks()
        self._folders: Folders | None = None
        self._once = asyncio.Lock()

    async def _run(self, work: Callable[[], T]) -> T:
        """What ``work`` answers, for who may sign in. Cancelled, it ends with the step under way."""
        await self._tree()
        return await asyncio.to_thread(told, work)

    async def _tree(self) -> Folders:
        root = await self._door.enter()
        if self._folders is None:
            self._folders = Folders(root, self._tag)
        return self._folders

    async def list_folders(self) -> tuple[Folder, ...]:
        tree = await self._tree()
        return await self._run(tree.all)

    async def get_folder(self, folder: str) -> Folder:
        tree = await self._tree()
        return await self._run(partial(tree.find, folder))

    async def create_folder(self, name: str, parent: str | None = None) -> Folder:
        tree = await self._tree()
        return await self._run(partial(tree.create, name, parent))

    async def change_folder(
        self, folder: str, *, name: str | None = None, parent: str | None = None, is_subscribed: bool | None = None
    ) -> Folder:
        tree = await self._tree()
        return await self._run(partial(tree.change, folder, name, parent, is_subscribed))

    async def delete_folder(self, folder: str) -> None:
        tree = await self._tree()
        await self._run(partial(tree.delete, folder))

    async def list_messages(self, folder: str, query: ListQuery) -> Page:
        self._require(query)
        where = await self._where(folder)
        page = await self._listing.page([where], query)
        return page.model_copy(update={"state": await self.get_state(folder)})

    async def search_messages(self, folders: Sequence[str] | None, query: ListQuery) -> Page:
        self._require(query)
        if folders is None:
            folders = [folder.id for folder in await self.list_folders() if folder.is_selectable]
        where = [await self._where(folder) for folder in dict.fromkeys(folders)]
        return await self._listing.page(where, query, is_merged=True)

    async def get_state(self, folder: str) -> str | None:
        box = await self._box(folder)
        return await self._run(lambda: box.snapshot().state)

    async def get_sync_token(self, folder: str | None) -> bytes:
        boxes = None if folder is None else [await self._box(folder)]
        _, mark = await self._now(boxes)
        return mark

    async def list_changes(self, folder: str, since: bytes) -> Changes:
        box = await self._box(folder)
        before = await self._run(partial(self._marks.read, since))
        if before.keys() != {box.wire}:
            raise StaleToken
        now, mark = await self._now([box])
        return Changes(self._told(box, before[box.wire], now[box]), mark)

    async def list_all_changes(self, since: bytes) -> AccountChanges:
        tree = await self._tree()
        before = await self._run(partial(self._marks.read, since))
        now, mark = await self._now(None)
        changes = [self._told(box, before[box.wire], letters) for box, letters in now.items() if box.wire in before]
        return AccountChanges(
            mark,
            [one for one in changes if one],
            [tree.id(box.wire) for box in now if box.wire not in before],
            [tree.id(wire) for wire in before.keys() - {box.wire for box in now}],
        )

    async def get_messages(self, messages: Sequence[str]) -> Sequence[MessageSummary]:
        found: list[MessageSummary] = []
        for message in dict.fromkeys(messages):
            with suppress(NotFound):
                box, unique = await self._find(message)
                row = await self._run(partial(self._row, box, unique))
                found += [row] if row else []
        return tuple(found)

    async def get_message(self, message: str, html: HtmlMode = HtmlMode.SAFE) -> Message:
        tree = await self._tree()
        box, unique = await self._find(message)
        file = await self._run(partial(_opened, box, unique))
        flags = await self._run(partial(_current, box, unique))
        found = await read_whole(
            file, id=message, folder_id=tree.id(box.wire), received_at=file.received_at, flags=flags, html=html
        )
        return found.model_copy(update={"version": version_of(flags)})

    async def list_headers(self, message: str, names: Sequence[str] = ()) -> tuple[Header, ...]:
        file = await self._file(message)
        return await self._run(lambda: list_headers(content.header(file), names))

    async def open_part(self, message: str, part: str, *, encoded: bool = False, span: Span | None = None) -> Download:
        file = await self._file(message)
        entity = await content.part(file, part)
        etag = content.etag_of(message, part, "encoded" if encoded else "decoded")
        return await content.download(file, entity, etag, encoded=encoded, span=span)

    async def open_source(self, message: str, *, span: Span | None = None) -> Download:
        return await content.source(await self._file(message), content.etag_of(message), span)

    async def delete_messages(self, messages: Sequence[str]) -> tuple[Outcome, ...]:
        async def delete(message: str) -> None:
            box, unique = await self._find(message)
            await self._run(partial(box.remove, unique))

        return await _each_once(messages, delete)

    async def get_flags(self, message: str) -> Flags:
        box, unique = await self._find(message)
        return await self._run(lambda: _flags(_current(box, unique)))

    async def set_flags(self, message: str, flags: Sequence[str], *, version: str | None = None) -> Flags:
        wanted = named(flags)
        return await self._change(message, lambda _: wanted, version)

    async def change_flags(
        self, message: str, add: Sequence[str], remove: Sequence[str], *, version: str | None = None
    ) -> Flags:
        new, gone = named(add), set(named(remove))
        return await self._change(
            message, lambda had: tuple(flag for flag in dict.fromkeys([*had, *new]) if flag not in gone), version
        )

    async def change_many(
        self, messages: Sequence[str], add: Sequence[str], remove: Sequence[str]
    ) -> tuple[Outcome, ...]:
        async def change(message: str) -> None:
            await self.change_flags(message, add, remove)

        return await _each_once(messages, change)

    async def append_message(
        self, folder: str, source: Source, flags: Sequence[str] = (), received_at: datetime | None = None
    ) -> str | None:
        box, names = await self._box(folder), named(flags)
        draft = Draft(box, source.size)
        try:
            await self._finished(draft.open)
            async for chunk in source.chunks():
                await self._finished(partial(draft.write, chunk))
            unique = await self._finished(partial(draft.finish, names, received_at))
        finally:
            await self._finished(draft.discard)
        return self._listing.id(box, unique)

    async def append_once(
        self, folder: str, source: Source, flags: Sequence[str] = (), received_at: datetime | None = None
    ) -> str | None:
        """Two processes that get the same request at the same moment may both append: here nobody locks a folder."""
        async with self._once:
            box = await self._box(folder)
            unique = await self._run(lambda: _same(box, source))
            if unique is not None:
                return self._listing.id(box, unique)
            return await self.append_message(folder, source, flags, received_at)

    async def copy_messages(self, messages: Sequence[str], folder: str) -> tuple[Outcome, ...]:
        return await self._give(messages, folder, Box.copy)

    async def move_messages(self, messages: Sequence[str], folder: str) -> tuple[Outcome, ...]:
        return await self._give(messages, folder, Box.move)

    async def empty_folder(self, folder: str) -> int:
        box = await self._box(folder)
        there = await self._run(lambda: tuple(box.snapshot().entries))
        gone = 0
        for unique in there:
            with suppress(NotFound):
                await self._run(partial(box.remove, unique))
                gone += 1
        return gone

    async def check(self) -> None:
        await self._tree()

    async def aclose(self) -> None:
        """There is nothing to close: files are open while somebody reads them."""

    def _require(self, query: ListQuery) -> None:
        asked = query.filter is not None and any(one.criterion in THREADS for one in conditions(query.filter))
        if query.with_thread or asked:
            raise self.not_supported(Capability.THREADS)

    async def _box(self, folder: str) -> Box:
        """NotFound where there is no such folder, or it holds no messages."""
        tree = await self._tree()
        box = await self._run(lambda: tree.box(tree.wire(folder)))
        await self._run(box.snapshot)
        return box

    async def _where(self, folder: str) -> Where:
        tree, box = await self._tree(), await self._box(folder)
        return Where(tree.id(box.wire), await self._run(partial(tree.role, box.wire)), box)

    async def _find(self, message: str) -> tuple[Box, str]:
        """The folder that a message was in, and what is unique in its name."""
        tree = await self._tree()
        name, _, wire = read_id("m", self._tag, message, "message").partition(b"/")
        try:
            return tree.box(wire), os.fsdecode(name)
        except NotFound:
            raise NotFound("message") from None

    async def _file(self, message: str) -> File:
        box, unique = await self._find(message)
        return await self._run(partial(_opened, box, unique))

    def _row(self, box: Box, unique: str) -> MessageSummary | None:
        assert self._folders is not None
        snapshot = box.snapshot()
        entry = snapshot.entries.get(unique)
        where = Where(self._folders.id(box.wire), None, box)
        return self._listing.row(Place(where, snapshot, entry)) if entry else None

    async def _change(self, message: str, change: Change, version: str | None) -> Flags:
        box, unique = await self._find(message)
        return await self._run(lambda: _flags(_of_message(lambda: box.change(unique, change, version))))

    async def _give(
        self, messages: Sequence[str], folder: str, give: Callable[[Box, str, Box], str]
    ) -> tuple[Outcome, ...]:
        target = await self._box(folder)

        async def one(message: str) -> str:
            box, unique = await self._find(message)
            return self._listing.id(target, await self._run(partial(give, box, unique, target)))

        return await _each_once(messages, one)

    async def _now(self, boxes: Sequence[Box] | None) -> tuple[dict[Box, Letters], bytes]:
        """The messages of these folders, or of all, and the mark of them."""
        tree = await self._tree()

        def read() -> tuple[dict[Box, Letters], bytes]:
            there = {box: letters_of(box.snapshot()) for box in boxes or tree.selectable()}
            return there, self._marks.write({box.wire: letters for box, letters in there.items()})

        return await self._run(read)

    def _told(self, box: Box, before: Letters, now: Letters) -> FolderChanges:
        def ids(uniques: set[str]) -> tuple[str, ...]:
            return tuple(self._listing.id(box, unique) for unique in sorted(uniques))

        assert self._folders is not None
        return FolderChanges(
            folder_id=self._folders.id(box.wire),
            created=ids(now.keys() - before.keys()),
            updated=ids({unique for unique in now.keys() & before.keys() if now[unique] != before[unique]}),
            destroyed=ids(before.keys() - now.keys()),
        )

    async def _finished(self, work: Callable[[], T]) -> T:
        """As ``_run``, behind the door; cancelled, it waits for ``work``, so that what follows finds it done."""
        task = asyncio.ensure_future(asyncio.to_thread(told, work))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise


def _opened(box: Box, unique: str) -> File:
    return _of_message(lambda: box.file(unique))


def _current(box: Box, unique: str) -> tuple[str, ...]:
    def flags() -> tuple[str, ...]:
        snapshot = box.snapshot()
        entry = snapshot.entries.get(unique)
        if entry is None:
            raise NotFound("message")
        return snapshot.flags(entry)

    return _of_message(flags)


def _of_message(work: Callable[[], T]) -> T:
    """A message whose folder is gone is what was not found."""
    try:
        return work()
    except NotFound:
        raise NotFound("message") from None


def _flags(flags: tuple[str, ...]) -> Flags:
    return Flags(flags=flags, version=version_of(flags))


async def _each_once(messages: Sequence[str], act: Callable[[str], Awaitable[str | None]]) -> tuple[Outcome, ...]:
    """An outcome for each, in order of asking; what is asked twice is done once."""
    done: dict[str, Outcome] = {}
    for message in messages:
        if message not in done:
            try:
                done[message] = Outcome(message, new_id=await act(message))
            except MailError as error:
                done[message] = Outcome(message, error)
    return tuple(done[message] for message in messages)


def _same(box: Box, source: Source) -> str | None:
    """The message of the same octets, the newest first. Their number is the same: files are kept as they came."""
    for unique in reversed(list(box.snapshot().entries)):
        with suppress(NotFound):
            file = box.file(unique)
            if file.size == source.size and _digest(file) == source.digest:
                return unique
    return None


def _digest(file: File) -> bytes:
    digest = Digest()
    for at in range(0, file.size, content.CHUNK):
        digest.feed(file.read(at, min(at + content.CHUNK, file.size)))
    return digest.finish()
