"""What a broken mail server does to a client over HTTP: a mapped answer in time, no octet mixed up, no other account affected."""

import asyncio
import logging
import re

import httpx
import pytest

from tests.adapters.imap.session.test_connection import memory
from tests.api.served import CANARY, FIRST, ME, USER, Served, served
from tests.api.test_problems import is_problem
from tests.edge.raw import connected
from tests.servers.process import HOST
from tests.servers.scripted import Answer, Answers, Close, Drip, Flood, Hang, Imap, ScriptedServer, Send

FLAGS = b"* 1 FETCH (UID 1 FLAGS (after))\r\n{tag} OK done\r\n"
LARGE = 5 << 20
SIGNED_IN = f"Host: {HOST}\r\nAuthorization: {httpx.BasicAuth(USER.username, CANARY)._auth_header}\r\n"
WINDOW = re.compile(rb"BODY\.PEEK\[([0-9.]*)\]<(\d+)\.(\d+)>")
STRUCTURE = b'BODYSTRUCTURE ("application" "pdf" NIL NIL NIL "%b" %d NIL NIL NIL)'

BROKEN: dict[str, tuple[Answer, int, str]] = {
    "closes": ([Close()], 503, "upstream-unavailable"),
    "resets": ([Close(reset=True)], 503, "upstream-unavailable"),
    "says BYE": ([Send(b"* BYE [UNAVAILABLE] restart\r\n"), Close()], 503, "upstream-unavailable"),
    "is silent": ([Hang()], 504, "upstream-timeout"),
    "is silent in mid-line": ([Send(b"* 1 FETCH (UID 1 "), Hang()], 504, "upstream-timeout"),
    "drips": ([Drip(b"* 1 FETCH (UID 1 FLAGS (" + b"x " * 1000, 0.02)], 504, "upstream-timeout"),
    "never ends a line": ([Send(b"* 1 FETCH ("), Flood(b"x" * 65536)], 502, "upstream-protocol"),
    "announces 2 GiB": ([Send(b"* 1 FETCH (UID 1 BODY[] {2147483648}\r\n"), Flood(b"x" * 65536)], 502, "upstream-protocol"),
    "announces nonsense": (b"* 1 FETCH (UID 1 BODY[] {-1}\r\n{tag} OK\r\n", 502, "upstream-protocol"),
    "nests without end": (b"* 1 FETCH " + b"(" * 100_000 + b"\r\n{tag} OK\r\n", 502, "upstream-protocol"),
    "answers somebody else": (b"Z9 OK done\r\n", 502, "upstream-protocol"),
    "asks for more": (b"+ go on\r\n", 502, "upstream-protocol"),
    "speaks HTTP": (b"HTTP/1.1 200 OK\r\n\r\n", 502, "upstream-protocol"),
    "knows no such message": (b"{tag} OK done\r\n", 404, "not-found"),
    "tells of another message": (b"* 1 FETCH (UID 2 FLAGS (theirs))\r\n{tag} OK done\r\n", 404, "not-found"),
}  # fmt: skip


def once(answer: Answer, tries: int) -> Answers:
    """Broken ``tries`` times, then as it should be."""
    told = 0

    def say(_: bytes) -> Answer:
        nonlocal told
        told += 1
        return answer if told <= tries else FLAGS

    return {"UID FETCH": say}


def upstream(answers: Answers) -> ScriptedServer:
    return ScriptedServer([Imap(exists=3, uid_validity=7, answers=answers)])


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> "object":
    """No test here leaves a secret or a lost exception in a log."""
    caplog.set_level(logging.DEBUG)
    yield
    told = caplog.text + "".join(capfd.readouterr())
    for word in (CANARY, "never retrieved", "Traceback", "Exception in ASGI application"):
        assert word not in told


async def after_it_is_well(case: Served, server: ScriptedServer) -> None:
    """The account is served again, with what it asked for, and nothing is left half open."""
    answer = await case.client.get(f"{FIRST}/flags")
    assert answer.json() == {"flags": ["after"]}, answer.text
    assert server.open <= 2


