"""One watch a mailbox: heard at once, shared, given up, and found again when it is lost."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, closing

import pytest

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.adapters.imap.session.pool import Lane
from service.adapters.imap.sync import watch as watching
from service.adapters.imap.wire import protocol
from service.mail.model import Protocol
from service.mail.search.filter import ListQuery
from tests.adapters.imap.conftest import Scripted
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST
from tests.servers.scripted import Drip, Flood, Hang, Send
from tests.servers.visits import Visits

OK = b"{tag} OK done\r\n"
MAIL = b"Subject: x\r\n\r\nx\r\n"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while octets := await reader.read(65536):
        writer.write(octets)
        await writer.drain()
    raise ConnectionResetError


def way_to(port: int) -> Visits:
    """A server, by connections that can be cut."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, port)
        with closing(back):
            await asyncio.gather(_copy(reader, back), _copy(there, writer))

    return Visits(converse)


@asynccontextmanager
async def opened(port: int, user: str, avoid: Collection[str] = (), connections: int = 4) -> AsyncIterator[ImapBackend]:
    endpoint = Endpoint(HOST, port, Security.NONE)
    credentials = Credentials("dovecot", Protocol.IMAP, user, PASSWORD)
    mailbox = ImapBackend(endpoint, credentials, avoid=avoid, connections=connections)
    try:
        yield mailbox
    finally:
        await mailbox.aclose()


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def mode(mailbox: ImapBackend) -> str:
    return mailbox._watcher.health.mode


@pytest.mark.dovecot
@pytest.mark.parametrize(("avoid", "name", "folder"), [((), "notify", "Archive"), (("NOTIFY",), "idle", "INBOX")])
async def test_news_wake_everybody_who_listens(
    dovecot: Dovecot, avoid: tuple[str, ...], name: str, folder: str
) -> None:
    """By NOTIFY of every folder, by IDLE of the inbox; one connection for all."""
    user = dovecot.user()
    async with opened(dovecot.ports.imap, user, avoid) as mailbox, mailbox.watch() as one, mailbox.watch() as two:
        await until(lambda: mode(mailbox) == name)
        assert await one.wait(5)
        assert await two.wait(5)
        for _ in range(3):
            with dovecot.connect(user) as client:
                client.append(folder, "", "", MAIL)
            assert await one.wait(5)
            assert await two.wait(5)
        assert mailbox._pool._users[Lane.WATCH] == 1
    assert mode(mailbox) == "none"


@pytest.mark.dovecot
async def test_a_connection_that_has_a_folder_selected_hears_of_it_too(dovecot: Dovecot) -> None:
    """NOTIFY reports nothing of a selected folder by itself, so the watch leaves it."""
    user = dovecot.user()
    async with opened(dovecot.ports.imap, user) as mailbox:
        await mailbox.list_messages("inbox", ListQuery())
        assert [connection.selection is None for connection in mailbox._pool._idle] == [False]
        async with mailbox.watch() as listener:
            await until(lambda: mode(mailbox) == "notify")
            assert await listener.wait(5)
            dovecot.append(user, MAIL)
            assert await listener.wait(5)


@pytest.mark.dovecot
async def test_the_last_who_leaves_closes_the_watch(dovecot: Dovecot) -> None:
    async with opened(dovecot.ports.imap, dovecot.user()) as mailbox:
        for _ in range(3):
            async with mailbox.watch() as one:
                async with mailbox.watch():
                    assert await one.wait(5)
                assert mailbox._pool._users[Lane.WATCH] == 1
            assert mailbox._pool._users[Lane.WATCH] == 0
            assert mailbox._pool._count == mailbox._pool.idle


