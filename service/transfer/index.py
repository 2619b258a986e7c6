"""What a folder of the destination has, and which messages of the source that is already.

Messages are the same if name, size and time of arrival are. If only some of these are, or several messages share them,
the octets decide: by their digests, each of which is read once.
"""

from collections.abc import Collection, Iterable, Sequence

from service.mail.backend import MAX_ITEMS, Backend
from service.mail.inventory import Item
from service.transfer.reading import Letter, digest_of, in_pieces

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
        self._taken: set[str] = set()
        self._digests: dict[str, bytes | None] = {}

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
            self._dated.setdefault((item.size, _second(item)), []).append(item.id)
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

    async def take(self, letter: Letter) -> str | None:
        """The id of a copy of these octets that was not taken before, which is taken now; None if there is none."""
        if not self._sizes:
            return None
        candidates = dict.fromkeys(self._candidates(letter))
        await self._learn([message for message in candidates if message not in self._digests])
        digest = letter.source.digest
        found = next((message for message in candidates if self._digests[message] == digest), None)
        if found is not None:
            self._taken.add(found)
        return found

    def _candidates(self, letter: Letter) -> Iterable[str]:
        item, second = letter.item, _second(letter.item)
        lists = [self._named.get(each, ()) for each in {item.name, letter.name} if each]
        lists += [self._dated.get((each, second), ()) for each in {item.size, letter.source.size}]
        return (message for ids in lists for message in ids if message not in self._taken)

    async def _learn(self, messages: Sequence[str]) -> None:
        sized = [Item(message, b"", self._sizes[message], None, ()) for message in messages]
        self._digests |= await digest_of(self._mailbox, sized)
