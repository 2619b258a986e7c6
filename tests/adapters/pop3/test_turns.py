"""One maildrop and many requests: turns, bursts and goodbyes."""

import asyncio
from dataclasses import replace

import pytest

from service.adapters.pop3.backend import Pop3Backend
from service.mail.errors import (
    InUse,
    LoginRefused,
    MailError,
    NotFound,
    ServerBusy,
    TooManyRequests,
    UpstreamError,
    UpstreamFailure,
)
from service.mail.search.filter import ListQuery

from .conftest import FAST, Mailboxes
from .server import CAPABILITIES, CREDENTIALS, Act, Pop3Server, Twist, letter, letters, until

PATIENT = replace(FAST, linger=5.0, queue=5.0)


async def test_a_burst_is_one_login(mailboxes: Mailboxes) -> None:
    """R-POP-05, R-CONC-09: requests at once take turns in one session instead of locking each other out."""
    server = Pop3Server(letters(20))
    backend = await mailboxes.open(server, PATIENT)
    ids = [item.id for item in (await backend.list_messages("inbox", ListQuery())).items]
    messages = await asyncio.gather(*(backend.get_message(message) for message in ids))
    assert [message.subject for message in messages] == [f"Letter uid-{n}" for n in range(20, 0, -1)]
    assert (server.logins, server.most_inside) == (1, 1)
    assert server.verbs.count("UIDL") == 1


async def test_after_a_burst_the_maildrop_is_left_by_quit(mailboxes: Mailboxes) -> None:
    server = Pop3Server(letters(1))
    backend = await mailboxes.open(server)
    await backend.check()
    await until(lambda: server.open == 0)
    assert server.verbs[-1] == "QUIT"
    await backend.check()
    assert server.logins == 2


async def test_check_in_a_session_that_is_open(mailboxes: Mailboxes) -> None:
    server = Pop3Server(letters(1))
    backend = await mailboxes.open(server, PATIENT)
    await backend.check()
    await backend.check()
    assert server.verbs[-1] == "NOOP"
    assert server.logins == 1


async def test_a_session_grows_too_old_to_see_new_mail(mailboxes: Mailboxes) -> None:
    server = Pop3Server(letters(1))
    backend = await mailboxes.open(server, replace(PATIENT, session=0.0))
    assert (await backend.list_folders())[0].total_messages == 1
    server.messages.append(letter("new"))
    assert (await backend.list_folders())[0].total_messages == 2


async def test_a_session_the_server_ended_is_replaced(mailboxes: Mailboxes) -> None:
    """A server may close an idle session at any time; clients do not notice."""
    server = Pop3Server(letters(1), twists={"RETR": [Act.CLOSE]})
    backend = await mailboxes.open(server, PATIENT)
    message = (await backend.list_messages("inbox", ListQuery())).items[0].id
    assert (await backend.get_message(message)).subject == "Letter uid-1"
    assert server.logins == 2


async def test_a_lingering_session_that_the_server_ended_is_replaced_at_once(mailboxes: Mailboxes) -> None:
    """With no pause to let others in: they could have come."""
    server = Pop3Server(letters(1))
    backend = await mailboxes.open(server, replace(PATIENT, aside=60.0))
    await backend.check()
    server.end_all()
    session = backend._queue._session
    assert session is not None
    await until(lambda: not session.alive)
    async with asyncio.timeout(10):
        await backend.check()
    assert server.logins == 2
    await until(lambda: server.open == 1)


async def test_a_request_that_waits_too_long_is_refused(mailboxes: Mailboxes) -> None:
    server = Pop3Server(letters(1), twists={"LIST": Act.HANG})
    backend = await mailboxes.open(server, replace(FAST, queue=0.05, idle=1.0, command=1.0))
    first = asyncio.create_task(backend.list_folders())
    await until(lambda: "LIST" in server.verbs)
    with pytest.raises(ServerBusy) as caught:
        await backend.check()
    assert caught.value.retry_after
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    server.twists = {}
    await backend.check()


