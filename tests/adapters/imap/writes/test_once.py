"""Moves that other processes may be asked for too, on a server that plays the others."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from service.adapters.imap.ids import Ids
from service.adapters.imap.writes import once
from service.mail.errors import NotFound, OverQuota, UpstreamError
from service.mail.exchange import Outcome
from tests.adapters.imap.conftest import CREDENTIALS, Scripted, asked
from tests.servers.scripted import Answer, Close, Hang, ScriptedServer

IDS = Ids(CREDENTIALS.account)
MESSAGE, SECOND = (IDS.message(b"INBOX", 7, uid) for uid in (1, 2))
NEW = IDS.message(b"Other", 7, 9)
TARGET = IDS.folder(b"Other")
OK = b"{tag} OK done\r\n"
ABLE = b"IMAP4rev1 UIDPLUS MOVE CONDSTORE"
SELECTED = (
    b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 4] x\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n"
    b"* OK [HIGHESTMODSEQ 9] x\r\n{tag} OK [READ-WRITE] done\r\n"
)
MOVED = b"* OK [COPYUID 7 1 9] moved\r\n* 1 EXPUNGE\r\n" + OK
LIKE = b' RFC822.SIZE 5 INTERNALDATE "01-Feb-2026 10:00:00 +0000" BODY[]<0> {5}\r\nhello'
THEIRS = b"casella-move-0 casella-move-1 casella-move-2 casella-move-3"
_ADDED = re.compile(
    rb"UID STORE \S+ \(UNCHANGEDSINCE (\d+)\) \+FLAGS.SILENT \((casella-move-\d(?: casella-move-\d)+)\)"
)


def row(uid: int = 1, flags: bytes = b"\\Seen", version: int = 5, like: bytes = LIKE) -> bytes:
    return b"* %d FETCH (UID %d FLAGS (%b) MODSEQ (%d)%b)\r\n" % (uid, uid, flags, version, like)


class Others:
    """``looks`` are the answers when the message is looked at, one after the other, the last again and again; ``target``
    is what is in the other folder."""

    def __init__(self, *looks: bytes, target: bytes = b"", **answers: Any) -> None:
        self._looks = list(looks)
        self._target = target
        self._answers: dict[str, Any] = {"STORE": OK, "MOVE": MOVED} | answers

    def fetch(self, command: bytes) -> Answer:
        if b"MODSEQ" in command:
            rows = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
            return rows + OK
        return (row() if command.endswith(b"(UID)") else self._target) + OK

    def answers(self) -> dict[str, Any]:
        by_verb = {f"UID {verb}": answer for verb, answer in self._answers.items()}
        return {"SELECT": SELECTED, "UID FETCH": self.fetch, "FETCH": self._target + OK} | by_verb


def added(server: ScriptedServer) -> list[tuple[bytes, list[bytes]]]:
    """The conditions and words of all claims."""
    found = map(_ADDED.fullmatch, server.commands)
    return [(match[1], match[2].split()) for match in found if match]


def removed(server: ScriptedServer) -> list[bytes]:
    return [command for command in server.commands if b" -FLAGS.SILENT (" in command]


def fails_once(then: Answer, loss: Answer) -> Callable[[bytes], Answer]:
    answers = [loss]
    return lambda _: answers.pop() if answers else then


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "PATIENCE", 0.3)
    monkeypatch.setattr(once, "POLL", 0.02)


async def move(scripted: Scripted, others: Others, capabilities: bytes = ABLE) -> tuple[ScriptedServer, Outcome]:
    async with scripted(others.answers(), capabilities=capabilities) as (server, mailbox):
        [outcome] = await mailbox.move_messages([MESSAGE], TARGET, once=True)
        return server, outcome


async def test_a_claim_is_set_before_the_move_and_removed_after_it(scripted: Scripted) -> None:
    """R-SEND-13: in four round trips, beside those that select the folders."""
    server, outcome = await move(scripted, Others(row()))
    assert (outcome.error, outcome.new_id) == (None, NEW)
    assert asked(server) == [
        "SELECT", "UID FETCH", "UID STORE", "UID FETCH", "UID MOVE", "SELECT", "UID STORE",
    ]  # fmt: skip
    [(condition, words)] = added(server)
    assert condition == b"5"
    assert removed(server) == [b"UID STORE 9 -FLAGS.SILENT (%b)" % b" ".join(words)]


async def test_a_move_without_a_key_claims_nothing(scripted: Scripted) -> None:
    """R-SEND-13: no round trip is added."""
    async with scripted(Others(row()).answers(), capabilities=ABLE) as (server, mailbox):
        [outcome] = await mailbox.move_messages([MESSAGE], TARGET)
        assert outcome.new_id == NEW
        assert asked(server) == ["SELECT", "UID FETCH", "UID MOVE"]


@pytest.mark.parametrize("missing", [b"CONDSTORE", b"UIDPLUS"])
async def test_a_server_without_the_means_moves_as_before(scripted: Scripted, missing: bytes) -> None:
    server, outcome = await move(scripted, Others(row()), ABLE.replace(b" " + missing, b""))
    assert outcome.error is None
    assert asked(server) == ["SELECT", "UID FETCH", "UID MOVE"]


@pytest.mark.parametrize("refusal", [b"{tag} NO not here\r\n", b"{tag} BAD what\r\n"])
async def test_a_server_that_refuses_the_claim_moves_as_before(scripted: Scripted, refusal: bytes) -> None:
    server, outcome = await move(scripted, Others(row(), STORE=fails_once(OK, refusal)))
    assert (outcome.error, outcome.new_id) == (None, NEW)
    assert server.verbs.count("UID MOVE") == 1


async def test_what_another_process_has_claimed_is_not_moved_and_is_found(scripted: Scripted) -> None:
    """R-SEND-13: MODIFIED, another's nonce, and gone: the message in the target folder is the answer."""
    modified = b"{tag} OK [MODIFIED 1] conditional\r\n"
    others = Others(row(), row(flags=THEIRS, version=6), b"", STORE=modified, target=row(9))
    server, outcome = await move(scripted, others)
    assert (outcome.error, outcome.new_id) == (None, NEW)
    assert "UID MOVE" not in server.verbs
    assert not removed(server)


