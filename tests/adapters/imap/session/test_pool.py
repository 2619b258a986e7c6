"""Who gets a connection: lanes, limits of accounts and servers, turns, and reads that are equal."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.adapters.imap.ids import Ids
from service.adapters.imap.session import pool as pools
from service.adapters.imap.wire.commands import Timing
from service.adapters.shared.connection_limit import ConnectionLimit
from service.mail.errors import LoginRefused, ServerBusy, TooManyRequests
from service.mail.model import Protocol
from service.mail.search.filter import ListQuery
from tests.adapters.imap.conftest import CREDENTIALS, TIMING, Scripted, inbox_of
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST
from tests.servers.scripted import Imap, ScriptedServer

IDS = Ids(CREDENTIALS.account)
FIRST, SECOND, THIRD = (IDS.message(b"INBOX", 7, uid) for uid in (1, 2, 3))
OK = b"{tag} OK done\r\n"
ROW = b"* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 9 ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL))\r\n" + OK
FLAGS = b"* 1 FETCH (UID 1 FLAGS ())\r\n" + OK
PATIENT = Timing(progress=5, command=5, patience=5)


class Gate:
    """An answer that is held back until it is opened; ``arrived`` counts who asked."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.is_open = asyncio.Event()
        self.arrived = 0

    async def __call__(self, _: bytes) -> bytes:
        self.arrived += 1
        await self.is_open.wait()
        return self._answer

    async def reached(self, count: int) -> None:
        await until(lambda: self.arrived >= count)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


def running(*works: Awaitable[object]) -> list["asyncio.Future[object]"]:
    return [asyncio.ensure_future(work) for work in works]


def counted(mailbox: ImapBackend) -> tuple[int, int, int]:
    """Places taken, connections idle, and users of any lane."""
    pool = mailbox._pool
    return pool._count, len(pool._idle), sum(pool._users.values())


async def test_downloads_leave_a_connection_for_pages(scripted: Scripted) -> None:
    """R-OPS-08: bulk work never blocks interactive work."""
    gate = Gate(b'* 1 FETCH (UID 1 RFC822.SIZE 1 BODY[]<0> "x")\r\n' + OK)
    async with scripted({"UID FETCH": gate, "FETCH": ROW}, connections=3, timing=PATIENT) as (server, mailbox):
        downloads = running(*(mailbox.open_source(FIRST) for _ in range(5)))
        await gate.reached(2)
        assert len((await mailbox.list_messages("inbox", ListQuery())).items) == 1
        assert (server.connections, gate.arrived) == (3, 2)
        gate.is_open.set()
        for download in await asyncio.gather(*downloads):
            await download.chunks.aclose()  # type: ignore[attr-defined]
        assert counted(mailbox) == (3, 3, 0)


async def test_a_single_connection_serves_every_lane(scripted: Scripted) -> None:
    whole = b'* 1 FETCH (UID 1 RFC822.SIZE 1 BODY[]<0> "x")\r\n' + OK
    async with scripted({"UID FETCH": whole, "FETCH": ROW}, connections=1) as (server, mailbox):
        download = await mailbox.open_source(FIRST)
        assert [piece async for piece in download.chunks] == [b"x"]
        await mailbox.list_messages("inbox", ListQuery())
        assert server.connections == 1


async def test_a_request_that_waits_too_long_gets_retry_after(scripted: Scripted) -> None:
    """R-CONC-09: 503 with Retry-After."""
    gate = Gate(FLAGS)
    timing = Timing(progress=5, command=5, patience=0.4)  # the first must outlast the second on a slow machine too
    async with scripted({"UID FETCH": gate}, connections=1, timing=timing) as (_, mailbox):
        first = running(mailbox.get_flags(FIRST))
        await gate.reached(1)
        with pytest.raises(ServerBusy) as caught:
            await mailbox.get_flags(SECOND)
        assert caught.value.retry_after == 2
        gate.is_open.set()
        await asyncio.gather(*first)


async def test_turns_are_taken_in_order(scripted: Scripted) -> None:
    """R-CONC-09."""
    order: list[str] = []
    gate = Gate(FLAGS)
    async with scripted({"UID FETCH": gate, "STATUS": OK, "UID STORE": FLAGS}, connections=1) as (_, mailbox):
        first = running(mailbox.get_flags(FIRST))
        await gate.reached(1)

        async def work(name: str) -> None:
            await mailbox.set_flags(FIRST, [name])
            order.append(name)

        waiting = running(*(work(name) for name in "abcdef"))
        await until(lambda: len(mailbox._pool._waiting) == 6)
        gate.is_open.set()
        await asyncio.gather(*first, *waiting)
        assert order == list("abcdef")


