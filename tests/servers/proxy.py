"""A way to a server that takes time, ends at a word, or is worse: ``async with passing(port, delay=0.01) as proxy:
proxy.port``."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from tests.servers.process import HOST
from tests.servers.visits import Visits

CHUNK = 256 * 1024
Fate = Callable[[bytes], Awaitable[tuple[bytes, bool]]]
"""What is handed on of some octets, of either side, and whether the connection goes on after them."""


async def unharmed(octets: bytes) -> tuple[bytes, bool]:
    return octets, True


class Proxy:
    """Hands on what each side says after ``delay`` seconds, in order; a round trip takes twice that."""

    def __init__(self, port: int, delay: float = 0.0, cut_before: bytes | None = None, fate: Fate = unharmed) -> None:
        """What the client says is not handed on from ``cut_before``: both connections are closed instead."""
        self.fate = fate
        self.port = 0
        self.connections = 0
        self.round_trips = 0
        """How often a client spoke after its server had spoken."""
        self._to = port
        self._delay = delay
        self._cut_before = cut_before

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there, away = await asyncio.open_connection(HOST, self._to)
        turn = _Turn()
        ways = [
            asyncio.create_task(self._hand_on(reader, away, self._cut_before, partial(self._count, turn))),
            asyncio.create_task(self._hand_on(there, writer, None, turn.answered)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            away.close()
            await asyncio.gather(*ways, return_exceptions=True)

    def _count(self, turn: "_Turn") -> None:
        self.round_trips += turn.asked()

    async def _hand_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, end: bytes | None, note: Callable[[], object]
    ) -> None:
        """Octets read while others are on their way set out at once: the delay is the way's, not the chunk's."""
        on_their_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        clock = asyncio.get_running_loop().time
        delivery = asyncio.create_task(self._deliver(on_their_way, writer))
        try:
            while (octets := await reader.read(CHUNK)) and not (end and end in octets):
                note()
                octets, goes_on = await self.fate(octets)
                if octets:
                    on_their_way.put_nowait((clock() + self._delay, octets))
                if not goes_on:
                    octets = b""
                    break
            if not octets:
                on_their_way.put_nowait((clock() + self._delay, b""))
                await delivery
        except ConnectionError:
            pass
        finally:
            delivery.cancel()
            await asyncio.gather(delivery, return_exceptions=True)

    async def _deliver(self, on_their_way: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due, octets = await on_their_way.get()
            await asyncio.sleep(max(0.0, due - clock()))
            if not octets:
                return
            writer.write(octets)
            await writer.drain()


class _Turn:
    """Who spoke last on one connection."""

    def __init__(self) -> None:
        self._is_servers = True

    def asked(self) -> bool:
        """The client speaks. Returns whether the server had spoken before."""
        begins, self._is_servers = self._is_servers, False
        return begins

    def answered(self) -> None:
        """The server speaks."""
        self._is_servers = True


@asynccontextmanager
async def passing(
    port: int, delay: float = 0.0, cut_before: bytes | None = None, fate: Fate = unharmed
) -> AsyncIterator[Proxy]:
    """A proxy to this port, closed with everything it has open."""
    proxy = Proxy(port, delay, cut_before, fate)
    async with Visits(proxy.serve) as visits:
        proxy.port = visits.port
        yield proxy