@pytest.mark.parametrize(
    "other",
    [
        row(9, like=LIKE.replace(b"hello", b"hullo")),
        row(9, like=LIKE.replace(b"01-Feb", b"02-Feb")),
        row(9, like=LIKE.replace(b"SIZE 5", b"SIZE 6")),
        b"",
    ],
    ids=["octets", "date", "size", "nothing"],
)
async def test_another_message_is_never_the_answer(scripted: Scripted, other: bytes) -> None:
    """R-SEND-13: what was deleted meanwhile is in neither folder."""
    _, outcome = await move(scripted, Others(row(flags=THEIRS), b"", target=other))
    assert isinstance(outcome.error, NotFound)
    assert outcome.new_id is None


async def test_a_stale_claim_is_taken_over(scripted: Scripted) -> None:
    """R-SEND-13: of a process that ended; both sets of keywords are removed."""
    server, outcome = await move(scripted, Others(row(flags=THEIRS, version=6)))
    assert (outcome.error, outcome.new_id) == (None, NEW)
    [(condition, words)] = added(server)
    assert condition == b"6"
    assert set(words) - set(THEIRS.split())
    [last] = removed(server)
    assert set(re.findall(rb"casella-move-\d", last)) == {*words, *THEIRS.split()}
    assert server.verbs.count("UID FETCH") > 5  # it waited


async def test_a_claim_that_changes_is_waited_for(scripted: Scripted) -> None:
    """R-SEND-13: another process takes the stale claim over first."""
    looks = [row(flags=THEIRS, version=6 + number) for number in range(40)]
    server, outcome = await move(scripted, Others(*looks, b"", target=row(9)))
    assert (outcome.error, outcome.new_id) == (None, NEW)
    assert "UID MOVE" not in server.verbs


async def test_a_claim_in_doubt_is_none(scripted: Scripted) -> None:
    """R-SEND-13: Dovecot says OK to a STORE of the nonce that another process has set at the same instant."""
    others = Others(row(), row(flags=THEIRS, version=6), b"", STORE=row(flags=THEIRS, like=b"") + OK, target=row(9))
    server, outcome = await move(scripted, others)
    assert (outcome.error, outcome.new_id) == (None, NEW)
    assert "UID MOVE" not in server.verbs


