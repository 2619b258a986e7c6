"""A message fetched whole, and the parts cut out of it."""

import asyncio
from dataclasses import dataclass
from functools import partial

from cachetools import TTLCache

from service.adapters.shared.parsing import MAX_PARSED, parse_structure
from service.adapters.shared.threads import in_thread
from service.mail.errors import NotFound
from service.mail.mime.structure import Entity, find
from service.mail.mime.transfer import decoding as transfer
from service.spool import CHUNK, Spool

KEPT = 4
_LATER = 0.1
"""Seconds by which the event loop's clock may be ahead of the cache's."""


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
            self._entity = await parse_structure(self.spool)
        found = find(self._entity, part)
        if found is None:
            raise NotFound("part")
        return found

    async def body(self, entity: Entity, *, encoded: bool) -> Slice:
        """What a part holds, as stored or decoded."""
        start, stop, encoding = entity.body_start, entity.stop, entity.part.encoding
        if encoded or transfer.is_identity(encoding):
            return Slice(self.spool, start, stop)
        spool = self._decoded.get(entity.part.id)
        if spool is None:
            spool = await in_thread(partial(_decode, self.spool, start, stop, encoding), stop - start)
            self._decoded[entity.part.id] = spool
        return Slice(spool, 0, spool.size)


class SourceCache:
    """Messages fetched last, for ``keep`` seconds: ranges and parts of a message are asked for one after the other."""

    def __init__(self, keep: float) -> None:
        self._keep = keep
        self._sources: TTLCache[bytes, Source] = TTLCache(KEPT, keep)

    def get(self, place: bytes) -> Source | None:
        return self._sources.get(place)

    def put(self, place: bytes, source: Source) -> None:
        """What is too large to be taken apart is only ever passed on, and not kept."""
        if source.spool.size > MAX_PARSED:
            return
        self._sources[place] = source
        # By itself the cache frees what has expired only when it is used next.
        asyncio.get_running_loop().call_later(self._keep + _LATER, self._sources.expire)

    def forget(self, place: bytes) -> None:
        """Readers that hold it read on."""
        self._sources.pop(place, None)

    def clear(self) -> None:
        self._sources.clear()


def _decode(spool: Spool, start: int, stop: int, encoding: str | None) -> Spool:
    decoder = transfer.decoder(encoding)
    decoded = Spool(MAX_PARSED)
    for place in range(start, stop, CHUNK):
        decoded.write(decoder.feed(spool.read(place, min(place + CHUNK, stop))))
    decoded.write(decoder.finish())
    return decoded