@pytest.mark.parametrize(("answer", "status", "name"), BROKEN.values(), ids=BROKEN)
async def test_a_broken_answer_is_a_problem_in_time(answer: Answer, status: int, name: str) -> None:
    """R-IMAP-01, R-IMAP-02, R-IMAP-05, R-IMAP-07, R-IMAP-09, R-IMAP-10, R-IMAP-11, R-IMAP-16: to the client, with another
    account served meanwhile and this one afterwards."""
    tries = 1 if status == 404 else 2  # a read is repeated once on a new connection, if that may help
    before = memory()
    async with upstream(once(answer, tries)) as server, served(server) as case, asyncio.timeout(10):
        told, _ = await asyncio.gather(case.client.get(f"{FIRST}/flags"), case.neighbour_is_served())
        body = is_problem(told, status, name)
        assert body["retryable"] is (status in {503, 504})
        if told.status_code != 404 and server.verbs.count("UID FETCH") < tries:
            await case.client.get(f"{FIRST}/flags")
        await after_it_is_well(case, server)
    assert memory() - before < 32 << 20


CODES = {
    "UNAVAILABLE": (503, "upstream-unavailable"), "AUTHORIZATIONFAILED": (403, "not-permitted"), "NOPERM": (403, "not-permitted"),
    "LIMIT": (429, "too-many-requests"), "OVERQUOTA": (507, "over-quota"), "SERVERBUG": (502, "upstream-error"),
    "CORRUPTION": (502, "upstream-error"), "CONTACTADMIN": (502, "upstream-error"), "CANNOT": (422, "invalid-request"),
    "EXPUNGEISSUED": (404, "not-found"), "READ-ONLY": (403, "not-permitted"), "INUSE": (409, "in-use"),
    "UNHEARD-OF (1 2)": (502, "upstream-error"),
}  # fmt: skip


@pytest.mark.parametrize(("code", "status", "name"), [(code, *told) for code, told in CODES.items()])
async def test_a_refusal_is_the_problem_its_code_says(code: str, status: int, name: str) -> None:
    """R-IMAP-19: the code reaches the client, in any letter case, with Retry-After if waiting helps."""
    for line in (f"NO [{code}] no", f"no [{code.lower()}] no"):
        async with (
            upstream({"UID STORE": b"{tag} " + line.encode() + b"\r\n", "UID FETCH": FLAGS}) as server,
            served(server) as case,
        ):
            told = await case.client.patch(f"{FIRST}/flags", json={"add": ["$seen"]})
            body = is_problem(told, status, name)
            assert ("retry-after" in told.headers) is (status in {409, 429, 503}), told.headers
            if status in {502, 503} and "(" not in code:
                assert body["upstream"] == {"protocol": "imap", "code": code}
            await after_it_is_well(case, server)