async def test_requests_are_served_in_the_order_of_arrival(mailboxes: Mailboxes) -> None:
    server = Pop3Server(letters(30))
    backend = await mailboxes.open(server, PATIENT)
    ids = [item.id for item in (await backend.list_messages("inbox", ListQuery())).items]
    await asyncio.gather(*(backend.open_source(message) for message in ids))
    assert [line for line in server.heard if line.startswith("RETR")] == [f"RETR {n}" for n in range(30, 0, -1)]


@pytest.mark.parametrize(
    ("answer", "error"), [(b"-ERR no\r\n", LoginRefused), (b"-ERR [LOGIN-DELAY] later\r\n", TooManyRequests)]
)
async def test_one_refused_login_refuses_all_waiting_requests(
    mailboxes: Mailboxes, answer: bytes, error: type[MailError]
) -> None:
    """R-POP-05: twenty requests at once with a wrong password do not lock the account out."""
    server = Pop3Server(letters(1), twists={"PASS": answer})
    backend = await mailboxes.open(server, PATIENT)
    found = await asyncio.gather(*(backend.check() for _ in range(20)), return_exceptions=True)
    assert {type(one) for one in found} == {error}
    assert server.verbs.count("PASS") == 1


async def test_later_requests_try_to_log_in_again(mailboxes: Mailboxes) -> None:
    server = Pop3Server(letters(1), twists={"PASS": [b"-ERR no\r\n"]})
    backend = await mailboxes.open(server)
    with pytest.raises(LoginRefused):
        await backend.check()
    await backend.check()
    assert server.verbs.count("PASS") == 2


async def test_a_login_delay_that_is_only_announced_delays_nothing(mailboxes: Mailboxes) -> None:
    """R-POP-20: Courier announces ten seconds and lets in at once. After a deletion the session is over."""
    server = Pop3Server(letters(3), capabilities=(*CAPABILITIES, "LOGIN-DELAY 30"))
    backend = await mailboxes.open(server)
    for left in (2, 1, 0):
        message = (await backend.list_messages("inbox", ListQuery())).items[0].id
        (outcome,) = await backend.delete_messages([message])
        assert outcome.error is None
        assert (await backend.list_messages("inbox", ListQuery())).total == left
    assert server.logins == 4


async def test_a_login_delay_is_kept_to_once_the_server_demands_it(mailboxes: Mailboxes) -> None:
    """R-POP-20, R-POP-05: one login is refused, then the server is not asked until the delay is over."""
    twists: dict[str, Twist | list[Twist]] = {"PASS": [Act.PLAY, b"-ERR [LOGIN-DELAY] too early\r\n"]}
    server = Pop3Server(letters(2), capabilities=(*CAPABILITIES, "LOGIN-DELAY 30"), twists=twists)
    backend = await mailboxes.open(server)
    message = (await backend.list_messages("inbox", ListQuery())).items[0].id
    await backend.delete_messages([message])
    for _ in range(3):
        with pytest.raises(TooManyRequests) as caught:
            await backend.check()
        assert caught.value.retry_after is not None
        assert 28 <= caught.value.retry_after <= 30
    assert server.connections == 2


async def test_a_server_that_lets_in_early_is_looked_into_for_new_mail_early(mailboxes: Mailboxes) -> None:
    """R-POP-20: as long as that is not known, a session is kept for the time announced."""
    server = Pop3Server(letters(2), capabilities=(*CAPABILITIES, "LOGIN-DELAY 30"))
    backend = await mailboxes.open(server, replace(FAST, session=0.0))
    await backend.check()
    await backend.check()
    assert server.logins == 1
    await backend.delete_messages([(await backend.list_messages("inbox", ListQuery())).items[0].id])
    await backend.check()
    await backend.check()
    assert server.logins == 3


async def test_a_session_stays_while_a_login_delay_lasts(mailboxes: Mailboxes) -> None:
    """R-POP-05: it would be refused to come back, and so would every other client."""
    server = Pop3Server(letters(2), capabilities=(*CAPABILITIES, "LOGIN-DELAY 30"))
    backend = await mailboxes.open(server, replace(FAST, linger=0.0, session=0.0))
    await backend.check()
    assert backend._queue._timer is not None
    assert backend._queue._timer.when() - asyncio.get_running_loop().time() > 25
    await backend.check()
    assert server.logins == 1


