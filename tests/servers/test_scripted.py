"""The scripted server does what its scripts say."""

import asyncio
import imaplib
import time
from contextlib import suppress

import pytest

from tests.servers.scripted import (
    Chunked,
    Close,
    Drip,
    Expect,
    Flood,
    Hang,
    Imap,
    Repeat,
    ScriptedServer,
    Send,
    StartTls,
)
from tests.servers.tls import Certificate, make_certificate


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, octets: bytes) -> bytes:
        self.writer.write(octets)
        return await self.reader.readline()

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


async def connect(server: ScriptedServer) -> Client:
    return Client(*await asyncio.open_connection(server.host, server.port))


async def test_a_tag_is_captured_and_said_back() -> None:
    async with ScriptedServer([b"* OK hi\r\n", Expect(b"noop"), Send(b"{tag} OK done\r\n")]) as server:
        client = await connect(server)
        assert await client.reader.readline() == b"* OK hi\r\n"
        assert await client.ask(b"a1 NOOP\r\n") == b"a1 OK done\r\n"
        assert await client.reader.read() == b""
        await client.close()
    assert server.commands == [b"NOOP"]
    assert server.connections == 1
    assert server.octets == len(b"a1 NOOP\r\n")


async def test_an_unmet_expectation_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="expected b'LOGIN', got b'NOOP'"):
        async with ScriptedServer([Expect(b"LOGIN")]) as server:
            client = await connect(server)
            assert await client.ask(b"a1 NOOP\r\n") == b""
            await client.close()


async def test_a_callable_may_judge_a_command() -> None:
    async with ScriptedServer([Expect(lambda command: command.endswith(b"x")), b"{tag} OK\r\n"]) as server:
        client = await connect(server)
        assert await client.ask(b"t SELECT x\r\n") == b"t OK\r\n"
        await client.close()


async def test_literals_of_both_kinds_are_part_of_the_command() -> None:
    async with ScriptedServer([Expect(b"LOGIN"), b"{tag} OK\r\n"]) as server:
        client = await connect(server)
        assert await client.ask(b"a LOGIN {4}\r\n") == b"+ go on\r\n"
        assert await client.ask(b"us\r\n {2+}\r\n{}\r\n") == b"a OK\r\n"
        await client.close()
    assert server.commands == [b"LOGIN {4}\r\nus\r\n {2+}\r\n{}"]


async def test_a_literal_may_be_refused() -> None:
    async with ScriptedServer([Imap(continuation=b"{tag} NO [TOOBIG] no\r\n")]) as server:
        client = await connect(server)
        await client.reader.readline()
        assert await client.ask(b"a LOGIN {4000}\r\n") == b"a NO [TOOBIG] no\r\n"
        assert await client.ask(b"b NOOP\r\n") == b"b OK done\r\n"
        await client.close()
    assert server.commands == [b"LOGIN {4000}", b"NOOP"]


async def test_round_trips_are_bursts_not_commands() -> None:
    async with ScriptedServer([Imap()]) as server:
        client = await connect(server)
        await client.reader.readline()
        assert server.round_trips == 0
        client.writer.write(b"a NOOP\r\n")
        client.writer.write(b"b NOOP\r\n")
        assert await client.ask(b"c NOOP\r\n") == b"a OK done\r\n"
        assert await client.reader.readline() + await client.reader.readline() == b"b OK done\r\nc OK done\r\n"
        assert server.round_trips == 1
        await client.ask(b"d NOOP\r\n")
        assert server.round_trips == 2
        await client.close()
    assert server.verbs == ["NOOP"] * 4


async def test_chunks_arrive_one_by_one() -> None:
    async with ScriptedServer([Expect(), Chunked(b"{tag} OK done", 2), Hang()]) as server:
        client = await connect(server)
        client.writer.write(b"a x\r\n")
        pieces = [await client.reader.read(100) for _ in range(5)]
        assert pieces == [b"a ", b"OK", b" d", b"on", b"e"]
        await client.close()


async def test_a_drip_takes_its_time() -> None:
    async with ScriptedServer([Drip(b"12345", 0.01)]) as server:
        start = time.monotonic()
        client = await connect(server)
        assert await client.reader.read() == b"12345"
        await client.close()
    assert time.monotonic() - start >= 0.04


