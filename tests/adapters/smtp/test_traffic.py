"""Round trips, and connections that are kept for the next message."""

import asyncio
from dataclasses import replace

import pytest

from service.accounts.servers import Endpoint, Security
from service.adapters.shared.connection_limit import ConnectionLimit
from service.adapters.smtp.submitter import SmtpSubmitter
from service.mail.errors import RecipientsRefused, UpstreamUnavailable
from tests.adapters.smtp.sending import CREDENTIALS, ENVELOPE, MESSAGE, TIMING, Attempt, submitter_to
from tests.servers.scripted import Close, ScriptedServer
from tests.servers.smtp import EXTENSIONS, Smtp


def to(count: int) -> Attempt:
    return Attempt(envelope=replace(ENVELOPE, recipients=tuple(f"b{n}@example.net" for n in range(count))))


@pytest.mark.parametrize(("count", "trips"), [(1, 3), (50, 3), (250, 5)])
async def test_the_next_message_takes_three_round_trips(count: int, trips: int) -> None:
    """MAIL with every RCPT, DATA, the end; a hundred commands at a time. The first one takes EHLO and AUTH too."""
    async with ScriptedServer([Smtp()]) as server:
        submitter = submitter_to(server)
        await to(count).by(submitter, close=False)
        # The greeting is no round trip: the client has said nothing before.
        assert server.round_trips == trips + 2
        await to(count).by(submitter, close=False)
        assert server.round_trips == 2 * trips + 2
        await submitter.aclose()
    assert server.connections == 1


@pytest.mark.parametrize("count", [1, 50])
async def test_without_pipelining_each_command_waits_for_its_answer(count: int) -> None:
    async with ScriptedServer([Smtp(extensions=EXTENSIONS[1:])]) as server:
        submitter = submitter_to(server)
        await to(count).by(submitter, close=False)
        assert server.round_trips == 2 + 1 + count + 2
        await submitter.aclose()


async def test_a_refusal_keeps_the_connection_for_the_next_message() -> None:
    """R-SMTP-10: RSET is between them."""
    smtp = Smtp(answers={"RCPT": lambda command: b"550 no\r\n" if b"b1@" in command else b"250 ok\r\n"})
    async with ScriptedServer([smtp]) as server:
        submitter = submitter_to(server)
        assert isinstance((await to(2).by(submitter, close=False)).error, RecipientsRefused)
        assert (await to(1).by(submitter)).receipt is not None
    assert server.connections == 1
    assert server.verbs.count("RSET") == 1


async def test_a_kept_connection_that_died_is_replaced() -> None:
    """R-SMTP-18: found when MAIL is sent: nothing was sent, so that another one may be tried."""
    first, second = Smtp(answers={"END": [b"250 ok\r\n"]}), Smtp()
    first.answers = {**first.answers, "MAIL": lambda _: [Close()] if first.messages else b"250 ok\r\n"}
    async with ScriptedServer(lambda number: [(first, second)[min(number, 1)]]) as server:
        submitter = submitter_to(server)
        await Attempt().by(submitter, close=False)
        assert (await Attempt().by(submitter)).receipt is not None
    assert (first.messages, second.messages) == ([MESSAGE], [MESSAGE])


async def test_a_new_connection_that_dies_is_not_replaced() -> None:
    """R-SMTP-18."""
    async with ScriptedServer([Smtp(answers={"MAIL": [Close()]})]) as server:
        assert type((await Attempt().to(server)).error) is UpstreamUnavailable
    assert server.connections == 1


async def test_a_message_lost_on_a_kept_connection_is_not_sent_again() -> None:
    """R-SMTP-03, R-SMTP-18: only what comes before the message may be repeated."""
    smtp = Smtp(answers={"END": lambda _: b"250 ok\r\n" if len(smtp.messages) == 1 else [Close()]})
    async with ScriptedServer([smtp]) as server:
        submitter = submitter_to(server)
        await Attempt().by(submitter, close=False)
        sent = await Attempt().by(submitter)
    assert sent.code == "outcomeUnknown"
    assert len(smtp.messages) == 2


async def test_a_connection_is_kept_for_a_moment_only() -> None:
    """R-SMTP-18: it ends by QUIT."""
    async with ScriptedServer([Smtp()]) as server:
        submitter = submitter_to(server, timing=replace(TIMING, keep=0.05))
        await Attempt().by(submitter, close=False)
        async with asyncio.timeout(5):
            await server.all_closed()
        assert server.commands[-1] == b"QUIT"
        assert (await Attempt().by(submitter)).receipt is not None
    assert server.connections == 2


async def test_messages_at_once_have_connections_of_their_own() -> None:
    """R-SMTP-18: within the limit of the server's connections, which are given back."""
    smtp, host = Smtp(), ConnectionLimit(2, patience=5)
    async with ScriptedServer([smtp]) as server:
        endpoint = Endpoint(server.host, server.port, Security.NONE)
        submitters = [SmtpSubmitter(endpoint, CREDENTIALS, TIMING, host) for _ in range(5)]
        done = await asyncio.gather(*(Attempt().by(each, close=False) for each in submitters * 2))
        assert all(each.receipt for each in done), done
        assert host.taken <= 2
        for each in submitters:
            await each.aclose()
        async with asyncio.timeout(5):
            await server.all_closed()
    assert len(smtp.messages) == 10
    assert host.taken == 0


async def test_a_server_that_ignores_quit_is_left() -> None:
    """R-SMTP-18."""
    async with ScriptedServer([Smtp(answers={"QUIT": []})]) as server:
        submitter = submitter_to(server)
        await Attempt().by(submitter)
        async with asyncio.timeout(5):
            await server.all_closed()
