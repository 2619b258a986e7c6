"""Deletion: exactly these, and done only where the server said so."""

from dataclasses import replace

import pytest

from service.adapters.pop3.backend import Pop3Backend
from service.mail.errors import NotFound, UpstreamError, UpstreamProtocol
from service.mail.search.filter import ListQuery

from .conftest import FAST, Mailboxes
from .server import CAPABILITIES, Act, Pop3Server, Twist, letter, letters

PATIENT = replace(FAST, linger=5.0)


async def ids(backend: Pop3Backend) -> dict[str | None, str]:
    """Ids by subject."""
    return {item.subject: item.id for item in (await backend.list_messages("inbox", ListQuery())).items}


def left(server: Pop3Server) -> list[str]:
    return [stored.uidl for stored in server.messages]


async def test_quit_makes_it_happen(mailboxes: Mailboxes) -> None:
    """R-POP-06: each is named by its unique-id at that number once more, then DELE, then QUIT."""
    server = Pop3Server(letters(4))
    backend = await mailboxes.open(server)
    known = await ids(backend)
    asked = [known["Letter uid-2"], known["Letter uid-3"], known["Letter uid-2"]]
    outcomes = await backend.delete_messages(asked)
    assert [(outcome.id, outcome.error) for outcome in outcomes] == [(message, None) for message in asked]
    assert left(server) == ["uid-1", "uid-4"]
    assert server.heard[-5:] == ["UIDL 2", "UIDL 3", "DELE 2", "DELE 3", "QUIT"]
    with pytest.raises(NotFound):
        await backend.get_message(asked[0])


@pytest.mark.parametrize("answer", [b"-ERR not all removed\r\n", Act.CLOSE, Act.HANG, b"what\r\n"])
async def test_only_ok_to_quit_counts(mailboxes: Mailboxes, answer: Twist) -> None:
    """R-POP-06: after a refused, lost, silent or garbled QUIT the result is unknown, and reported as unknown."""
    server = Pop3Server(letters(2), twists={"QUIT": answer})
    backend = await mailboxes.open(server)
    (outcome,) = await backend.delete_messages([(await ids(backend))["Letter uid-1"]])
    assert isinstance(outcome.error, UpstreamError)
    assert outcome.error.code == "deleteUnconfirmed"
    assert "List again" in outcome.error.detail


@pytest.mark.parametrize("answer", [b"-ERR [SYS/TEMP] some are left\r\n", Act.CLOSE])
async def test_a_deletion_without_confirmation_is_looked_for_when_it_is_asked_again(
    mailboxes: Mailboxes, answer: Twist
) -> None:
    """R-POP-06: of two unconfirmed deletions one had happened and one happens now; a third message never existed."""
    server = Pop3Server(letters(3), twists={"QUIT": [answer]})
    backend = await mailboxes.open(server, PATIENT)
    known = await ids(backend)
    both = [known["Letter uid-1"], known["Letter uid-2"]]
    outcomes = await backend.delete_messages(both)
    assert [getattr(outcome.error, "code", None) for outcome in outcomes] == ["deleteUnconfirmed"] * 2
    assert left(server) == ["uid-1", "uid-2", "uid-3"]
    server.messages = server.messages[1:]
    again = await backend.delete_messages([*both, known["Letter uid-3"][:-2] + "AA"])
    assert [outcome.error for outcome in again[:2]] == [None, None]
    assert isinstance(again[2].error, NotFound)
    assert left(server) == ["uid-3"]


async def test_many_are_deleted_in_one_session(mailboxes: Mailboxes) -> None:
    """R-POP-06: one look, one DELE each, one QUIT."""
    server = Pop3Server(letters(500), lag=0.02)
    backend = await mailboxes.open(server, PATIENT)
    asked = [item.id for item in (await backend.list_messages("inbox", ListQuery(200))).items]
    before = len(server.turns)
    assert all(outcome.error is None for outcome in await backend.delete_messages(asked))
    assert left(server) == [f"uid-{n}" for n in range(1, 301)]
    assert server.logins == 1
    assert server.verbs.count("DELE") == 200
    assert len(server.turns) - before < 2 * (200 / 50) + 4


async def test_a_connection_lost_before_quit_deletes_nothing(mailboxes: Mailboxes) -> None:
    """R-POP-06: what was marked is there still, and is said to be unconfirmed."""
    server = Pop3Server(letters(2), twists={"DELE 2": Act.CLOSE})
    backend = await mailboxes.open(server)
    known = await ids(backend)
    outcomes = await backend.delete_messages([known["Letter uid-1"], known["Letter uid-2"]])
    assert [getattr(outcome.error, "code", None) for outcome in outcomes] == ["deleteUnconfirmed"] * 2
    assert left(server) == ["uid-1", "uid-2"]
    assert server.verbs.count("DELE") <= 2


