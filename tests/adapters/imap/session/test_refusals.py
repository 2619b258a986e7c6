"""What real servers do at login, at SELECT and when they leave."""

import asyncio
import socket

import pytest

from service.accounts.servers import Endpoint, Security
from service.adapters.imap.ids import Ids
from service.adapters.imap.session.connection import Connection
from service.adapters.shared import sockets
from service.mail.errors import (
    LoginRefused,
    MailError,
    NotFound,
    NotPermitted,
    TooManyRequests,
    UpstreamError,
    UpstreamUnavailable,
)
from service.mail.search.filter import ListQuery
from tests.adapters.imap.conftest import CREDENTIALS, TIMING, Scripted, asked
from tests.servers.scripted import Answer, Drip, Hang, Imap, ScriptedServer, Send

IDS = Ids(CREDENTIALS.account)
FIRST = IDS.message(b"INBOX", 7, 1)
OK = b"{tag} OK done\r\n"
ROW = b"* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 9 ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL))\r\n" + OK
FLAGS = b"* 1 FETCH (UID 1 FLAGS ())\r\n" + OK
NO_SELECT = b"{tag} NO SELECT Unsafe Login. Please contact us\r\n"


@pytest.mark.parametrize(
    "refusal",
    [
        b"NO [ALERT] Too many simultaneous connections. (Failure)",
        b"NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded",
        b"NO Server Unavailable. 15",
        b"NO [INUSE] Mailbox in use",
    ],
)
async def test_requests_share_connections_if_another_login_is_refused_for_now(
    scripted: Scripted, refusal: bytes
) -> None:
    """R-IMAP-43: no request of a signed-in account fails."""
    logins = 0

    def login(_: bytes) -> bytes:
        nonlocal logins
        logins += 1
        return b"{tag} OK [CAPABILITY IMAP4rev1] hello\r\n" if logins == 1 else b"{tag} " + refusal + b"\r\n"

    answers = {"LOGIN": login, "FETCH": ROW, "UID FETCH": FLAGS}
    async with scripted(answers, connections=3) as (_, mailbox):
        pages = await asyncio.gather(*(mailbox.list_messages("inbox", ListQuery(limit=n)) for n in range(1, 13)))
        assert [len(page.items) for page in pages] == [1] * 12
        assert logins <= 3


@pytest.mark.parametrize("opening", [b"* BYE Too many connections from your host\r\n", b"* BYE busy\r\n"])
async def test_a_greeting_of_bye_is_temporary(scripted: Scripted, opening: bytes) -> None:
    """R-IMAP-43."""
    async with scripted(opening=Send(opening)) as (_, mailbox):
        with pytest.raises((TooManyRequests, UpstreamUnavailable)) as caught:
            await mailbox.check()
        assert caught.value.retry_after
        assert "your host" not in caught.value.detail


async def test_a_login_that_is_deferred_is_not_repeated_at_once(scripted: Scripted) -> None:
    """R-IMAP-43: and credentials that were not refused may be tried later."""
    logins = [b"{tag} NO Server Unavailable. 15\r\n", b"{tag} OK [CAPABILITY IMAP4rev1] hello\r\n"]
    async with scripted({"LOGIN": lambda _: logins.pop(0), "FETCH": ROW}) as (server, mailbox):
        with pytest.raises(UpstreamUnavailable):
            await mailbox.list_messages("inbox", ListQuery())
        assert server.verbs.count("LOGIN") == 1
        assert len((await mailbox.list_messages("inbox", ListQuery())).items) == 1


async def test_a_connection_without_its_mailbox_is_closed(scripted: Scripted) -> None:
    """R-IMAP-44: Exchange; a new connection is opened, and 503 if that is no better."""
    lost = b"{tag} BAD User is authenticated but not connected.\r\n"
    async with scripted({"SELECT": lost}) as (server, mailbox):
        with pytest.raises(UpstreamUnavailable) as caught:
            await mailbox.list_messages("inbox", ListQuery())
        assert caught.value.retry_after
        assert server.verbs.count("SELECT") == server.connections == 2
        assert mailbox._pool.idle == 0


