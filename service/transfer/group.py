"""Copies folders of the source that go into one folder of the destination."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from service.mail.backend import Backend
from service.mail.errors import MailError, NotFound
from service.mail.inventory import Item
from service.mail.model import Folder, Protocol
from service.transfer.deleting import (
    NOT_VERIFIED,
    Copy,
    are_distinct,
    delete,
    verified_among,
)
from service.transfer.index import LISTED_AT_ONCE, Index
from service.transfer.links import SOURCE, concerns_all, named
from service.transfer.model import Failure, Job, Reason, short
from service.transfer.reading import Letter, Marks, ahead, in_pieces, letters, marks_of
from service.transfer.writing import Writer, fault_of, reason_of

Alike = tuple[bytes, int | None]


@dataclass(eq=False)
class Count:
    """What became of the messages of one folder of the source."""

    folder: Folder
    copied: int = 0
    before: int = 0
    """Copied by earlier bursts."""
    skipped: int = 0
    left: int = 0

    @property
    def name(self) -> str:
        return "/".join(self.folder.path)


@dataclass
class Found:
    """The results besides the counts."""

    failed: list[Failure] = field(default_factory=list)
    copied: int = 0
    skipped: int = 0
    deleted: int = 0
    dropped: dict[str, None] = field(default_factory=dict)


class GroupRun:
    """One run. ``is_over`` says whether the time of the burst is over; ``report`` is called after each step."""

    def __init__(
        self,
        source: Backend,
        destination: Backend,
        job: Job,
        found: Found,
        is_over: Callable[[], bool],
        report: Callable[[], None],
    ) -> None:
        self._source, self._destination = source, destination
        self._job, self._found = job, found
        self._is_over, self._report = is_over, report
        self._items: list[Item] = []
        self._counts: list[Count] = []  # of each item, its folder's
        self._names: Counter[bytes] = Counter()
        self._before: set[str] = set()
        self._appended: dict[str, Item] = {}
        self._late: list[Copy] = []

    async def run(self, counts: Sequence[Count], target: str | None, elsewhere: Iterable[str] = ()) -> bool:
        """Whether all is done. ``target`` is None if the folder is yet to be made, which a dry run does not do; of
        ``elsewhere`` nothing is copied that is there."""
        await self._list(counts)
        self._names.update(item.name for item in self._items)
        index, others = Index(self._destination), Index(self._destination)
        if target is not None:
            self._before = set(await index.read(target))
        for folder in elsewhere:
            await others.read(folder)
        pending = self._pending(index, others)
        if self._job.options.is_dry or target is None:
            self._job.progress.octets += sum(item.size or 0 for _, item in pending)
            return True
        return await self._copy(pending, index, others, target)

    async def _list(self, counts: Sequence[Count]) -> None:
        """The messages of the source that are wanted, and were not refused before."""
        for count in counts:
            count.copied = count.skipped = count.left = 0
            count.before = self._job.progress.begun.get(short(count.folder.id), 0)
            try:
                async with named(SOURCE):
                    await self._list_folder(count)
            except MailError as error:
                if concerns_all(error):
                    raise
                if not isinstance(error, NotFound):  # another program has removed it
                    failure = Failure(folder=count.name, reason=Reason.UNREADABLE, detail=error.detail)
                    self._found.failed.append(failure)

    async def _list_folder(self, count: Count) -> None:
        since, failed = self._job.options.since, self._job.progress.failed
        for piece in in_pieces(await self._source.list_ids(count.folder.id), LISTED_AT_ONCE):
            for item in await self._source.get_items(piece):
                is_new = since is None or item.received_at is None or item.received_at >= since
                if is_new and short(item.id) not in failed:
                    self._items.append(item)
                    self._counts.append(count)
                    count.left += 1

    def _pending(self, index: Index, others: Index) -> list[tuple[int, Item]]:
        """The messages whose octets have to be read. All of them, if they are to be deleted."""
        matched: Iterable[int] = ()
        if not self._job.options.deletes_source:
            own = index.match(self._items)
            matched = own.keys() | {at for at, item in enumerate(self._items) if others.has(item)}
        done = set(matched)
        for at in done:
            self._skip(at)
        return [(at, item) for at, item in enumerate(self._items) if at not in done]

    def _skip(self, at: int) -> None:
        count = self._counts[at]
        count.left -= 1
        if count.copied < count.before:  # by an earlier burst of this import
            count.copied += 1
        else:
            count.skipped += 1
            self._found.skipped += 1

    async def _copy(self, pending: Sequence[tuple[int, Item]], index: Index, others: Index, target: str) -> bool:
        writer = Writer(self._destination, target)
        try:
            is_done = await self._copy_batches(pending, index, others, writer)
        except MailError:
            with suppress(MailError):
                await self._settle(index, target)
            raise
        finally:
            self._found.dropped |= writer.dropped
        await self._settle(index, target)
        if is_done:
            await self._delete(self._late)
        return is_done

    async def _copy_batches(
        self, pending: Sequence[tuple[int, Item]], index: Index, others: Index, writer: Writer
    ) -> bool:
        with_crlf = self._source.protocol is Protocol.MAILDIR and self._destination.protocol is Protocol.IMAP
        async with aclosing(
            ahead(letters(self._source, pending, self._job.progress.suspects, with_crlf=with_crlf))
        ) as read:
            handled = 0
            async for batch in read:
                try:
                    await self._take(batch.letters, index, others, writer)
                finally:
                    for letter in batch.letters:
                        letter.close()
                handled += batch.wanted
                self._report()
                if self._is_over() and handled < len(pending):
                    return False
        return True

    async def _take(self, batch: Sequence[Letter], index: Index, others: Index, writer: Writer) -> None:
        """What is not there is appended."""
        if self._job.options.deletes_source and batch:
            await self._see_that_distinct(batch, writer.folder)
        new: list[Letter] = []
        there: list[tuple[Letter, str | None]] = []
        for letter in batch:
            if fault := fault_of(letter):
                self._fail(letter, *fault)
            elif (copy := await self._copy_of(letter, index, others)) is not None:
                self._skip(letter.place)
                there.append((letter, copy))
            else:
                new.append(letter)
        written = await self._write(new, writer)
        if self._job.options.deletes_source:
            await self._delete_early([*there, *written])

    async def _copy_of(self, letter: Letter, *indexes: Index) -> str | None:
        """The id of a copy that is there."""
        is_only = self._names[letter.item.name] == 1
        for index in indexes:
            if (copy := await index.take(letter, is_only=is_only)) is not None:
                return copy
        return None

    async def _see_that_distinct(self, batch: Sequence[Letter], target: str) -> None:
        """Once, before anything is written or deleted."""
        if not self._job.progress.is_distinct:
            folders = {count.folder.id for count in self._counts}
            is_distinct = await are_distinct(self._source, folders, self._destination, target, batch)
            self._job.progress.is_distinct = is_distinct

    async def _write(self, batch: Sequence[Letter], writer: Writer) -> list[tuple[Letter, str | None]]:
        """The messages that were appended, with the ids of their copies."""
        written: list[tuple[Letter, str | None]] = []
        failure: MailError | None = None
        for letter, outcome in zip(batch, await writer.write(batch) if batch else (), strict=True):
            if outcome.error is None:
                self._note_copied(letter, outcome.id)
                written.append((letter, outcome.id))
            elif concerns_all(outcome.error):
                failure = failure or outcome.error
            else:
                self._fail(letter, reason_of(outcome.error), outcome.error.detail)
        if failure is not None:
            raise failure
        return written

    def _note_copied(self, letter: Letter, copy: str | None) -> None:
        count, progress = self._counts[letter.place], self._job.progress
        count.copied += 1
        count.left -= 1
        self._found.copied += 1
        progress.octets += letter.source.size
        key = short(count.folder.id)
        progress.begun[key] = progress.begun.get(key, 0) + 1
        if copy is not None:
            self._appended[copy] = letter.item._replace(id=copy)

    def _fail(self, letter: Letter, reason: Reason, detail: str) -> None:
        count = self._counts[letter.place]
        count.left -= 1
        self._job.progress.failed[short(letter.item.id)] = None
        self._tell(letter.place, reason, detail)

    def _tell(self, place: int, reason: Reason, detail: str) -> None:
        name, message = self._counts[place].name, self._items[place].id
        self._found.failed.append(Failure(folder=name, id=message, reason=reason, detail=detail))

    async def _settle(self, index: Index, target: str) -> None:
        """Messages that another process appended meanwhile may be the same: one that was killed, whose last command the
        server carried out later, or one at work on the same import. The folder gets as many as the source has: the
        first ones stay, so that of two processes that both look one gives way."""
        if not self._appended:
            return
        now = await self._destination.list_ids(target)
        foreign = [message for message in now if message not in self._before and message not in self._appended]
        alike = {_alike(item) for item in self._appended.values()}
        items = {
            item.id: item
            for piece in in_pieces(foreign, LISTED_AT_ONCE)
            for item in await self._destination.get_items(piece)
            if _alike(item) in alike
        }
        if items:
            await self._give_way(index, items, now)

    async def _give_way(self, index: Index, foreign: Mapping[str, Item], now: Sequence[str]) -> None:
        """Only messages of the same octets count, and only those that this run has appended are removed."""
        doubtful = {_alike(item) for item in foreign.values()}
        own = {message: item for message, item in self._appended.items() if _alike(item) in doubtful}
        items = {**foreign, **own, **index.alike(doubtful)}
        marks = await marks_of(self._destination, list(items.values()))
        wanted = Counter(map(_alike, self._items))
        kept: Counter[tuple[Alike, Marks | None]] = Counter()
        surplus = []
        for message in [message for message in now if message in items]:
            key = _alike(items[message]), marks[message]
            if message in own and kept[key] >= wanted[key[0]]:
                surplus.append(message)
            else:
                kept[key] += 1
        if surplus:
            await self._destination.delete_messages(surplus)

    async def _delete_early(self, copies: Sequence[tuple[Letter, str | None]]) -> None:
        """Without messages of which the source has several: they are deleted together, when all have their copies."""
        several = Counter(map(_alike, self._items))
        made = [Copy(letter.place, copy, letter.source.size, letter.source.digest) for letter, copy in copies]
        self._late += [copy for copy in made if several[_alike(self._items[copy.place])] > 1]
        await self._delete([copy for copy in made if several[_alike(self._items[copy.place])] == 1])

    async def _delete(self, copies: Sequence[Copy]) -> None:
        """Delete those messages at the source whose copies are verified."""
        is_distinct = self._job.progress.is_distinct
        verified = await verified_among(self._destination, copies) if is_distinct else []
        for copy in copies:
            if copy not in verified:
                self._tell(copy.place, *NOT_VERIFIED)
        if not verified:
            return
        places = {self._items[copy.place].id: copy.place for copy in verified}
        async with named(SOURCE):
            errors = await delete(self._source, list(places))
        for message, error in errors.items():
            self._tell(places[message], Reason.NOT_DELETED, error.detail)
        self._found.deleted += len(places) - len(errors)


def _alike(item: Item) -> Alike:
    return item.name, item.size