async def test_a_flood_has_its_size_and_stops_with_the_client() -> None:
    async with ScriptedServer(lambda number: [Flood(b"abc", 1_000_000 if number == 0 else None)]) as server:
        client = await connect(server)
        assert len(await client.reader.read()) == 1_000_000
        await client.close()
        endless = await connect(server)
        assert await endless.reader.readexactly(300_000) == b"abc" * 100_000
        await endless.close()
        async with asyncio.timeout(5):
            await server.all_closed()
    assert server.connections == 2


async def test_repeat_plays_steps_again() -> None:
    async with ScriptedServer([Repeat([Expect(), Send(b"{tag} NO\r\n")], 2), Close()]) as server:
        client = await connect(server)
        assert await client.ask(b"a x\r\n") == b"a NO\r\n"
        assert await client.ask(b"b x\r\n") == b"b NO\r\n"
        assert await client.reader.read() == b""
        await client.close()


async def test_a_reset_is_no_polite_end() -> None:
    async with ScriptedServer([Expect(), Close(reset=True)]) as server:
        client = await connect(server)
        client.writer.write(b"a x\r\nb y\r\n")
        assert await client.reader.read() == b""
        await client.close()


async def test_a_server_that_hangs_is_ended_all_the_same() -> None:
    async with ScriptedServer([b"hi", Hang(reads=False)]) as server:
        client = await connect(server)
        client.writer.write(b"x" * 100)
        async with asyncio.timeout(5):
            assert await client.reader.readexactly(2) == b"hi"
        assert server.open == 1
    assert server.open == 0
    with suppress(ConnectionResetError):
        assert await client.reader.read() == b""
        await client.close()


async def test_answers_may_be_octets_steps_or_functions() -> None:
    imap = Imap(
        answers={
            "UID FETCH": b"* 1 FETCH (UID 1 FLAGS ())\r\n{tag} OK done\r\n",
            "UID": b"{tag} NO never\r\n",
            "NOOP": [Chunked(b"{tag} OK slowly\r\n", 3)],
            "SELECT": lambda command: b"{tag} NO " + command.split(b" ")[1] + b"\r\n",
            "CHECK": lambda _: [Close()],
        }
    )
    async with ScriptedServer([imap]) as server:
        client = await connect(server)
        await client.reader.readline()
        assert await client.ask(b"a UID FETCH 1 FLAGS\r\n") == b"* 1 FETCH (UID 1 FLAGS ())\r\n"
        assert await client.reader.readline() == b"a OK done\r\n"
        assert await client.ask(b"b uid search all\r\n") == b"b NO never\r\n"
        assert await client.ask(b"c noop\r\n") == b"c OK slowly\r\n"
        assert await client.ask(b"d SELECT box\r\n") == b"d NO box\r\n"
        assert await client.ask(b"e CHECK\r\n") == b""
        await client.close()


def talk(host: str, port: int, certificate: Certificate, *, implicit: bool) -> list[bytes]:
    context = certificate.client_context()
    client = imaplib.IMAP4_SSL(host, port, ssl_context=context) if implicit else imaplib.IMAP4(host, port)
    with client:
        if not implicit:
            client.starttls(context)
        client.login("user", "secret")
        found: list[bytes] = client.select()[1]  # type: ignore[assignment]
        return found


@pytest.mark.parametrize("implicit", [True, False], ids=["tls", "starttls"])
async def test_an_ordinary_client_is_content_with_it(certificate: Certificate, implicit: bool) -> None:
    imap = Imap(exists=3, uid_validity=7, uid_next=9)
    async with ScriptedServer([imap], tls=certificate.server_context(), implicit=implicit) as server:
        found = await asyncio.to_thread(talk, server.host, server.port, certificate, implicit=implicit)
    assert found == [b"3"]
    assert server.verbs[-2:] == ["SELECT", "LOGOUT"]


async def test_a_failed_handshake_only_ends_the_connection(certificate: Certificate) -> None:
    async with ScriptedServer([Expect(), b"{tag} OK\r\n", StartTls()], tls=certificate.server_context()) as server:
        client = await connect(server)
        assert await client.ask(b"a STARTTLS\r\n") == b"a OK\r\n"
        client.writer.write(b"this is no handshake\r\n")
        await client.reader.read()
        await client.close()
    assert not server.failures
