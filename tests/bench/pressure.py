"""What large mail and slow readers cost: ``python -m tests.bench.pressure``.

On a real Dovecot and one process of the service: a part of 1 GB read to its end, 200 attachments of 50 MB read at
10 KB/s, and 25 MB messages opened while a hundred clients ask for something small. Prints resident memory and how long
the small requests had to wait.
"""

import argparse
import asyncio
import base64
import statistics
import time
from collections.abc import Iterator
from contextlib import suppress

import aiohttp

from tests.bench.load import Client, memory, session
from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import Dovecot

MB = 1_000_000
HEAD = b"Subject: %b\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\n"
FILE = b'Content-Type: application/zip; name="a.zip"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
LINE = base64.b64encode(bytes(range(57))) + b"\r\n"


def attached(subject: bytes, octets: int) -> bytes:
    """A message with an attachment that decodes to about so many octets."""
    return HEAD % subject + FILE + LINE * (octets // 57) + b"--b--\r\n"


def dense(octets: int) -> bytes:
    """HTML of many small elements in a message of that size."""
    row = b'<div style="color: red"><table><tr><td><a href="http://example.org/">x</a></td></tr></table></div>\r\n'
    return b"Subject: dense\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n" + row * (octets // len(row))


def wide(octets: int) -> bytes:
    """Thousands of parts, with text in each."""
    part = b"--b\r\nContent-Type: text/plain\r\n\r\n" + b"word " * 500 + b"\r\n"
    head = b"Subject: wide\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    return head + part * (octets // len(part)) + b"--b--\r\n"


class Peak:
    """The most resident memory seen while it runs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.before = self.most = memory(pid)

    async def __aenter__(self) -> "Peak":
        self._task = asyncio.ensure_future(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _look(self) -> None:
        while True:
            self.most = max(self.most, memory(self._pid))
            await asyncio.sleep(0.02)

    def __str__(self) -> str:
        return f"resident {self.before / MB:.0f} MB before, {self.most / MB:.0f} MB at most"


async def whole(client: Client, pid: int, row: dict[str, str]) -> None:
    [part] = (await client.get(f"/messages/{row['id']}"))["attachments"]
    began = time.perf_counter()
    async with Peak(pid) as peak:
        octets = await client.octets(f"/messages/{row['id']}/parts/{part['id']}")
    print(f"1 GB part: {octets / MB:.0f} MB in {time.perf_counter() - began:.1f} s; {peak}", flush=True)


async def slowly(client: Client, http: aiohttp.ClientSession, pid: int, row: dict[str, str], seconds: float) -> None:
    [part] = (await client.get(f"/messages/{row['id']}"))["attachments"]
    path = f"/v1/accounts/me/messages/{row['id']}/parts/{part['id']}"
    taken = 0

    async def read() -> None:
        nonlocal taken
        async with http.get(path, headers=client.headers) as answer:
            while True:
                taken += len(await answer.content.read(2_000))
                await asyncio.sleep(0.2)

    async with Peak(pid) as peak:
        readers = [asyncio.ensure_future(read()) for _ in range(200)]
        await asyncio.sleep(seconds)
        page = time.perf_counter()
        await client.get("/folders/inbox/messages", limit=5)
        page = time.perf_counter() - page
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
    rate = taken / seconds / 200 / 1000
    print(
        f"200 slow readers, {rate:.0f} KB/s each, {seconds:.0f} s: {peak}; a page meanwhile {page * 1000:.0f} ms",
        flush=True,
    )


async def opened(client: Client, http: aiohttp.ClientSession, rows: list[dict[str, str]]) -> None:
    """Small requests of a hundred others while large messages are opened."""
    waits: list[float] = []
    done = asyncio.Event()

    async def ask(number: int) -> None:
        await asyncio.sleep(number * 0.005)  # not all in one moment
        while not done.is_set():
            began = time.perf_counter()
            async with http.get("/healthz") as answer:
                await answer.read()
            waits.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(0.5)

    others = [asyncio.ensure_future(ask(number)) for number in range(100)]
    await asyncio.sleep(1)
    quiet, waits = max(waits), []
    for row in rows:
        waits.clear()
        for _ in range(3):
            await client.get(f"/messages/{row['id']}")
        await asyncio.sleep(0.2)
        print(f"opening {row['subject']}: others waited {max(waits):.0f} ms at most, {statistics.median(waits):.1f} ms as a rule"
              f" (without it {quiet:.0f} ms at most)", flush=True)  # fmt: skip
    done.set()
    with suppress(aiohttp.ClientError):
        await asyncio.gather(*others)


def messages(gigabytes: float) -> Iterator[bytes]:
    yield attached(b"huge", int(gigabytes * 1000) * MB)
    yield attached(b"fifty", 50 * MB)
    yield attached(b"25 MB attached", 18 * MB)
    yield dense(25 * MB)
    yield wide(25 * MB)


async def run(arguments: argparse.Namespace) -> None:
    with Dovecot() as dovecot:
        user = dovecot.user()
        dovecot.seed(user, ((source, (), None) for source in messages(arguments.gigabytes)))
        with dovecot.connect(user) as other:  # Dovecot reads each message once for its structure
            other.select()
            other.fetch("1:*", "(BODYSTRUCTURE)")
        async with Replica(environment(dovecot)) as replica, session(replica) as http:
            client = Client(http, user)
            await client.sign_in()
            rows = {row["subject"]: row for row in (await client.get("/folders/inbox/messages"))["items"]}
            await whole(client, replica.pid, rows["huge"])
            await slowly(client, http, replica.pid, rows["fifty"], arguments.seconds)
            await opened(client, http, [rows[name] for name in ("25 MB attached", "dense", "wide")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the slow readers read")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