async def test_a_short_rest_of_a_login_delay_is_waited_out(mailboxes: Mailboxes) -> None:
    """R-POP-20, R-POP-05: the request that was too early is answered, a second later."""
    twists: dict[str, Twist | list[Twist]] = {"PASS": [Act.PLAY, b"-ERR [LOGIN-DELAY] too early\r\n"]}
    server = Pop3Server(letters(2), capabilities=(*CAPABILITIES, "LOGIN-DELAY 1"), twists=twists)
    backend = await mailboxes.open(server, replace(FAST, in_use=5.0))
    await backend.check()
    first = asyncio.get_running_loop().time()
    await backend.aclose()
    await backend.check()
    assert asyncio.get_running_loop().time() - first > 0.9
    assert server.logins == 2
    await backend.aclose()
    await backend.check()
    assert asyncio.get_running_loop().time() - first > 1.9
    assert server.verbs.count("PASS") == 4


GONE = b"-ERR Can't open the message file - it's gone!\r\n"


async def test_a_message_that_another_client_moved_is_read_in_a_new_session(mailboxes: Mailboxes) -> None:
    """R-POP-21: Courier's session does not find a file that IMAP renamed meanwhile."""
    server = Pop3Server(letters(3), twists={"RETR 1": [GONE]})
    backend = await mailboxes.open(server, PATIENT)
    rows = (await backend.list_messages("inbox", ListQuery())).items
    assert (await backend.get_message(rows[2].id)).subject == rows[2].subject
    assert server.logins == 2


async def test_a_list_whose_headers_moved_is_read_in_a_new_session(mailboxes: Mailboxes) -> None:
    """R-POP-21: a row without its subject would look like a message without one."""
    server = Pop3Server(letters(3), twists={"TOP 2": [GONE]})
    backend = await mailboxes.open(server, PATIENT)
    await backend.check()
    rows = (await backend.list_messages("inbox", ListQuery())).items
    assert all(row.subject for row in rows)
    assert server.logins == 2


async def test_a_message_that_is_refused_for_good_costs_one_more_login(mailboxes: Mailboxes) -> None:
    """R-POP-21: its row has what LIST says; the new session is kept."""
    server = Pop3Server(letters(3), twists={"TOP 2": GONE, "RETR 2": GONE})
    backend = await mailboxes.open(server, PATIENT)
    await backend.check()
    for _ in range(3):
        rows = (await backend.list_messages("inbox", ListQuery())).items
        assert [row.subject is None for row in rows] == [False, True, False]
        with pytest.raises(UpstreamError):
            await backend.get_message(rows[1].id)
    assert server.logins == 2


async def test_a_message_that_is_gone_in_the_new_session_is_not_found(mailboxes: Mailboxes) -> None:
    """R-POP-21."""
    server = Pop3Server(letters(3), twists={"RETR 1": GONE})
    backend = await mailboxes.open(server, PATIENT)
    rows = (await backend.list_messages("inbox", ListQuery())).items
    del server.messages[0]
    with pytest.raises(NotFound):
        await backend.get_message(rows[2].id)


async def test_no_session_is_given_up_while_the_server_lets_nobody_in(mailboxes: Mailboxes) -> None:
    """R-POP-20, R-POP-21: the other messages can still be read."""
    refused = b"-ERR [LOGIN-DELAY] too early\r\n"
    twists: dict[str, Twist | list[Twist]] = {"RETR 1": GONE, "PASS": [Act.PLAY, refused]}
    server = Pop3Server(letters(3), capabilities=(*CAPABILITIES, "LOGIN-DELAY 1"), twists=twists)
    backend = await mailboxes.open(server, replace(PATIENT, in_use=3.0))
    await backend.check()
    await backend.aclose()
    rows = (await backend.list_messages("inbox", ListQuery())).items
    with pytest.raises(UpstreamError, match="gone"):
        await backend.get_message(rows[2].id)
    assert (await backend.get_message(rows[0].id)).subject == rows[0].subject
    assert server.logins == 2


