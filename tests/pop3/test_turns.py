"""One maildrop and many requests: turns, bursts and goodbyes."""

import asyncio
from dataclasses import replace

import pytest

from service.mail.errors import InUse, ServerBusy, UpstreamFailure
from service.mail.query import ListQuery

from .conftest import FAST, Mailboxes
from .server import Act, Pop3Server, letter, letters, until

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
    """A server may close an idle session any time: nobody notices."""
    server = Pop3Server(letters(1), twists={"RETR": [Act.CLOSE]})
    backend = await mailboxes.open(server, PATIENT)
    message = (await backend.list_messages("inbox", ListQuery())).items[0].id
    assert (await backend.get_message(message)).subject == "Letter uid-1"
    assert server.logins == 2


async def test_who_waits_too_long_is_told(mailboxes: Mailboxes) -> None:
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
        assert not backend._door._turn.locked()
    page = await backend.list_messages("inbox", ListQuery())
    assert [item.subject for item in page.items] == ["Letter uid-3", "Letter uid-2", "Letter uid-1"]
    await backend.aclose()
    await until(lambda: server.open == 0)
