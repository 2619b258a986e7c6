"""Whoever comes at the last moment is let go as everybody else, or tests would leave sockets open now and then."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.servers.process import HOST
from tests.servers.proxy import passing
from tests.servers.visits import Visits

every_moment = pytest.mark.parametrize("turns", range(10))
"""Of the loop, from the first client's coming to the listener's end: the way in takes asyncio some."""


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that says nothing."""
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(5)
        yield listener


async def callers(port: int, turns: int) -> list[socket.socket]:
    called = [socket.create_connection((HOST, port), 5) for _ in range(3)]
    for _ in range(turns):
        await asyncio.sleep(0)
    return called


def is_cut(connection: socket.socket) -> bool:
    with connection, suppress(ConnectionResetError):
        return connection.recv(1) == b""
    return True


@every_moment
async def test_everybody_who_came_is_let_go(turns: int) -> None:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with Visits(converse) as visits:
        called = await callers(visits.port, turns)
    assert all(is_cut(one) for one in called)


@every_moment
async def test_a_proxy_lets_go_of_both_sides(silent: socket.socket, turns: int) -> None:
    async with passing(silent.getsockname()[1]) as proxy:
        called = await callers(proxy.port, turns)
    assert all(is_cut(one) for one in called)
    assert all(is_cut(silent.accept()[0]) for _ in range(proxy.connections))


async def test_what_goes_wrong_in_a_visit_is_raised() -> None:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b"hello"

    with pytest.raises(AssertionError):
        async with Visits(converse) as visits:
            for one in await callers(visits.port, 0):
                one.close()
            async with asyncio.timeout(5):
                while not visits.failures:
                    await asyncio.sleep(0)
