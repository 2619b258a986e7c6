"""Copies folders of the source that go into one folder of the destination."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from service.mail.backend import Backend
from service.mail.errors import MailError, NotFound, NotPermitted
from service.mail.inventory import Appended, Item
from service.mail.model import Folder, Protocol
from service.transfer.deleting import (
    NOT_VERIFIED,
    Copy,
    are_distinct,
    delete,
    verified_among,
)
from service.transfer.index import LISTED_AT_ONCE, Index
from service.transfer.links import SOURCE, concerns_all, is_lost, named
from service.transfer.model import Failure, Job, Reason, short
from service.transfer.reading import MAX_LOSSES, Letter, ahead, in_pieces, letters
from service.transfer.settling import Alike, Appends, alike
from service.transfer.writing import Writer, fault_of, reason_of

MAX_REFUSALS = 10
"""Messages that a folder does not permit, and none that it does, after which the rest is not sent."""
_NOT_GIVEN = (Reason.UNREADABLE, "The source lists this message, and does not give it.")


@dataclass(eq=False)
class Count:
    """What became of the messages of one folder of the source."""

    folder: Folder
    copied: int = 0
    before: int = 0
    """Copied by earlier bursts."""
    there: int = 0
    """Those that were at the destination before this burst."""
    skipped: int = 0
    left: int = 0

    def __post_init__(self) -> None:
        self.key = short(self.folder.id)
        """The folder, in the progress of the job."""

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
    """One run. ``is_over`` says whether the time of the burst is over; ``report`` is called after each step; ``note``
    with the id of each message of the source that has its copy."""

    def __init__(
        self,
        source: Backend,
        destination: Backend,
        job: Job,
        found: Found,
        is_over: Callable[[], bool],
        report: Callable[[], None],
        note: Callable[[str], None],
    ) -> None:
        self._source, self._destination = source, destination
        self._job, self._found = job, found
        self._is_over, self._report, self._note = is_over, report, note
        self._items: list[Item] = []
        self._counts: list[Count] = []  # of each item, its folder's
        self._names: Counter[bytes] = Counter()
        self._several: Counter[Alike] = Counter()
        self._appends = Appends(destination)
        self._late: list[Copy] = []
        self._not_permitted, self._is_writable = 0, False

    async def run(
        self,
        counts: Sequence[Count],
        target: str | None,
        elsewhere: Iterable[str] = (),
        planned: Index | None = None,
    ) -> bool:
        """Whether all is done. ``target`` is None if the folder is yet to be made, which a dry run does not do; of
        ``elsewhere``, and what is ``planned``, nothing is copied that is there."""
        await self._list(counts)
        index, others = Index(self._destination), Index(self._destination)
        if target is not None:
            self._appends.begin(await index.read(target))
        for folder in elsewhere:
            await others.read(folder)
        pending = await asyncio.to_thread(self._pending, index, [others, planned] if planned else [others])
        if self._job.options.is_dry or target is None:
            self._job.progress.octets += sum(item.size or 0 for _, item in pending)
            return True
        return await self._copy(pending, index, others, target)

    async def _list(self, counts: Sequence[Count]) -> None:
        """The messages of the source that are wanted, and were not refused before."""
        for count in counts:
            count.copied = count.before = self._job.progress.begun.get(count.key, 0)
            count.there = self._job.progress.gone.get(count.key, 0)
            count.skipped, count.left = max(0, count.there - count.before), 0
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
            items = await self._source.get_items(piece)
            if len(items) < len(piece):
                await self._miss_listed(count, set(piece) - {item.id for item in items})
            for item in items:
                is_new = since is None or item.received_at is None or item.received_at >= since
                if is_new and short(item.id) not in failed:
                    self._items.append(item)
                    self._counts.append(count)
                    count.left += 1

    async def _miss_listed(self, count: Count, messages: set[str]) -> None:
        """Messages that were listed, and have no inventory: other programs have removed them, or the server cannot
        read them."""
        for message in messages.intersection(await self._source.list_ids(count.folder.id)):
            if (key := short(message)) not in self._job.progress.failed:
                self._job.progress.failed[key] = None
                reason, detail = _NOT_GIVEN
                self._found.failed.append(Failure(folder=count.name, id=message, reason=reason, detail=detail))

    def _pending(self, index: Index, others: Sequence[Index]) -> list[tuple[int, Item]]:
        """The messages whose octets have to be read. All of them, if they are to be deleted now. Runs in a thread: of
        100,000 messages it takes half a second."""
        self._names.update(item.name for item in self._items)
        self._several.update(map(alike, self._items))
        matched: Iterable[int] = ()
        if self._job.options.is_dry or not self._job.options.deletes_source:
            own = index.match(self._items)
            matched = own.keys() | {
                at for at, item in enumerate(self._items) if any(other.has(item) for other in others)
            }
            matched |= self._handled_before(index)
        done = set(matched)
        for at in done:
            self._skip(at)
        return [(at, item) for at, item in enumerate(self._items) if at not in done]

    def _handled_before(self, index: Index) -> set[int]:
        """The messages that earlier bursts have handled, and of whose name there is one on both sides: of a server that
        alters what it stores, or loses the time of arrival, not each burst reads all of it again."""
        reached = self._job.progress.reached
        ends = {count.key: at for at, count in enumerate(self._counts) if reached.get(count.key) == self._items[at].id}
        before = (at for at, count in enumerate(self._counts) if at <= ends.get(count.key, -1))
        names = self._names
        return {at for at in before if names[self._items[at].name] == 1 and index.has_name(self._items[at])}

    def _skip(self, at: int) -> None:
        count = self._counts[at]
        count.left -= 1
        count.there += 1
        if count.there > count.before:  # more than earlier bursts of this import have copied
            count.skipped += 1
            self._found.skipped += 1
        self._note(self._items[at].id)

    async def _copy(self, pending: Sequence[tuple[int, Item]], index: Index, others: Index, target: str) -> bool:
        writer = Writer(self._destination, target)
        try:
            is_done = await self._copy_batches(pending, index, others, writer)
        except MailError:
            with suppress(MailError):
                await self._appends.settle(index, target, self._several)
            raise
        finally:
            self._found.dropped |= writer.dropped
        await self._appends.settle(index, target, self._several)
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
                await self._miss(batch.missing)
                places = sorted([*(letter.place for letter in batch.letters), *batch.missing])
                handled += len(places)
                self._job.progress.reached |= {self._counts[place].key: self._items[place].id for place in places}
                self._report()
                if self._is_over() and handled < len(pending):
                    return False
        return True

    async def _miss(self, places: Sequence[int]) -> None:
        """Messages that could not be read: other programs have removed them, or the server lists what it cannot
        give."""
        if not places:
            return
        async with named(SOURCE):
            listed = {item.id for item in await self._source.get_items([self._items[place].id for place in places])}
        for place in places:
            if self._items[place].id in listed:
                self._fail(place, *_NOT_GIVEN)
            else:
                self._counts[place].left -= 1

    async def _take(self, batch: Sequence[Letter], index: Index, others: Index, writer: Writer) -> None:
        """What is not there is appended."""
        if self._job.options.deletes_source and batch:
            await self._see_that_distinct(batch, writer.folder)
        new: list[Letter] = []
        there: list[tuple[Letter, str | None]] = []
        for letter in batch:
            if fault := fault_of(letter):
                self._fail(letter.place, *fault)
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
        """The messages that were appended, with the ids of their copies. Each during which the connection was lost
        before is written alone, and after those during which that was less often."""
        suspects = self._job.progress.suspects
        together, alone = list[Letter](), list[Letter]()
        for letter in batch:
            (alone if suspects and short(letter.item.id) in suspects else together).append(letter)
        alone.sort(key=lambda letter: suspects[short(letter.item.id)])
        written: list[tuple[Letter, str | None]] = []
        for piece in (together, *([letter] for letter in alone)):
            if piece:
                written += await self._write_piece(piece, writer)
        return written

    async def _write_piece(self, piece: Sequence[Letter], writer: Writer) -> list[tuple[Letter, str | None]]:
        written: list[tuple[Letter, str | None]] = []
        failure: MailError | None = None
        for letter, outcome in zip(piece, await self._outcomes(piece, writer), strict=True):
            if outcome.error is None:
                self._is_writable = True
                written.append((letter, self._note_copied(letter, outcome.id)))
            elif self._ends_all(letter, outcome.error):
                failure = failure or outcome.error
            else:
                self._fail(letter.place, reason_of(outcome.error), outcome.error.detail)
                self._not_permitted += isinstance(outcome.error, NotPermitted)
                if self._not_permitted >= MAX_REFUSALS and not self._is_writable:
                    failure = failure or outcome.error
        if failure is not None:
            raise failure
        return written

    async def _outcomes(self, piece: Sequence[Letter], writer: Writer) -> Sequence[Appended]:
        try:
            return await writer.write(piece)
        except MailError as error:
            if not concerns_all(error):
                raise
            return [Appended(None, error)] * len(piece)

    def _ends_all(self, letter: Letter, error: MailError) -> bool:
        """Whether nothing can be appended after this error: also not if the folder is gone."""
        return isinstance(error, NotFound) or (concerns_all(error) and not self._costs_connections(letter, error))

    def _costs_connections(self, letter: Letter, error: MailError) -> bool:
        """Whether the connection is lost again and again when this message is written. If nothing else was written,
        it may be the server's fault, and takes longer to say."""
        if not is_lost(error):
            return False
        key, suspects = short(letter.item.id), self._job.progress.suspects
        suspects[key] = suspects.get(key, 0) + 1
        return suspects[key] >= (MAX_LOSSES if self._is_writable else 2 * MAX_LOSSES)

    def _note_copied(self, letter: Letter, copy: str | None) -> str | None:
        """Returns the id of the copy, if that is a new message."""
        count, progress = self._counts[letter.place], self._job.progress
        count.copied += 1
        count.left -= 1
        self._found.copied += 1
        progress.octets += letter.source.size
        progress.begun[count.key] = progress.begun.get(count.key, 0) + 1
        self._note(letter.item.id)
        return self._appends.note(copy, letter.item)

    def _fail(self, place: int, reason: Reason, detail: str) -> None:
        self._counts[place].left -= 1
        self._job.progress.failed[short(self._items[place].id)] = None
        self._tell(place, reason, detail)

    def _tell(self, place: int, reason: Reason, detail: str) -> None:
        name, message = self._counts[place].name, self._items[place].id
        self._found.failed.append(Failure(folder=name, id=message, reason=reason, detail=detail))

    async def _delete_early(self, copies: Sequence[tuple[Letter, str | None]]) -> None:
        """Without messages of which the source has several: they are deleted together, when all have their copies."""
        made = [Copy.of(letter, copy) for letter, copy in copies]
        self._late += [copy for copy in made if self._several[alike(self._items[copy.place])] > 1]
        await self._delete([copy for copy in made if self._several[alike(self._items[copy.place])] == 1])

    async def _delete(self, copies: Sequence[Copy]) -> None:
        """Delete those messages at the source whose copies are verified."""
        is_distinct = self._job.progress.is_distinct
        verified = set(await verified_among(self._destination, copies) if is_distinct else ())
        for copy in copies:
            if copy not in verified:
                self._keep(copy.place, *NOT_VERIFIED)
        if not verified:
            return
        places = {self._items[copy.place].id: copy.place for copy in verified}
        async with named(SOURCE):
            errors = await delete(self._source, [self._items[place] for place in places.values()])
        for message, place in places.items():
            if error := errors.get(message):
                self._keep(place, Reason.NOT_DELETED, error.detail)
            else:
                self._found.deleted += 1
                self._note_gone(place)

    def _keep(self, place: int, reason: Reason, detail: str) -> None:
        """A message that has its copy stays at the source, and is not looked at again."""
        self._job.progress.failed[short(self._items[place].id)] = None
        self._note_gone(place)
        self._tell(place, reason, detail)

    def _note_gone(self, place: int) -> None:
        key, gone = self._counts[place].key, self._job.progress.gone
        gone[key] = gone.get(key, 0) + 1