async def test_a_throttled_request_states_when_to_come_back(scripted: Scripted) -> None:
    """R-IMAP-44: by the server's own words, in whole seconds."""
    throttled = b"{tag} BAD Request is throttled. Suggested Backoff Time: 178755 milliseconds\r\n"
    async with scripted({"SELECT": throttled}) as (server, mailbox):
        with pytest.raises(TooManyRequests) as caught:
            await mailbox.list_messages("inbox", ListQuery())
        assert caught.value.retry_after == 179
        assert server.verbs.count("SELECT") == 1


async def test_id_is_sent_with_the_first_command(scripted: Scripted) -> None:
    """R-IMAP-45: before SELECT, in the same round trip, with name and version alone; once for a connection."""
    known = False

    def introduce(_: bytes) -> bytes:
        nonlocal known
        known = True
        return b'* ID ("name" "server")\r\n' + OK

    def select(_: bytes) -> Answer:
        return (Imap(exists=1, uid_validity=7)._selected("SELECT") if known else NO_SELECT,)

    answers = {"ID": introduce, "SELECT": select, "FETCH": ROW, "UID FETCH": FLAGS}
    trips = []
    for capabilities in (b"IMAP4rev1 UIDPLUS ID", b"IMAP4rev1 UIDPLUS"):
        async with scripted(answers, capabilities=capabilities, connections=1) as (server, mailbox):
            await mailbox.check()
            assert len((await mailbox.list_messages("inbox", ListQuery())).items) == 1
            await mailbox.get_flags(FIRST)
            trips.append(server.round_trips)
            commands = [command for command in server.commands if command.startswith(b"ID")]
            if b" ID" in capabilities:
                assert asked(server)[:3] == ["ID", "SELECT", "FETCH"]
                assert [command.count(b'"') for command in commands] == [8]
                assert commands[0].startswith(b'ID ("name" "Casella" "version" "')
    assert trips[0] == trips[1]


async def test_no_id_is_sent_if_the_server_does_not_offer_it(scripted: Scripted) -> None:
    """R-IMAP-45; and a refusal of it changes nothing."""
    async with scripted({"FETCH": ROW}) as (server, mailbox):
        await mailbox.list_messages("inbox", ListQuery())
        assert "ID" not in server.verbs
    answers = {"FETCH": ROW, "ID": b"{tag} BAD what\r\n"}
    async with scripted(answers, capabilities=b"IMAP4rev1 ID") as (_, mailbox):
        assert len((await mailbox.list_messages("inbox", ListQuery())).items) == 1


@pytest.mark.parametrize(
    ("words", "row", "error"),
    [
        (b"SELECT Unsafe Login", b'* LIST () "/" INBOX\r\n', NotPermitted),
        (b"Permission denied", b'* LIST () "/" "Inbox"\r\n', NotPermitted),
        (b"SELECT failed", b'* LIST () "/" INBOX\r\n', UpstreamError),
        (b"SELECT failed", b'* LIST (\\Noselect) "/" INBOX\r\n', NotFound),
        (b"SELECT failed", b'* LIST () "/" INBOX/x\r\n', NotFound),
        (b"SELECT failed", b"", NotFound),
        (b"Server busy, try again later", b'* LIST () "/" INBOX\r\n', UpstreamUnavailable),
        (b"[NOPERM] no", b'* LIST () "/" INBOX\r\n', NotPermitted),
        (b"[NONEXISTENT] no", b'* LIST () "/" INBOX\r\n', NotFound),
    ],
)
async def test_a_folder_that_is_refused_is_not_always_missing(
    scripted: Scripted, words: bytes, row: bytes, error: type[MailError]
) -> None:
    """R-IMAP-46: LIST decides if the server gives no code and no known words."""
    async with scripted({"SELECT": b"{tag} NO " + words + b"\r\n", "LIST": row + OK}) as (_, mailbox):
        with pytest.raises(error) as caught:
            await mailbox.list_messages("inbox", ListQuery())
        assert type(caught.value) is error


BYE = b"* BYE Autologout; idle for too long\r\n"
BYES: list[tuple[str, Answer]] = [
    ("alone", [Send(BYE), Hang()]), ("again and again", [Send(BYE * 10), Hang()]),
    ("within an answer", [Send(b"* 3 EXISTS\r\n" + BYE), Hang()]),
    ("within a row", [Send(BYE + b"* 1 FETCH (UID 1 BODY[] {9}\r\nabc"), Hang()]),
]  # fmt: skip


