"""What a folder of the destination has, and which messages of the source that is already.

Messages are the same if name, size and time of arrival are. If only some of these are, or several messages share them,
the octets decide: by their digests, each of which is read once.
"""

from collections.abc import Collection, Iterable, Sequence

from service.mail.backend import MAX_ITEMS, Backend
from service.mail.inventory import Item
from service.transfer.reading import Letter, Marks, in_pieces, marks_of

_Key = tuple[bytes, int | None, int | None]
LISTED_AT_ONCE = MAX_ITEMS // 2


def _key(item: Item) -> _Key:
    return item.name, item.size, _second(item)


def _second(item: Item) -> int | None:
    return int(item.received_at.timestamp()) if item.received_at else None


class Index:
    """The messages of one folder, or of several. Each can be taken once, as the copy of one message of the source."""

    def __init__(self, mailbox: Backend) -> None:
        self._mailbox = mailbox
        self._same: dict[_Key, list[str]] = {}
        self._named: dict[bytes, list[str]] = {}
        self._dated: dict[tuple[int | None, int | None], list[str]] = {}
        self._sizes: dict[str, int | None] = {}
        self._seconds: dict[str, int | None] = {}
        self._taken: set[str] = set()
        self._marks: dict[str, Marks | None] = {}

    async def read(self, folder: str) -> Sequence[str]:
        """Add the messages of the folder; returns their ids."""
        ids = await self._mailbox.list_ids(folder)
        for piece in in_pieces(ids, LISTED_AT_ONCE):
            self.add(await self._mailbox.get_items(piece))
        return ids

    def add(self, items: Iterable[Item]) -> None:
        """More messages."""
        for item in items:
            self._sizes[item.id] = item.size
            self._seconds[item.id] = second = _second(item)
            self._dated.setdefault((item.size, second), []).append(item.id)
            if item.name:
                self._same.setdefault(_key(item), []).append(item.id)
                self._named.setdefault(item.name, []).append(item.id)

    def match(self, items: Sequence[Item]) -> dict[int, str]:
        """Which of the messages are here, as far as that is certain without their octets: by their places in the list,
        the ids of the copies."""
        places: dict[_Key, list[int]] = {}
        for place, item in enumerate(items):
            if item.name:
                places.setdefault(_key(item), []).append(place)
        found: dict[int, str] = {}
        for key, alike in places.items():
            here = self._same.get(key, [])
            if len(here) >= len(alike):
                found |= dict(zip(alike, here, strict=False))
        self._taken.update(found.values())
        return found

    def alike(self, keys: Collection[tuple[bytes, int | None]]) -> dict[str, Item]:
        """The messages with these names and sizes, by their ids."""
        return {
            message: Item(message, name, size, None, ())
            for name, size in keys
            for message in self._named.get(name, ())
            if self._sizes[message] == size
        }

    def has(self, item: Item) -> bool:
        """Whether there is one like it, taken or not."""
        return bool(item.name) and _key(item) in self._same

    def has_name(self, item: Item) -> bool:
        """Whether there is one of the same name."""
        return item.name in self._named

    async def take(self, letter: Letter, *, is_only: bool) -> str | None:
        """The id of a copy of these octets that was not taken before, which is taken now; None if there is none.

        If name and time of arrival are the same, and this is the only message of that name, its body alone decides:
        some servers add fields to the header of what they store."""
        if not self._sizes:
            return None
        item = letter.item
        names, second = {each for each in (item.name, letter.name) if each}, _second(item)
        named = self._free(self._named.get(each, ()) for each in names)
        dated = self._free(self._dated.get((each, second), ()) for each in {item.size, letter.source.size})
        if not (named or dated):
            return None
        await self._learn([*named, *dated])
        digest = letter.source.digest
        candidates = [(each, self._marks[each]) for each in (*named, *dated)]
        found = next((each for each, marks in candidates if marks and marks.whole == digest), None)
        if found is None and is_only and second is not None:
            alike = [message for message in named if self._seconds[message] == second]
            body = (await letter.marks()).body if alike else b""
            found = next((each for each in alike if (known := self._marks[each]) and known.body == body), None)
        if found is not None:
            self._taken.add(found)
        return found

    def _free(self, lists: Iterable[Iterable[str]]) -> list[str]:
        """Those that were not taken, each once."""
        return list(dict.fromkeys(message for ids in lists for message in ids if message not in self._taken))

    async def _learn(self, messages: Sequence[str]) -> None:
        new = [message for message in dict.fromkeys(messages) if message not in self._marks]
        self._marks |= await marks_of(self._mailbox, [Item(each, b"", self._sizes[each], None, ()) for each in new])