@pytest.mark.dovecot
async def test_a_lost_link_wakes_and_is_found_again(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-IMAP-09: with backoff; whoever listens looks by their own mark, so nothing is missed."""
    monkeypatch.setattr(watching, "BACKOFF_SECONDS", (0.01, 0.02))
    user = dovecot.user()
    async with way_to(dovecot.ports.imap) as link, opened(link.port, user) as mailbox, mailbox.watch() as listener:
        mark = await mailbox.get_sync_token("inbox")
        total = 0
        for lost in range(20):
            await until(lambda: mode(mailbox) == "notify")
            while await listener.wait(0.1):
                pass
            link.end_all()
            dovecot.append(user, MAIL)
            await until(lambda lost=lost: mailbox._watcher.health.losses > lost)  # type: ignore[misc]
            found: tuple[str, ...] = ()
            while not found:
                assert await listener.wait(10)
                changes = await mailbox.list_changes("inbox", mark)
                mark, found = changes.token, changes.changes.created
            total += len(found)
        assert total == 20


async def test_a_link_that_is_dead_is_noticed(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-OPS-14, half-open: no octet comes and nobody says goodbye; the probe finds out."""
    monkeypatch.setattr(watching, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr("service.adapters.imap.session.connection.NOOP_SECONDS", 0.05)
    async with scripted({"NOTIFY": OK, "NOOP": [Hang()]}, capabilities=b"IMAP4rev1 NOTIFY") as (server, mailbox):
        async with mailbox.watch():
            await until(lambda: mailbox._watcher.health.losses >= 1)
        assert "NOTIFY" in server.verbs


async def test_news_that_come_with_a_probe_are_heard(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dovecot tells what it has gathered before it answers a NOOP."""
    monkeypatch.setattr(watching, "PROBE_SECONDS", 0.1)
    answers = {"NOTIFY": OK, "NOOP": b"* STATUS INBOX (MESSAGES 4)\r\n" + OK}
    async with scripted(answers, capabilities=b"IMAP4rev1 NOTIFY") as (server, mailbox), mailbox.watch() as one:
        for _ in range(4):
            assert await one.wait(5)
        assert server.verbs.count("NOOP") >= 2


async def test_a_server_that_refuses_notify_is_heard_by_idle(scripted: Scripted) -> None:
    answers = {"NOTIFY": b"{tag} NO [NOTIFICATIONOVERFLOW] too much\r\n", "IDLE": [Send(b"+ idling\r\n"), Hang()]}
    async with scripted(answers, capabilities=b"IMAP4rev1 NOTIFY IDLE") as (server, mailbox), mailbox.watch() as one:
        assert await one.wait(5)
        await until(lambda: mode(mailbox) == "idle")
        assert server.verbs[-2:] == ["SELECT", "IDLE"]


async def test_a_flood_wakes_once(scripted: Scripted) -> None:
    """R-IMAP-27: a hundred thousand EXISTS cost no memory and one look."""
    flood = [Send(b"+ idling\r\n"), Flood(b"* 4 EXISTS\r\n", 1_200_000), Hang()]
    async with scripted({"IDLE": flood}, capabilities=b"IMAP4rev1 IDLE") as (server, mailbox), mailbox.watch() as one:
        await until(lambda: server.flooded >= 1_200_000)
        wakes = 0
        while await one.wait(0.2):
            wakes += 1
        assert 1 <= wakes <= 10
        assert mailbox._watcher.health.losses == 0


async def test_news_without_end_wake_less_and_less(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-IMAP-34: the pause doubles while news keep coming right after a wake-up, and is short again after quiet."""
    least, most = 0.02, 0.32
    monkeypatch.setattr(watching, "SETTLE_SECONDS", (least, most))
    flood = Drip(b"* 4 EXISTS\r\n" * 300, 0.004, len(b"* 4 EXISTS\r\n"))
    answers = {"IDLE": [Send(b"+ idling\r\n"), flood, Hang()]}
    loop = asyncio.get_running_loop()
    async with scripted(answers, capabilities=b"IMAP4rev1 IDLE") as (_, mailbox), mailbox.watch() as listener:
        began, wakes = loop.time(), 0
        while await listener.wait(2 * most):
            wakes += 1
        assert 2 <= wakes <= 6 + 2 * (loop.time() - began) / most  # without doubling: fifty a second
        mailbox._watcher._wake()
        assert mailbox._watcher._pause == least


async def test_a_server_that_ignores_done_is_left(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-IMAP-27: after five seconds, and the next watch is another connection."""
    monkeypatch.setattr(watching, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(watching, "BACKOFF_SECONDS", (0.01, 0.02))
    monkeypatch.setattr(protocol, "DONE_SECONDS", 0.05)
    idle = {"IDLE": [Send(b"+ idling\r\n"), Hang()]}
    async with scripted(idle, capabilities=b"IMAP4rev1 IDLE") as (server, mailbox), mailbox.watch():
        await until(lambda: server.connections >= 3)


async def test_idle_is_asked_for_anew(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-IMAP-27: well before 29 minutes; each time everybody looks at the other folders."""
    monkeypatch.setattr(watching, "PROBE_SECONDS", 0.02)

    async with (
        scripted({"IDLE": b"+ idling\r\n"}, capabilities=b"IMAP4rev1 IDLE") as (server, mailbox),
        mailbox.watch() as one,
    ):
        for _ in range(3):
            assert await one.wait(5)
        assert server.verbs.count("IDLE") >= 1


@pytest.mark.dovecot
async def test_a_single_connection_is_not_kept_for_listening(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "POLL_SECONDS", 0.05)
    async with opened(dovecot.ports.imap, dovecot.user(), connections=1) as mailbox, mailbox.watch() as one:
        for _ in range(3):
            assert await one.wait(5)
        assert mode(mailbox) == "poll"
        assert (await mailbox.list_folders())[0].name == "INBOX"