@pytest.mark.parametrize("answer", [answer for _, answer in BYES], ids=[name for name, _ in BYES])
async def test_bye_ends_a_command_although_the_connection_stays_open(answer: Answer) -> None:
    """R-IMAP-47: at once, not by a deadline."""
    imap = Imap(answers={"SELECT": answer})
    async with ScriptedServer([imap]) as server:
        endpoint = Endpoint(server.host, server.port, Security.NONE)
        connection = await Connection.open(endpoint, CREDENTIALS)  # deadlines of half a minute
        async with asyncio.timeout(5):
            with pytest.raises(UpstreamUnavailable, match="Autologout") as caught:
                await connection.run([b"SELECT", b"INBOX"])
        assert caught.value.retry_after
        assert not connection.is_open


async def test_bye_at_login_shows_no_word(scripted: Scripted) -> None:
    """R-IMAP-47, R-IMAP-20: nor is it a refused password."""
    async with scripted({"LOGIN": [Send(b"* BYE secret words, try again later\r\n"), Hang()]}) as (_, mailbox):
        with pytest.raises(UpstreamUnavailable) as caught:
            await mailbox.check()
        assert "secret" not in caught.value.detail


async def test_an_idle_connection_that_said_bye_is_not_used_again(scripted: Scripted) -> None:
    """R-IMAP-47: although it stays open."""
    first = [OK + BYE]
    async with scripted({"NOOP": lambda _: first.pop(0) if first else OK}, connections=1) as (server, mailbox):
        await mailbox.check()
        connection = mailbox._pool._idle[0]
        await connection.attempt([b"NOOP"])
        async with asyncio.timeout(5):
            while connection.is_open:
                await asyncio.sleep(0)
        await mailbox.list_folders()
        assert server.connections == 2


async def test_an_answer_behind_bye_is_read(scripted: Scripted) -> None:
    """R-IMAP-47: if it comes together with it."""
    async with scripted({"UID FETCH": b"* BYE leaving\r\n" + FLAGS}) as (_, mailbox):
        assert (await mailbox.get_flags(FIRST)).flags == ()


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="only Linux has TCP_QUICKACK")
async def test_pieces_of_an_answer_are_acknowledged_at_once(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-IMAP-51: as octets come of an answer that is not complete, and not for a complete one."""
    calls: list[object] = []
    acknowledge = sockets.acknowledge

    def counted(transport: asyncio.BaseTransport) -> None:
        calls.append(transport)
        acknowledge(transport)
        option = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK)
        assert option == 1

    monkeypatch.setattr("service.adapters.imap.wire.receiver.acknowledge", counted)
    async with scripted({"UID FETCH": [Drip(FLAGS, 0.005, 20)]}) as (_, mailbox):
        await mailbox.list_folders()
        before = len(calls)
        await mailbox.get_flags(FIRST)
        assert len(calls) > before
    closed = asyncio.Transport()
    sockets.acknowledge(closed)


async def test_a_refused_password_is_still_refused(scripted: Scripted) -> None:
    """R-IMAP-43."""
    async with scripted({"LOGIN": b"{tag} NO [ALERT] Invalid credentials (Failure)\r\n"}) as (_, mailbox):
        with pytest.raises(LoginRefused):
            await mailbox.check()
    assert TIMING.login


async def test_a_noselect_row_of_lsub_is_no_subscription(scripted: Scripted) -> None:
    """R-IMAP-50: RFC 3501, 6.3.9: the folder has a subscribed one below it."""
    listed = b'* LIST () "/" INBOX\r\n* LIST () "/" a\r\n* LIST () "/" a/b\r\n' + OK
    subscribed = b'* LSUB (\\Noselect) "/" a\r\n* LSUB () "/" a/b\r\n' + OK
    async with scripted({"LIST": listed, "LSUB": subscribed}) as (_, mailbox):
        folders = {folder.name: folder.is_subscribed for folder in await mailbox.list_folders()}
    assert folders["b"] is True
    assert folders["a"] is False
