"""A fetched message and its parts."""

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
"""Seconds that the event loop's clock may be ahead of the cache's."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Octets ``start`` to ``stop`` of a spool."""

    spool: Spool
    start: int
    stop: int


class Source:
    """A message in a spool. It is parsed once and each part is decoded once, for any number of requests and ranges."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self._entity: Entity | None = None
        self._decoded: dict[str, Spool] = {}

    async def part(self, part: str) -> Entity:
        """Raises NotFound if the message has no part with that id."""
        if self._entity is None:
            self._entity = await parse_structure(self.spool)
        entity = find(self._entity, part)
        if entity is None:
            raise NotFound("part")
        return entity

    async def body(self, entity: Entity, *, encoded: bool) -> Slice:
        """The content of a part, as stored or decoded."""
        start, stop, encoding = entity.body_start, entity.stop, entity.part.encoding
        if encoded or transfer.is_identity(encoding):
            return Slice(self.spool, start, stop)
        spool = self._decoded.get(entity.part.id)
        if spool is None:
            spool = await in_thread(partial(_decode, self.spool, start, stop, encoding), stop - start)
            self._decoded[entity.part.id] = spool
        return Slice(spool, 0, spool.size)


class SourceCache:
    """The messages fetched last, for ``keep`` seconds: clients request ranges and parts of a message one by one."""

    def __init__(self, keep: float) -> None:
        self._keep = keep
        self._sources: TTLCache[bytes, Source] = TTLCache(KEPT, keep)

    def get(self, key: bytes) -> Source | None:
        return self._sources.get(key)

    def put(self, key: bytes, source: Source) -> None:
        """Keeps the message, unless it is too large to parse: then it is only ever passed on."""
        if source.spool.size > MAX_PARSED:
            return
        self._sources[key] = source
        # The cache itself removes expired messages only when it is used next.
        asyncio.get_running_loop().call_later(self._keep + _LATER, self._sources.expire)

    def forget(self, key: bytes) -> None:
        """Downloads that have begun continue."""
        self._sources.pop(key, None)

    def clear(self) -> None:
        self._sources.clear()


def _decode(spool: Spool, start: int, stop: int, encoding: str | None) -> Spool:
    decoder = transfer.decoder(encoding)
    decoded = Spool(MAX_PARSED)
    for offset in range(start, stop, CHUNK):
        decoded.write(decoder.feed(spool.read(offset, min(offset + CHUNK, stop))))
    decoded.write(decoder.finish())
    return decoded