async def test_a_server_that_takes_long_to_say_in_use_is_not_asked_four_times(mailboxes: Mailboxes) -> None:
    """R-POP-05: Dovecot waits ten seconds for a lock before it refuses; the deadline counts them."""
    server = Pop3Server(letters(1), twists={"PASS": b"-ERR [IN-USE] x\r\n"}, lag=0.1)
    backend = await mailboxes.open(server, replace(FAST, in_use=0.2))
    with pytest.raises(InUse):
        await backend.check()
    assert server.verbs.count("PASS") == 1


async def test_an_unbroken_burst_lets_others_in(mailboxes: Mailboxes) -> None:
    """R-POP-05: a session that grew old stays out for a moment: another replica gets its turn."""
    server = Pop3Server(letters(1), is_locking=True)
    one = await mailboxes.open(server, replace(PATIENT, session=0.02, aside=0.5, in_use=3.0))
    other = Pop3Backend(one._queue._dialer._endpoint, CREDENTIALS, "account", replace(PATIENT, in_use=3.0))
    ended = asyncio.Event()

    async def burst() -> None:
        while not ended.is_set():
            await one.check()

    bursting = asyncio.create_task(burst())
    await until(lambda: server.logins == 1)
    await other.check()
    ended.set()
    await other.aclose()
    await bursting
    assert server.most_inside == 1


async def test_reading_never_deletes(mailboxes: Mailboxes) -> None:
    """Nor marks, nor resets: whatever is asked, what is sent reads."""
    server = Pop3Server(letters(3))
    before = list(server.messages)
    backend = await mailboxes.open(server)
    page = await backend.list_messages("inbox", ListQuery())
    for row in page.items:
        await backend.get_message(row.id)
        await backend.list_headers(row.id)
        await backend.open_part(row.id, "1")
        await backend.open_source(row.id)
    await backend.get_messages([row.id for row in page.items])
    await backend.aclose()
    assert set(server.verbs) == {"CAPA", "USER", "PASS", "UIDL", "LIST", "TOP", "RETR", "QUIT"}
    assert server.messages == before


async def test_another_client_in_the_maildrop(mailboxes: Mailboxes) -> None:
    """R-POP-05: the lock of another client is waited for, but not for ever."""
    server = Pop3Server(letters(1), twists={"PASS": b"-ERR [IN-USE] x\r\n"})
    backend = await mailboxes.open(server)
    begun = asyncio.get_running_loop().time()
    with pytest.raises(InUse) as caught:
        await backend.check()
    assert caught.value.retry_after == 5
    assert asyncio.get_running_loop().time() - begun < FAST.in_use + 1


async def test_closing_in_mid_request_ends_it(mailboxes: Mailboxes) -> None:
    server = Pop3Server(letters(1), twists={"LIST": Act.HANG})
    backend = await mailboxes.open(server, replace(FAST, idle=5.0, command=5.0))
    task = asyncio.create_task(backend.list_folders())
    await until(lambda: "LIST" in server.verbs)
    await backend.aclose()
    with pytest.raises(UpstreamFailure):
        await task


async def test_closing_is_polite_and_short(mailboxes: Mailboxes) -> None:
    server = Pop3Server(letters(1), twists={"QUIT": Act.HANG})
    backend = await mailboxes.open(server, replace(PATIENT, quit=0.05))
    await backend.check()
    begun = asyncio.get_running_loop().time()
    await backend.aclose()
    assert asyncio.get_running_loop().time() - begun < 1
    assert server.verbs[-1] == "QUIT"
    await until(lambda: server.open == 0)


async def test_callers_that_go_away_leave_nothing_behind(mailboxes: Mailboxes) -> None:
    """R-OPS-10: cancelled at every step there is: no session left over, and the next request is served."""
    server = Pop3Server(letters(3))
    backend = await mailboxes.open(server)
    for steps in range(60):
        task = asyncio.create_task(backend.list_messages("inbox", ListQuery()))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not backend._queue._turn.locked()
    page = await backend.list_messages("inbox", ListQuery())
    assert [item.subject for item in page.items] == ["Letter uid-3", "Letter uid-2", "Letter uid-1"]
    await backend.aclose()
    await until(lambda: server.open == 0)
