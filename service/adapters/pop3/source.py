"""A message fetched whole, and the parts cut out of it."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from service.adapters.apart import apart
from service.adapters.spool import CHUNK, Spool
from service.adapters.whole import MOST, structure_of
from service.mail.errors import NotFound
from service.mail.mime import transfer
from service.mail.mime.structure import Entity, find

KEPT = 4
AS_STORED = frozenset({None, "", "7bit", "8bit", "binary"})

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Slice:
    """Octets ``start`` to ``stop`` of a spool."""

    spool: Spool
    start: int
    stop: int


class Source:
    """Parsed once, each part decoded once, however many requests and ranges ask for it."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self._entity: Entity | None = None
        self._decoded: dict[str, Spool] = {}

    async def part(self, part: str) -> Entity:
        """NotFound where the message has none of that id."""
        if self._entity is None:
            self._entity = await structure_of(self.spool)
        found = find(self._entity, part)
        if found is None:
            raise NotFound("part")
        return found

    async def body(self, entity: Entity, *, encoded: bool) -> Slice:
        """What a part holds, as stored or decoded."""
        start, stop, encoding = entity.body_start, entity.stop, entity.part.encoding
        if encoded or encoding in AS_STORED:
            return Slice(self.spool, start, stop)
        spool = self._decoded.get(entity.part.id)
        if spool is None:
            spool = await apart(partial(_decode, self.spool, start, stop, encoding), stop - start)
            self._decoded[entity.part.id] = spool
        return Slice(spool, 0, spool.size)


class Recent(Generic[K, V]):
    """The things used last, a bounded number of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: K, thing: V) -> None:
        self._kept[key] = thing
        self._kept.move_to_end(key)
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)

    def forget(self, key: K) -> None:
        self._kept.pop(key, None)


class Shelf:
    """Messages fetched last, for a few seconds: ranges and parts of a message are asked for one after the other."""

    def __init__(self, keep: float) -> None:
        self._keep = keep
        self._sources: Recent[bytes, Source] = Recent(KEPT)
        self._timers: dict[bytes, asyncio.TimerHandle] = {}

    def get(self, place: bytes) -> Source | None:
        return self._sources.get(place)

    def put(self, place: bytes, source: Source) -> None:
        """What is too large to be taken apart is only ever passed on, and not kept."""
        if source.spool.size > MOST:
            return
        self.forget(place)
        self._sources.put(place, source)
        self._timers[place] = asyncio.get_running_loop().call_later(self._keep, self.forget, place)

    def forget(self, place: bytes) -> None:
        """Readers that hold it read on."""
        self._sources.forget(place)
        timer = self._timers.pop(place, None)
        if timer is not None:
            timer.cancel()

    def clear(self) -> None:
        for place in list(self._timers):
            self.forget(place)


def _decode(spool: Spool, start: int, stop: int, encoding: str | None) -> Spool:
    decoder = transfer.decoder(encoding)
    decoded = Spool(MOST)
    for place in range(start, stop, CHUNK):
        decoded.write(decoder.feed(spool.read(place, min(place + CHUNK, stop))))
    decoded.write(decoder.finish())
    return decoded
