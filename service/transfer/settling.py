"""What a run has appended to a folder, beside what others append to it at the same time."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from service.mail.backend import Backend
from service.mail.inventory import Item
from service.transfer.index import LISTED_AT_ONCE, Index
from service.transfer.reading import Marks, in_pieces, marks_of

Alike = tuple[bytes, int | None]


class Appends:
    """The messages that a run has appended to a folder."""

    def __init__(self, destination: Backend) -> None:
        self._destination = destination
        self._before: set[str] = set()
        self._own: dict[str, Item] = {}

    def begin(self, present: Iterable[str]) -> None:
        """These messages are in the folder before anything is appended."""
        self._before = set(present)

    def note(self, copy: str | None, item: Item) -> str | None:
        """An item of the source was appended. Returns the id of the copy; None if it is not known, or is that of
        another message: some servers keep one of equal messages, and some are wrong."""
        if copy is None or copy in self._before or copy in self._own:
            return None
        self._own[copy] = item._replace(id=copy)
        return copy

    async def settle(self, index: Index, target: str, wanted: Mapping[Alike, int]) -> None:
        """Messages that another process appended meanwhile may be the same: one that was killed, whose last command the
        server carried out later, or one at work on the same import. The folder gets as many as the source has
        (``wanted``): the first ones stay, so that of two processes that both look one gives way."""
        if not self._own:
            return
        now = await self._destination.list_ids(target)
        foreign = [message for message in now if message not in self._before and message not in self._own]
        same = {alike(item) for item in self._own.values()}
        found = {
            item.id: item
            for piece in in_pieces(foreign, LISTED_AT_ONCE)
            for item in await self._destination.get_items(piece)
            if alike(item) in same
        }
        if found:
            await self._give_way(index, found, now, wanted)

    async def _give_way(
        self, index: Index, foreign: Mapping[str, Item], now: Sequence[str], wanted: Mapping[Alike, int]
    ) -> None:
        """Only messages of the same octets count, and only those that this run has appended are removed."""
        doubtful = {alike(item) for item in foreign.values()}
        own = {message: item for message, item in self._own.items() if alike(item) in doubtful}
        items = {**foreign, **own, **index.alike(doubtful)}
        marks = await marks_of(self._destination, list(items.values()))
        kept: Counter[tuple[Alike, Marks | None]] = Counter()
        surplus = []
        for message in [message for message in now if message in items]:
            key = alike(items[message]), marks[message]
            if message in own and kept[key] >= wanted[key[0]]:
                surplus.append(message)
            else:
                kept[key] += 1
        if surplus:
            await self._destination.delete_messages(surplus)


def alike(item: Item) -> Alike:
    """What messages have in common that may be the same."""
    return item.name, item.size