def windows(until: int, end: Answer, encoding: bytes = b"7bit", size: int = LARGE) -> Answers:
    """A message, or its only part, of which octets from ``until`` on come as ``end`` says; flags are as ever."""

    def say(command: bytes) -> Answer:
        found = WINDOW.search(command)
        if found is None:
            return FLAGS
        section, start, wanted = found[1], int(found[2]), int(found[3])
        count = min(wanted, size - start)
        told = b"* 1 FETCH (UID 1 RFC822.SIZE %d %b BODY[%b]<%d> {%d}\r\n" % (
            size, STRUCTURE % (encoding, size), section, start, count,
        )  # fmt: skip
        if start >= until and wanted > 2:  # a read across the end shows that the size is correct
            return [Send(told + b"QUJD" * 25), *(end if not isinstance(end, bytes) else [end])]
        return told + (b"QUJD" * (count // 4 + 1))[:count] + b")\r\n{tag} OK done\r\n"

    return {"UID FETCH": say}


@pytest.mark.parametrize(("end", "status", "name"), [
    ([Close()], 503, "upstream-unavailable"), ([Hang()], 504, "upstream-timeout"),
    (b")\r\n{tag} OK done\r\n* " * 3, 504, "upstream-timeout"),
])  # fmt: skip
async def test_a_short_literal_at_the_start_is_a_problem(end: Answer, status: int, name: str) -> None:
    """R-IMAP-03: nothing of it was sent, so it can be said."""
    async with upstream(windows(0, end)) as server, served(server) as case, asyncio.timeout(10):
        for path in ("source", "parts/1"):
            told, _ = await asyncio.gather(case.client.get(f"{FIRST}/{path}"), case.neighbour_is_served())
            is_problem(told, status, name)
        await after_it_is_well(case, server)


@pytest.mark.parametrize("end", [[Close()], [Hang()]], ids=["closes", "stalls"])
@pytest.mark.parametrize(("path", "encoding"), [("source", b"7bit"), ("parts/1", b"7bit"), ("parts/1", b"base64")])
async def test_a_short_literal_later_is_never_a_whole_answer(end: Answer, path: str, encoding: bytes) -> None:
    """R-IMAP-03: fewer octets than Content-Length says, or no last chunk."""
    async with upstream(windows(3 << 20, end, encoding)) as server, served(server) as case, asyncio.timeout(10):
        size = 0
        with pytest.raises(httpx.RemoteProtocolError):
            async with case.client.stream("GET", f"{FIRST}/{path}") as told:
                assert told.status_code == 200
                assert ("content-length" in told.headers) is (encoding == b"7bit")
                async for chunk in told.aiter_bytes():
                    size += len(chunk)
        assert 0 < size <= 3 << 20
        await case.neighbour_is_served()
        await after_it_is_well(case, server)


async def test_a_slow_reader_holds_neither_connection_nor_memory() -> None:
    """R-OPS-08, R-OPS-07: content that the client does not read is not fetched, and the account's only connection serves other requests."""
    async with upstream(windows(LARGE, b"")) as server, served(server, connections=1) as case:
        async with connected(case.port, receive_buffer=4096) as raw:
            await raw.send(f"GET {FIRST}/source HTTP/1.1\r\n{SIGNED_IN}\r\n".encode())
            async with asyncio.timeout(5):
                while "UID FETCH" not in server.verbs:
                    await asyncio.sleep(0.01)
            await after_it_is_well(case, server)
        await after_it_is_well(case, server)


async def test_a_client_that_leaves_ends_what_it_asked_for() -> None:
    """R-OPS-09: the connection that was at work is closed at once, and the next request has another."""
    async with upstream(once([Hang()], 1)) as server, served(server) as case:
        async with connected(case.port) as raw:
            await raw.send(f"GET {FIRST}/flags HTTP/1.1\r\n{SIGNED_IN}\r\n".encode())
            async with asyncio.timeout(5):
                while "UID FETCH" not in server.verbs:
                    await asyncio.sleep(0.005)
        async with asyncio.timeout(0.4):  # less than any deadline towards the mail server
            while server.open:
                await asyncio.sleep(0.005)
        await after_it_is_well(case, server)


async def test_a_client_that_leaves_does_not_end_a_write() -> None:
    """R-OPS-09: it is done, and can be asked about."""
    heard, goes_on = asyncio.Event(), asyncio.Event()

    async def late(_: bytes) -> Answer:
        heard.set()
        await goes_on.wait()
        return b"* 1 FETCH (UID 1 FLAGS (after))\r\n{tag} OK done\r\n"

    async with upstream({"UID STORE": late, "UID FETCH": FLAGS}) as server, served(server) as case:
        async with connected(case.port) as raw:
            await raw.send(
                f"PATCH {FIRST}/flags HTTP/1.1\r\n{SIGNED_IN}Content-Type: application/json\r\n"
                'Content-Length: 17\r\n\r\n{"add":["$seen"]}'.encode()
            )
            await asyncio.wait_for(heard.wait(), 5)
        goes_on.set()
        await after_it_is_well(case, server)
        assert server.connections == 1


async def test_folders_of_a_disconnected_account_are_listed_once_it_is_back() -> None:
    """R-IMAP-09: a server that is gone is 503, and served again as soon as it is there."""
    async with upstream({"UID FETCH": FLAGS}) as server, served(server) as case:
        assert (await case.client.get(f"{ME}/folders")).status_code == 200
        await server.__aexit__(None, None, None)
        told = await case.client.get(f"{ME}/folders")
        is_problem(told, 503, "upstream-unavailable")
        assert int(told.headers["retry-after"]) > 0