async def test_at_a_servers_limit_requests_share_connections(scripted: Scripted) -> None:
    """R-CONC-09: [LIMIT] at the second login; no request fails, and no login is tried again for a while."""
    logins = 0

    def login(_: bytes) -> bytes:
        nonlocal logins
        logins += 1
        return b"{tag} OK [CAPABILITY IMAP4rev1] hello\r\n" if logins == 1 else b"{tag} NO [LIMIT] too many\r\n"

    answers = {"LOGIN": login, "FETCH": ROW, "UID FETCH": FLAGS}
    async with scripted(answers, connections=4, timing=PATIENT) as (_, mailbox):
        pages = await asyncio.gather(
            *(mailbox.list_messages("inbox", ListQuery(limit=limit)) for limit in range(1, 31))
        )
        assert [len(page.items) for page in pages] == [1] * 30
        assert logins <= 4
        assert counted(mailbox) == (1, 1, 0)


async def test_if_other_processes_have_all_connections_requests_wait(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "RETRY_SECONDS", 0.01)
    logins = 0

    def login(_: bytes) -> bytes:
        nonlocal logins
        logins += 1
        return b"{tag} OK [CAPABILITY IMAP4rev1] hello\r\n" if logins > 3 else b"{tag} NO [LIMIT] too many\r\n"

    async with scripted({"LOGIN": login, "FETCH": ROW}) as (_, mailbox):
        await mailbox.list_messages("inbox", ListQuery())
        assert logins == 4


async def test_a_limit_that_stays_is_reported(scripted: Scripted) -> None:
    """R-IMAP-19: 429, and its places are free again."""
    async with scripted({"LOGIN": b"{tag} NO [LIMIT] too many\r\n"}) as (_, mailbox):
        with pytest.raises(TooManyRequests):
            await mailbox.check()
        assert counted(mailbox) == (0, 0, 0)


async def test_equal_reads_that_wait_run_once(scripted: Scripted) -> None:
    gate = Gate(FLAGS)
    answers = {"SELECT": inbox_of(1), "UID FETCH": gate, "FETCH": ROW}
    async with scripted(answers, connections=1, timing=PATIENT) as (server, mailbox):
        first = running(mailbox.get_flags(FIRST))
        await gate.reached(1)
        lists = running(
            *(mailbox.list_messages("inbox", ListQuery(limit=limit)) for limit in (10, 20) for _ in range(20))
        )
        await asyncio.sleep(0)
        gate.is_open.set()
        pages = await asyncio.gather(*lists, *first)
        assert len(pages) == 41
        assert server.verbs.count("FETCH") == 2


async def test_a_read_that_has_begun_is_not_joined(scripted: Scripted) -> None:
    """It may have read what the newcomer has changed since."""
    gate = Gate(ROW)
    async with scripted({"SELECT": inbox_of(1), "FETCH": gate}, connections=1, timing=PATIENT) as (_, mailbox):
        first = running(mailbox.list_messages("inbox", ListQuery()))
        await gate.reached(1)
        second = running(mailbox.list_messages("inbox", ListQuery()))
        await asyncio.sleep(0)
        gate.is_open.set()
        await asyncio.gather(*first, *second)
        assert gate.arrived == 2


async def test_one_of_equal_reads_may_be_cancelled(scripted: Scripted) -> None:
    """R-OPS-10: the others are answered all the same."""
    gate = Gate(FLAGS)
    async with scripted({"UID FETCH": gate, "FETCH": ROW}, connections=1, timing=PATIENT) as (_, mailbox):
        first = running(mailbox.get_flags(FIRST))
        await gate.reached(1)
        ahead, *others = running(*(mailbox.list_messages("inbox", ListQuery()) for _ in range(3)))
        await until(lambda: len(mailbox._pool._waiting) == 1)
        ahead.cancel()
        await asyncio.gather(ahead, return_exceptions=True)
        gate.is_open.set()
        assert len(await asyncio.gather(*others, *first)) == 3
        assert ahead.cancelled()