async def test_a_server_that_is_never_silent_is_waited_for_once(scripted: Scripted) -> None:
    others = Others(row(), row(flags=THEIRS), STORE=row(flags=THEIRS, like=b"") + OK)
    async with scripted(others.answers(), capabilities=ABLE) as (server, mailbox):
        for _ in range(2):
            [outcome] = await mailbox.move_messages([MESSAGE], TARGET, once=True)
            assert outcome.new_id == NEW
        assert server.verbs.count("UID MOVE") == 2


async def test_only_what_is_claimed_is_moved(scripted: Scripted) -> None:
    """R-SEND-13: one of two is another's; the condition is the highest of what is free."""
    modified = fails_once(OK, b"* 1 FETCH (UID 1 MODSEQ (10))\r\n{tag} OK [MODIFIED 2] conditional\r\n")
    others = Others(row() + row(2, version=8), b"", STORE=modified)
    async with scripted(others.answers(), capabilities=ABLE) as (server, mailbox):
        first, second = await mailbox.move_messages([MESSAGE, SECOND], TARGET, once=True)
        assert (first.error, first.new_id) == (None, NEW)
        assert isinstance(second.error, NotFound)
        assert [condition for condition, _ in added(server)] == [b"8"]
        assert [command for command in server.commands if b"MOVE" in command] == [b'UID MOVE 1 "Other"']


async def test_a_refused_move_leaves_the_message_as_it_was(scripted: Scripted) -> None:
    """R-SEND-13: the keywords are removed in the old folder."""
    server, outcome = await move(scripted, Others(row(), MOVE=b"{tag} NO [OVERQUOTA] full\r\n"))
    assert isinstance(outcome.error, OverQuota)
    [(_, words)] = added(server)
    assert removed(server) == [b"UID STORE 1 -FLAGS.SILENT (%b)" % b" ".join(words)]


@pytest.mark.parametrize(
    ("verb", "loss"),
    [("STORE", [Close()]), ("STORE", [Hang()]), ("MOVE", [Close()])],
    ids=["STORE closed", "STORE silent", "MOVE closed"],
)
async def test_after_a_lost_answer_what_is_left_is_claimed_again(scripted: Scripted, verb: str, loss: Answer) -> None:
    """R-SEND-13, R-CONC-06: another nonce, so that of two processes only one goes on."""
    then = OK if verb == "STORE" else MOVED
    server, outcome = await move(scripted, Others(row(), target=b"", **{verb: fails_once(then, loss)}))
    assert (outcome.error, outcome.new_id) == (None, NEW)
    assert len(added(server)) == 2


@pytest.mark.parametrize("capabilities", [ABLE, b"IMAP4rev1 UIDPLUS MOVE"])
async def test_a_move_without_an_answer_is_not_made_again(scripted: Scripted, capabilities: bytes) -> None:
    """R-SEND-13, R-CONC-06: the server may still be at work, and would copy the message twice."""
    server, outcome = await move(scripted, Others(row(), MOVE=[Hang()]), capabilities)
    assert isinstance(outcome.error, UpstreamError)
    assert outcome.error.code == "outcomeUnknown"
    assert server.verbs.count("UID MOVE") == 1


async def test_after_a_lost_answer_to_move_the_message_is_found(scripted: Scripted) -> None:
    """R-SEND-13, R-CONC-06: in the target folder, and its keywords are removed; or nobody knows."""
    server, outcome = await move(scripted, Others(row(), b"", MOVE=[Close()], target=row(9)))
    assert (outcome.error, outcome.new_id) == (None, NEW)
    [(_, words)] = added(server)
    assert removed(server) == [b"UID STORE 9 -FLAGS.SILENT (%b)" % b" ".join(words)]
    server, outcome = await move(scripted, Others(row(), b"", MOVE=[Close()]))
    assert isinstance(outcome.error, UpstreamError)
    assert outcome.error.code == "outcomeUnknown"
    assert server.verbs.count("UID MOVE") == 1


async def test_a_message_that_cannot_be_read_is_moved_with_the_others(scripted: Scripted) -> None:
    """R-SEND-13: without a claim."""
    server, outcome = await move(scripted, Others(b"* 1 FETCH (UID 1)\r\n"))
    assert (outcome.error, outcome.new_id) == (None, NEW)
    assert not added(server)


async def test_a_message_that_was_never_seen_is_missing(scripted: Scripted) -> None:
    server, outcome = await move(scripted, Others(b""))
    assert isinstance(outcome.error, NotFound)
    assert asked(server) == ["SELECT", "UID FETCH"]
