"""A maildrop of 10,000 messages through the API, against poplib doing the same: ``python -m tests.bench.pop3_drop``.

On a Dovecot of its own, straight and with a way of 20 ms there and back. Each figure is the median of some runs that begin
with a login, but for those "in the same session". poplib does what a program by hand would: UIDL and LIST, one TOP after
the other, RETR and the standard library's parser; its time for all headers is that of 500, times twenty.
"""

import asyncio
import multiprocessing
import poplib
import sys
import time
from base64 import encodebytes
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from email import message_from_bytes
from email.parser import BytesHeaderParser
from multiprocessing.connection import Connection
from secrets import token_urlsafe
from statistics import median

import httpx

from service.app import create_app
from service.settings.model import Settings
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST
from tests.servers.proxy import passing

MESSAGES, PAGE, SOME, RUNS = 10_000, 50, 500, 5
ATTACHED = bytes(range(256)) * (10 * 4096)
INBOX = "/v1/accounts/me/folders/inbox/messages"
Client = httpx.AsyncClient


def letter(number: int) -> bytes:
    return (
        f"Received: from a.example.org by b.example.org; Fri, 01 Mar 2024 10:00:{number % 60:02} +0100\r\n"
        f"From: Ann Example <ann@example.org>\r\nTo: bob@example.org\r\nSubject: number {number}\r\n"
        f"Message-ID: <{number}@example.org>\r\n\r\n" + "A line of text.\r\n" * 100
    ).encode()


LARGE = (
    b"From: ann@example.org\r\nSubject: large\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\n\r\nSee file.\r\n--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
    b"Content-Disposition: attachment; filename=a.pdf\r\n\r\n"
    + encodebytes(ATTACHED).replace(b"\n", b"\r\n")
    + b"--b--\r\n"
)


@asynccontextmanager
async def casella(port: int, user: str) -> AsyncIterator[Client]:
    """A service that nobody used yet."""
    pop3 = {"host": HOST, "port": port, "security": "none"}
    app = create_app(Settings(servers={"home": {"pop3": pop3}}, secret_keys=token_urlsafe(32), access_log=False))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        Client(transport=transport, base_url="http://casella", auth=(user, PASSWORD), timeout=120) as client,
    ):
        yield client


async def rows(client: Client, cursor: str | None = None, limit: int = PAGE) -> dict[str, object]:
    answer = await client.get(INBOX, params={"limit": limit, **({"cursor": cursor} if cursor else {})})
    found: dict[str, object] = answer.raise_for_status().json()
    return found


async def all_rows(client: Client) -> str | None:
    """Walks to the end; answers the cursor half way."""
    page, count, middle = await rows(client, limit=200), 0, None
    while cursor := page.get("nextCursor"):
        assert isinstance(cursor, str)
        count += 200
        middle = cursor if count == MESSAGES // 2 else middle
        page = await rows(client, cursor, 200)
    return middle


async def get(client: Client, path: str) -> None:
    (await client.get(f"/v1/accounts/me/messages/{path}")).raise_for_status()


@contextmanager
def signed_in(port: int, user: str) -> Iterator[poplib.POP3]:
    client = poplib.POP3(HOST, port, timeout=120)
    client.user(user)
    client.pass_(PASSWORD)
    yield client
    client.quit()


def pop_page(port: int, user: str, newest: int) -> None:
    with signed_in(port, user) as client:
        client.uidl()
        client.list()
        for number in range(newest, newest - PAGE, -1):
            BytesHeaderParser().parsebytes(b"\r\n".join(client.top(number, 0)[1]))


def pop_message(port: int, user: str, number: int) -> None:
    with signed_in(port, user) as client:
        client.uidl()
        message = message_from_bytes(b"\r\n".join(client.retr(number)[1]))
        for part in message.walk():
            part.get_payload(decode=True)


def pop_some(port: int, user: str) -> None:
    with signed_in(port, user) as client:
        for number in range(1, SOME + 1):
            BytesHeaderParser().parsebytes(b"\r\n".join(client.top(number, 0)[1]))


async def ours(port: int, user: str, work: Callable[[Client], object], again: bool = False) -> float:
    took = []
    for _ in range(RUNS):
        async with casella(port, user) as client:
            if again:
                await rows(client, limit=1)
            began = time.perf_counter()
            await work(client)  # type: ignore[misc]
            took.append(time.perf_counter() - began)
    return median(took)


async def theirs(work: Callable[[], None], runs: int = RUNS) -> float:
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        await asyncio.to_thread(work)
        took.append(time.perf_counter() - began)
    return median(took)


def _pass(port: int, delay: float, told: Connection) -> None:
    async def run() -> None:
        async with passing(port, delay) as proxy:
            told.send(proxy.port)
            await asyncio.Event().wait()

    asyncio.run(run())


@contextmanager
def far_away(port: int, delay: float) -> Iterator[int]:
    """The same server behind a way that takes time, in a process of its own."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_pass, args=(port, delay, there), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()


async def measure(port: int, user: str) -> Sequence[tuple[str, float, float]]:
    """What, by Casella, by poplib."""
    async with casella(port, user) as client:
        began = time.perf_counter()
        middle = await all_rows(client)
        walked = time.perf_counter() - began
        first = await rows(client, limit=2)
        large, small = [row["id"] for row in first["items"]]  # type: ignore[attr-defined]
    whole = await theirs(lambda: pop_some(port, user), 1) * MESSAGES / SOME
    page = await theirs(lambda: pop_page(port, user, MESSAGES))
    message = await theirs(lambda: pop_message(port, user, MESSAGES - 1))
    attachment = await theirs(lambda: pop_message(port, user, MESSAGES))
    return [
        ("first page of 50", await ours(port, user, rows), page),
        ("  in the same session", await ours(port, user, rows, again=True), page),
        ("page of 50, 5,000 deep", await ours(port, user, lambda one: rows(one, middle)), page),
        ("message of 2 KB", await ours(port, user, lambda one: get(one, small)), message),
        ("  in the same session", await ours(port, user, lambda one: get(one, small), again=True), message),
        ("attachment of 10 MB", await ours(port, user, lambda one: get(one, f"{large}/parts/2")), attachment),
        ("all 10,000 headers", walked, whole),
    ]


async def main() -> None:
    with Dovecot() as server:
        user = server.user()
        server.seed(user, ((letter(number), (), None) for number in range(MESSAGES - 1)))
        server.seed(user, [(LARGE, (), None)])
        with signed_in(server.ports.pop3, user) as client:
            client.uidl()  # Dovecot indexes new mail once
        straight = await measure(server.ports.pop3, user)
        with far_away(server.ports.pop3, 0.01) as port:
            far = await measure(port, user)
    say = sys.stdout.write
    say(f"{'ms':<26}{'straight':>10}{'poplib':>10}{'at 20 ms':>12}{'poplib':>10}\n")
    for (what, near, near_poplib), (_, away, away_poplib) in zip(straight, far, strict=True):
        say(
            f"{what:<26}"
            + "".join(
                f"{1000 * one:>{w}.0f}" for one, w in ((near, 10), (near_poplib, 10), (away, 12), (away_poplib, 10))
            )
            + "\n"
        )


if __name__ == "__main__":
    asyncio.run(main())