async def test_an_idle_connection_is_closed_for_another_account(scripted: Scripted) -> None:
    """The connections that a server allows are for all accounts."""
    host = ConnectionLimit(limit=1, patience=0.2)
    async with (
        scripted({"FETCH": ROW}, host=host) as (one, first),
        scripted({"FETCH": ROW}, host=host) as (two, second),
    ):
        for mailbox in (first, second, first):
            assert len((await mailbox.list_messages("inbox", ListQuery())).items) == 1
            assert host.taken == 1
        assert (one.connections, two.connections) == (2, 1)


async def test_requests_wait_for_a_place_at_the_server(scripted: Scripted) -> None:
    host = ConnectionLimit(limit=1, patience=0.2)
    gate = Gate(FLAGS)
    async with scripted({"UID FETCH": gate}, host=host) as (_, first), scripted({}, host=host) as (_, second):
        holding = running(first.get_flags(FIRST))
        await gate.reached(1)
        with pytest.raises(ServerBusy):
            await second.check()
        waiting = running(second.check())
        await until(lambda: len(host._waiting) == 1)
        gate.is_open.set()
        await asyncio.gather(*holding, *waiting)
        assert host.taken == 1


async def test_a_refused_login_is_not_repeated_for_those_who_waited() -> None:
    """R-HTTP-29: the password was changed while the mailbox was open, its connections are gone, and many requests come."""
    logins = itertools.count()
    door: Callable[[bytes], bytes] = lambda _: b"{tag} NO no\r\n" if next(logins) else OK  # noqa: E731
    async with ScriptedServer([Imap(exists=3, uid_validity=7, answers={"LOGIN": door, "UID FETCH": FLAGS})]) as server:
        mailbox = ImapBackend(Endpoint(server.host, server.port, Security.NONE), CREDENTIALS, connections=3)
        await mailbox.get_flags(FIRST)
        for connection in server.connected:
            connection.transport.close()
        await server.all_closed()
        asked = await asyncio.gather(*(mailbox.get_flags(FIRST) for _ in range(100)), return_exceptions=True)
        assert {type(answer) for answer in asked} == {LoginRefused}
        assert next(logins) <= 1 + 3
        await mailbox.aclose()


