"""Copies and moves single messages into another mailbox, each with its own outcome."""

from collections.abc import Sequence

from service.mail.backend import MAX_ITEMS, Backend
from service.mail.errors import MailError, NotFound, UpstreamError
from service.mail.exchange import Outcome
from service.mail.inventory import Item
from service.mail.model import Capability, Protocol
from service.transfer.deleting import NOT_VERIFIED, Copy, are_distinct, delete, verified_among
from service.transfer.index import Index
from service.transfer.links import concerns_all, told
from service.transfer.reading import Letter, in_pieces, letters
from service.transfer.writing import Writer, fault_of

TARGET = "The other mailbox"


async def cross(
    source: Backend, messages: Sequence[str], destination: Backend, folder: str, *, moves: bool, once: bool = False
) -> tuple[Outcome, ...]:
    """Copy messages to a folder of another mailbox, or move them. Outcomes in the order of ``messages``; new ids are of
    the other mailbox. A message is removed from the source only if its copy, read back, has the same octets. ``once``:
    what the folder has already is not copied again. Raises NotFound("folder")."""
    await destination.check()
    if Capability.IMPORT not in destination.capabilities:
        raise destination.not_supported(Capability.IMPORT)
    target = (await destination.get_folder(folder)).id
    items = [
        item for piece in in_pieces(list(dict.fromkeys(messages)), MAX_ITEMS) for item in await source.get_items(piece)
    ]
    crossing = _Crossing(source, destination, target, items, moves=moves)
    if once:
        await crossing.look()
    await crossing.run()
    return tuple(crossing.outcomes.get(each) or Outcome(each, NotFound("message")) for each in messages)


class _Crossing:
    def __init__(
        self, source: Backend, destination: Backend, target: str, items: Sequence[Item], *, moves: bool
    ) -> None:
        self._source, self._destination, self._target = source, destination, target
        self._items, self._moves = items, moves
        self._index = Index(destination)
        self._writer = Writer(destination, target)
        self._is_distinct = False
        self.outcomes: dict[str, Outcome] = {}

    async def look(self) -> None:
        """What the folder has."""
        await self._index.read(self._target)

    async def run(self) -> None:
        """Until all are copied, or an error that concerns all is seen: then the rest have it."""
        with_crlf = self._source.protocol is Protocol.MAILDIR and self._destination.protocol is Protocol.IMAP
        try:
            async for batch in letters(self._source, list(enumerate(self._items)), {}, with_crlf=with_crlf):
                try:
                    await self._take(batch.letters)
                finally:
                    for letter in batch.letters:
                        letter.close()
        except MailError as error:
            for item in self._items:
                self.outcomes.setdefault(item.id, Outcome(item.id, error))

    async def _take(self, batch: Sequence[Letter]) -> None:
        copies: list[Copy] = []
        new: list[Letter] = []
        if self._moves and batch:
            await self._see_that_distinct(batch)
        for letter in batch:
            if fault := fault_of(letter):
                self._note(letter, letter.error or UpstreamError(fault[1]))
            elif (copy := await self._index.take(letter, is_only=False)) is not None:
                copies.append(self._copied(letter, copy))
            else:
                new.append(letter)
        failure = None
        for letter, outcome in zip(new, await self._writer.write(new) if new else (), strict=True):
            if outcome.error is None:
                copies.append(self._copied(letter, outcome.id))
            else:
                error = told(outcome.error, TARGET)
                self._note(letter, error)
                failure = error if concerns_all(error) else failure
        if self._moves:
            await self._remove(copies)
        if failure is not None:
            raise failure

    def _note(self, letter: Letter, error: MailError) -> None:
        self.outcomes[letter.item.id] = Outcome(letter.item.id, error)

    def _copied(self, letter: Letter, copy: str | None) -> Copy:
        self.outcomes[letter.item.id] = Outcome(letter.item.id, new_id=copy)
        return Copy.of(letter, copy)

    async def _see_that_distinct(self, batch: Sequence[Letter]) -> None:
        """Once, before anything is copied."""
        if not self._is_distinct:
            rows = await self._source.get_messages([item.id for item in self._items])
            folders = {row.folder_id for row in rows}
            self._is_distinct = await are_distinct(self._source, folders, self._destination, self._target, batch)

    async def _remove(self, copies: Sequence[Copy]) -> None:
        verified = await verified_among(self._destination, copies) if self._is_distinct else []
        for copy in copies:
            if copy not in verified:
                message = self._items[copy.place].id
                self.outcomes[message] = Outcome(message, UpstreamError(NOT_VERIFIED[1]), self.outcomes[message].new_id)
        items = [self._items[copy.place] for copy in verified]
        errors = await delete(self._source, items) if items else {}
        for message, error in errors.items():
            self.outcomes[message] = Outcome(message, error, self.outcomes[message].new_id)
