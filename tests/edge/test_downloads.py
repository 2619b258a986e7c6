"""Many large downloads with slow readers, in a process of their own."""

import asyncio
from contextlib import AsyncExitStack

import httpx

from tests.api.served import CANARY, FIRST, USER
from tests.api.test_faults import FLAGS, SIGNED_IN, windows
from tests.deploy.replica import Replica
from tests.edge.conftest import NOBODY
from tests.edge.raw import connected, memory
from tests.servers.scripted import Imap, ScriptedServer

READERS, SIZE = 60, 16 << 20


def windows_of(server: ScriptedServer) -> int:
    """How often octets of the message were asked for."""
    return sum(b"BODY.PEEK[]" in command for command in server.commands)


async def test_unread_downloads_cost_little_and_hold_nothing() -> None:
    """R-OPS-07, R-OPS-08: two windows of memory each at most, fewer octets fetched than there are, others are served."""
    upstream = Imap(exists=1, uid_validity=7, answers=windows(SIZE, FLAGS, size=SIZE))
    async with (
        ScriptedServer([upstream]) as server,
        Replica(NOBODY | {"CASELLA_SERVERS__HOME__IMAP__PORT": str(server.port)}) as replica,
        AsyncExitStack() as stack,
        httpx.AsyncClient(base_url=replica.url, auth=(USER.username, CANARY), timeout=30) as client,
    ):
        assert (await client.get(f"{FIRST}/flags")).status_code == 200
        before = memory(replica.pid)
        readers = [
            await stack.enter_async_context(connected(replica.port, receive_buffer=4096)) for _ in range(READERS)
        ]
        for raw in readers:
            await raw.send(f"GET {FIRST}/source HTTP/1.1\r\n{SIGNED_IN}\r\n".encode())
        async with asyncio.timeout(30):
            while windows_of(server) < READERS:
                await asyncio.sleep(0.05)
            fetched = -1
            while fetched != (fetched := windows_of(server)):  # until nothing more is asked for
                assert (await client.get(f"{FIRST}/flags")).json() == {"flags": ["after"]}
                await asyncio.sleep(0.5)
        assert fetched <= READERS * 9  # of sixteen; the kernel's buffers are not the process's memory
        assert memory(replica.pid) - before < READERS * (2 << 20) + (32 << 20)
        assert server.connections <= 4
        whole = (await client.get(f"{FIRST}/source")).content
        assert whole == (b"QUJD" * (SIZE // 4))