async def test_numbers_of_another_session_are_never_used(mailboxes: Mailboxes) -> None:
    """R-POP-06: renumbered between sessions: the message goes, and no other."""
    server = Pop3Server(letters(5))
    backend = await mailboxes.open(server)
    known = await ids(backend)
    await backend.aclose()
    server.messages = [*server.messages[2:], letter("new")]
    outcomes = await backend.delete_messages([known["Letter uid-4"], known["Letter uid-1"]])
    assert outcomes[0].error is None
    assert isinstance(outcomes[1].error, NotFound)
    assert left(server) == ["uid-3", "uid-5", "new"]


@pytest.mark.parametrize("answer", [b"+OK 1 uid-2\r\n", b"+OK 2 uid-1\r\n", b"-ERR\r\n", b"+OK\r\n", b"+OK 1\r\n"])
async def test_a_server_that_renumbers_in_mid_session_is_left_at_once(mailboxes: Mailboxes, answer: bytes) -> None:
    """R-POP-06: one identity in doubt is all in doubt: no DELE is sent."""
    server = Pop3Server(letters(2), twists={"UIDL 1": answer})
    backend = await mailboxes.open(server)
    known = await ids(backend)
    with pytest.raises(UpstreamProtocol):
        await backend.delete_messages([known["Letter uid-1"], known["Letter uid-2"]])
    assert "DELE" not in server.verbs
    assert left(server) == ["uid-1", "uid-2"]


async def test_one_refused_is_one_outcome(mailboxes: Mailboxes) -> None:
    server = Pop3Server(letters(3), twists={"DELE 2": b"-ERR locked\r\n"})
    backend = await mailboxes.open(server)
    known = await ids(backend)
    outcomes = await backend.delete_messages([known["Letter uid-2"], known["Letter uid-3"], "m_nonsense"])
    assert isinstance(outcomes[0].error, UpstreamError)
    assert outcomes[0].error.code is None
    assert outcomes[1].error is None
    assert isinstance(outcomes[2].error, NotFound)
    assert left(server) == ["uid-1", "uid-2"]


async def test_unknown_ids_alone_ask_nothing(mailboxes: Mailboxes) -> None:
    server = Pop3Server(letters(1))
    backend = await mailboxes.open(server)
    (outcome,) = await backend.delete_messages(["m_nonsense"])
    assert isinstance(outcome.error, NotFound)
    assert await backend.delete_messages([]) == ()
    assert server.connections == 0


@pytest.mark.parametrize("pipelining", [True, False])
async def test_deletion_by_content_looks_again_first(mailboxes: Mailboxes, pipelining: bool) -> None:
    """R-POP-04, R-POP-06: without unique-ids the header is compared in the session that deletes."""
    capabilities = tuple(name for name in CAPABILITIES if name != "UIDL" and (pipelining or name != "PIPELINING"))
    server = Pop3Server(letters(4), capabilities)
    backend = await mailboxes.open(server)
    known = await ids(backend)
    await backend.aclose()
    server.messages = server.messages[::-1]
    (outcome,) = await backend.delete_messages([known["Letter uid-1"]])
    assert outcome.error is None
    assert left(server) == ["uid-4", "uid-3", "uid-2"]
    assert server.heard[-3:] == ["TOP 4 0", "DELE 4", "QUIT"]


async def test_of_two_that_look_alike_none_is_deleted(mailboxes: Mailboxes) -> None:
    """R-POP-04: duplicates without unique-ids: a copy too many is better than one too few."""
    server = Pop3Server([letter("same"), letter("same"), letter("other")])
    backend = await mailboxes.open(server)
    known = await ids(backend)
    outcomes = await backend.delete_messages([known["Letter same"], known["Letter other"]])
    assert isinstance(outcomes[0].error, UpstreamError)
    assert outcomes[0].error.code == "ambiguousId"
    assert outcomes[1].error is None
    assert left(server) == ["same", "same"]


async def test_ids_of_another_account_are_unknown(mailboxes: Mailboxes) -> None:
    server = Pop3Server(letters(1))
    backend = await mailboxes.open(server)
    known = await ids(backend)
    other = await mailboxes.open(Pop3Server(letters(1)))
    stranger = type(other)(other._queue._dialer._endpoint, other._queue._dialer._credentials, "another account")
    (outcome,) = await stranger.delete_messages([known["Letter uid-1"]])
    assert isinstance(outcome.error, NotFound)