async def test_a_connection_idle_for_long_is_tested_first(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-IMAP-18: a connection that a router forgot costs no request."""
    monkeypatch.setattr(pools, "PROBE_SECONDS", 0.0)
    noops = Gate(OK)  # the first connection never answers again
    async with scripted({"FETCH": ROW, "NOOP": noops}) as (server, mailbox):
        await mailbox.list_messages("inbox", ListQuery())
        await mailbox.list_messages("inbox", ListQuery())
        assert server.connections == 2
        assert noops.arrived == 1


async def test_idle_connections_are_closed_but_one(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "SURPLUS_SECONDS", 0.02)
    host = ConnectionLimit()
    gate = Gate(FLAGS)
    async with scripted({"UID FETCH": gate}, connections=4, host=host) as (server, mailbox):
        reads = running(*(mailbox.get_flags(message) for message in (FIRST, SECOND, THIRD)))
        await gate.reached(3)
        gate.is_open.set()
        await asyncio.gather(*reads, return_exceptions=True)
        await until(lambda: server.verbs.count("LOGOUT") == 2)
        assert host.taken == 1


async def test_a_storm_of_cancellations_leaves_nothing_behind(dovecot: Dovecot) -> None:
    """R-OPS-10: places come back to what is idle, and the next request sees no octet of another's answer."""
    host = ConnectionLimit()
    user = dovecot.user()
    dovecot.seed(user, [(b"Subject: canary %d\r\n\r\n%d\r\n" % (n, n), (), None) for n in range(20)])
    random = Random(7)
    async with real(dovecot, user, host=host, connections=3) as mailbox:
        ids = [row.id for row in (await mailbox.list_messages("inbox", ListQuery())).items]

        async def read(at: int) -> None:
            message = await mailbox.get_message(ids[at])
            assert message.subject == f"canary {19 - at}"
            assert (message.body.text or "").strip() == str(19 - at)

        for _ in range(20):
            tasks = running(*(read(random.randrange(20)) for _ in range(15)))
            for _ in range(random.randrange(40)):
                await asyncio.sleep(0)
            for task in random.sample(tasks, 8):
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(one is None or isinstance(one, asyncio.CancelledError) for one in outcomes), outcomes
        count, idle, users = counted(mailbox)
        assert (count, users, host.taken) == (idle, 0, idle)


async def test_three_processes_share_what_a_server_allows() -> None:
    """R-CONC-09: 200 requests at once of one account on three replicas, a server that allows three connections."""
    with Dovecot(connections=3) as dovecot:
        user = dovecot.user()
        dovecot.seed(user, [(b"Subject: x\r\n\r\nx\r\n", (), None)] * 5)
        replicas = [await real(dovecot, user, connections=4).__aenter__() for _ in range(3)]
        try:
            works = [replicas[n % 3].list_messages("inbox", ListQuery(limit=1 + n % 5)) for n in range(200)]
            outcomes = await asyncio.gather(*works, return_exceptions=True)
        finally:
            await asyncio.gather(*(replica.aclose() for replica in replicas))
        failed = [one for one in outcomes if isinstance(one, BaseException)]
        assert not failed, failed[:3]


class real:  # noqa: N801 - reads as a function where it is used
    """A mailbox on Dovecot, as another process would have it."""

    def __init__(self, dovecot: Dovecot, user: str, *, connections: int, host: ConnectionLimit | None = None) -> None:
        endpoint = Endpoint(HOST, dovecot.ports.imap, Security.NONE)
        credentials = Credentials("dovecot", Protocol.IMAP, user, PASSWORD)
        self._mailbox = ImapBackend(endpoint, credentials, connections=connections, host=host)

    async def __aenter__(self) -> ImapBackend:
        return self._mailbox

    async def __aexit__(self, *_: object) -> None:
        await self._mailbox.aclose()


assert TIMING.patience < pools.RETRY_SECONDS, "or a limit that stays is asked about again"


async def test_another_folder_is_selected_on_an_idle_connection_and_one_more_is_opened(scripted: Scripted) -> None:
    """R-OPS-14: one round trip instead of a login; whoever goes back finds a connection that is free, and then each
    folder has one."""
    other = IDS.folder(b"Other")
    async with scripted({"FETCH": ROW, "UID FETCH": ROW}) as (server, mailbox):
        await mailbox.list_messages("inbox", ListQuery())
        assert server.connections == 1
        before = server.round_trips
        await mailbox.list_messages(other, ListQuery())
        assert server.connections == 1 or server.round_trips - before >= 2
        await until(lambda: (server.connections, mailbox._pool.idle) == (2, 2))
        selects = [command for command in server.commands if command.startswith(b"SELECT")]
        for _ in range(3):
            await mailbox.list_messages("inbox", ListQuery())
            await mailbox.list_messages(other, ListQuery())
        assert len(selects) == 2
        assert len([command for command in server.commands if command.startswith(b"SELECT")]) == 3
        assert server.connections == 2


@pytest.mark.parametrize("ends", ["refused", "closed"])
async def test_a_spare_connection_that_cannot_be_opened_harms_nobody(scripted: Scripted, ends: str) -> None:
    """R-OPS-14: requests go on with the connection that there is, and nothing is left behind."""
    logins = 0

    def login(_: bytes) -> bytes:
        nonlocal logins
        logins += 1
        return b"{tag} OK [CAPABILITY IMAP4rev1] hello\r\n" if logins == 1 else b"{tag} NO [LIMIT] too many\r\n"

    other = IDS.folder(b"Other")
    async with scripted({"LOGIN": login, "FETCH": ROW, "UID FETCH": ROW}, timing=PATIENT) as (_, mailbox):
        await mailbox.list_messages("inbox", ListQuery())
        await mailbox.list_messages(other, ListQuery())
        if ends == "refused":
            await until(lambda: logins == 2 and mailbox._pool._opening is None)
            for folder in ("inbox", other, "inbox"):
                await mailbox.list_messages(folder, ListQuery())
            assert logins == 2
            assert counted(mailbox) == (1, 1, 0)
    assert mailbox._pool._opening is None
    assert counted(mailbox) == (0, 0, 0)


async def test_a_folder_is_selected_anew_if_the_one_before_is_gone(scripted: Scripted) -> None:
    """R-OPS-14: Dovecot answers SELECT of another folder by NO then, and the connection is of no use."""
    selected = b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 2] ok\r\n{tag} OK [READ-WRITE] done\r\n"
    answers = [selected, b"{tag} NO Mailbox was deleted under us (0.001 + 0.000 secs).\r\n", selected]
    async with scripted({"SELECT": lambda _: answers.pop(0) if answers else selected, "FETCH": ROW}) as (_, mailbox):
        await mailbox.list_messages("inbox", ListQuery())
        page = await mailbox.list_messages(IDS.folder(b"Other"), ListQuery())
        assert len(page.items) == 1
        assert len(answers) <= 1
