"""Writes to many messages of which a server refuses some, does not answer, or names others than were meant."""

import pytest

from service.adapters.imap.ids import Ids
from service.mail.errors import MailError, NotFound, NotPermitted, OverQuota, UpstreamError
from service.mail.exchange import Outcome
from service.mail.inventory import NewMessage
from tests.adapters.imap.conftest import CREDENTIALS, Scripted, asked
from tests.adapters.imap.writes.test_batch import ALL, FOUND, INBOX, LETTER, OK, TARGET, after, there
from tests.servers.scripted import Answers, Hang

IDS = Ids(CREDENTIALS.account)
MESSAGES = [IDS.message(b"INBOX", 7, uid) for uid in (1, 2, 3)]
FIRST = MESSAGES[0]
DELETED = b" FLAGS (\\Deleted)"
READ_ONLY = b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 4] x\r\n{tag} OK [READ-ONLY] done\r\n"


def kinds(outcomes: tuple[Outcome, ...]) -> list[type[MailError] | None]:
    return [type(outcome.error) if outcome.error else None for outcome in outcomes]


async def test_a_move_that_is_refused_half_way_says_what_was_moved(scripted: Scripted) -> None:
    """R-CONC-26: RFC 6851, 3.3: each message is moved or not."""
    refused = b"* OK [COPYUID 7 1 9] moved\r\n* 1 EXPUNGE\r\n{tag} NO [OVERQUOTA] full\r\n"
    answers = {"UID FETCH": after(1, there(1, 2) + OK, there(2) + OK), "UID MOVE": refused}
    async with scripted(answers, capabilities=ALL) as (server, mailbox):
        outcomes = await mailbox.move_messages(MESSAGES, TARGET)
        assert kinds(outcomes) == [None, OverQuota, NotFound]
        assert outcomes[0].new_id == IDS.message(b"Other", 7, 9)
        assert server.verbs.count("UID MOVE") == 1


@pytest.mark.parametrize("verb", ["MOVE", "COPY"])
async def test_the_others_are_moved_although_one_is_gone(scripted: Scripted, verb: str) -> None:
    """R-CONC-26: the server refuses the command for the one that another client removed just now."""
    refused = b"* 2 EXPUNGE\r\n{tag} NO [EXPUNGEISSUED] gone\r\n"
    done = b"{tag} OK [COPYUID 7 1,3 8:9] done\r\n"
    answers = {"UID FETCH": after(1, there(1, 2, 3) + OK, there(1, 3) + OK), f"UID {verb}": after(1, refused, done)}
    async with scripted(answers, capabilities=ALL) as (server, mailbox):
        outcomes = await (mailbox.move_messages if verb == "MOVE" else mailbox.copy_messages)(MESSAGES, TARGET)
        assert kinds(outcomes) == [None, NotFound, None]
        assert [outcome.new_id for outcome in outcomes] == [
            IDS.message(b"Other", 7, 8), None, IDS.message(b"Other", 7, 9),
        ]  # fmt: skip
        assert [command for command in server.commands if verb.encode() in command] == [
            b'UID %b 1:3 "Other"' % verb.encode(), b'UID %b 1,3 "Other"' % verb.encode(),
        ]  # fmt: skip


async def test_a_move_that_is_refused_has_moved_nothing(scripted: Scripted) -> None:
    answers = {"UID FETCH": there(1, 2) + OK, "UID MOVE": b"{tag} NO [OVERQUOTA] full\r\n"}
    async with scripted(answers, capabilities=ALL) as (server, mailbox):
        assert kinds(await mailbox.move_messages(MESSAGES[:2], TARGET)) == [OverQuota] * 2
        assert asked(server) == ["SELECT", "UID FETCH", "UID MOVE"]


async def test_a_move_without_an_answer_is_not_made_again(scripted: Scripted) -> None:
    """R-CONC-06: the server may still be at work, and would copy the messages twice."""
    answers = {"UID FETCH": after(1, there(1, 2) + OK, there(2) + OK), "UID MOVE": [Hang()]}
    async with scripted(answers, capabilities=ALL) as (server, mailbox):
        outcomes = await mailbox.move_messages(MESSAGES[:2], TARGET)
        assert [getattr(outcome.error, "code", None) for outcome in outcomes] == ["outcomeUnknown"] * 2
        assert server.verbs.count("UID MOVE") == 1


async def test_what_cannot_be_removed_is_not_copied(scripted: Scripted) -> None:
    """R-CONC-04: without MOVE, from a folder that is read-only."""
    async with scripted({"SELECT": READ_ONLY, "UID FETCH": there(1) + OK}) as (server, mailbox):
        assert kinds(await mailbox.move_messages([FIRST], TARGET)) == [NotPermitted]
        assert asked(server) == ["SELECT"]


@pytest.mark.parametrize("code", [b"[EXPUNGEISSUED] ", b""])
async def test_flags_are_set_although_a_message_of_many_is_gone(scripted: Scripted, code: bytes) -> None:
    """R-CONC-26: RFC 2180, 4.2: the server refuses the command for that one."""
    seen = b" FLAGS (\\Seen)"
    answers = {
        "UID STORE": after(1, b"{tag} NO %bone is gone\r\n" % code, there(1, 3, items=seen) + OK),
        "UID FETCH": there(1, items=seen) + there(3, items=b" FLAGS ()") + OK,
    }
    async with scripted(answers) as (server, mailbox):
        assert kinds(await mailbox.change_many(MESSAGES, ["$seen"], [])) == [None, NotFound, None]
        assert [command for command in server.commands if b"STORE" in command] == [
            b"UID STORE 1:3 +FLAGS (\\Seen)", b"UID STORE 1,3 +FLAGS (\\Seen)",
        ]  # fmt: skip


async def test_flags_that_are_refused_for_one_of_many_are_set_for_the_others(scripted: Scripted) -> None:
    """R-CONC-26."""
    answers = {
        "UID STORE": b"{tag} NO [NOPERM] not this one\r\n",
        "UID FETCH": there(1, 3, items=b" FLAGS (\\Seen)") + there(2, items=b" FLAGS ()") + OK,
    }
    async with scripted(answers) as (server, mailbox):
        assert kinds(await mailbox.change_many(MESSAGES, ["$seen"], [])) == [None, NotPermitted, None]
        assert server.verbs.count("UID STORE") == 1


async def test_messages_are_deleted_although_one_of_many_is_gone(scripted: Scripted) -> None:
    """R-CONC-26."""
    answers = {
        "UID STORE": after(1, b"{tag} NO [EXPUNGEISSUED] gone\r\n", there(1, 3, items=DELETED) + OK),
        "UID FETCH": after(1, there(1, 3) + OK, OK),
    }
    async with scripted(answers) as (server, mailbox):
        assert kinds(await mailbox.delete_messages(MESSAGES)) == [None, NotFound, None]
        assert b"UID EXPUNGE 1,3" in server.commands


@pytest.mark.parametrize(
    "answers",
    [
        {"UID EXPUNGE": b"{tag} NO [NOPERM] no\r\n", "UID FETCH": there(2) + OK},
        {"UID FETCH": after(1, there(2) + OK, there(1, 2) + OK)},
    ],
    ids=["refused", "kept"],
)
async def test_what_was_not_removed_is_not_left_marked(scripted: Scripted, answers: Answers) -> None:
    """R-CONC-03: else the next EXPUNGE of anybody removes what the request said was kept. A mark that was there before
    stays: the server did not report it."""
    async with scripted({"UID STORE": there(1, items=DELETED) + OK, **answers}) as (server, mailbox):
        assert kinds(await mailbox.delete_messages(MESSAGES[:2])) == [NotPermitted] * 2
        assert server.commands[-1] == b"UID STORE 1 -FLAGS (\\Deleted)"


async def test_an_appenduid_of_another_uidvalidity_is_not_believed(scripted: Scripted) -> None:
    """R-IMAP-26: the folder is selected with 7. The message is looked for."""
    reversed_code = b"{tag} OK [APPENDUID 5 7] done\r\n"
    found = {"UID SEARCH": b"* SEARCH 5\r\n" + OK, "UID FETCH": FOUND}
    async with scripted({"APPEND": reversed_code, **found}) as (_, mailbox):
        with pytest.raises(NotFound):
            await mailbox.get_flags(FIRST)
        assert await mailbox.append_message(INBOX, LETTER) == IDS.message(b"INBOX", 7, 5)


async def test_a_copyuid_of_another_uidvalidity_is_not_believed(scripted: Scripted) -> None:
    """R-IMAP-26: it was copied, and where to is not known."""
    answers = {"UID FETCH": there(1) + OK, "UID COPY": b"{tag} OK [COPYUID 8 1 9] done\r\n"}
    async with scripted(answers) as (_, mailbox):
        [outcome] = await mailbox.copy_messages([FIRST], INBOX)
        assert (outcome.error, outcome.new_id) == (None, None)


@pytest.mark.parametrize(("appended", "is_removed"), [(5, True), (6, False)])
async def test_only_a_copy_is_removed_as_the_later_of_two(scripted: Scripted, appended: int, is_removed: bool) -> None:
    """R-CONC-05, R-IMAP-26: the server may name another message as the one that was appended."""
    found = FOUND.replace(b"* 5 FETCH (UID 5", b"* %d FETCH (UID %d")
    answers: Answers = {
        "APPEND": b"{tag} OK [APPENDUID 7 %d] done\r\n" % appended,
        "UID SEARCH": after(1, b"* SEARCH\r\n" + OK, b"* SEARCH 4 5\r\n" + OK),
        "UID FETCH": lambda command: found % ((int(command.split()[2]),) * 2) if b"BODY" in command else OK,
        "UID STORE": there(appended, items=DELETED) + OK,
    }
    async with scripted(answers) as (server, mailbox):
        assert await mailbox.append_once(INBOX, LETTER) == IDS.message(b"INBOX", 7, 4)
        assert (b"UID EXPUNGE %d" % appended in server.commands) is is_removed


async def test_an_error_that_is_unknown_is_one_of_the_server(scripted: Scripted) -> None:
    """A NO without a code concerns the messages that were not changed."""
    answers = {"UID STORE": b"{tag} NO no\r\n", "UID FETCH": there(1, 2, items=b" FLAGS ()") + OK}
    async with scripted(answers) as (_, mailbox):
        assert kinds(await mailbox.change_many(MESSAGES[:2], ["$seen"], [])) == [UpstreamError] * 2


@pytest.mark.parametrize(("flag", "form"), [("work", b"{%d+}"), ("$seen", b"{%d+}"), ("odd|flag", b"{%d}")])
async def test_a_message_behind_a_flag_in_doubt_waits(scripted: Scripted, flag: str, form: bytes) -> None:
    """R-IMAP-95: a server that does not understand the flag may read the message as commands."""
    async with scripted({"APPEND": b"{tag} OK [APPENDUID 7 5] done\r\n"}) as (server, mailbox):
        await mailbox.append_message(INBOX, LETTER, [flag])
        assert form % LETTER.size + b"\r\n" in server.commands[-1]


async def test_after_a_message_that_was_not_understood_the_connection_closes(scripted: Scripted) -> None:
    """R-IMAP-95: what else the server says may be about the octets of the message."""
    async with scripted({"APPEND": b"{tag} BAD what?\r\n"}) as (server, mailbox):
        with pytest.raises(UpstreamError):
            await mailbox.append_message(INBOX, LETTER)
        await mailbox.check()
        assert server.connections == 2


async def test_several_messages_behind_a_flag_in_doubt_are_appended_one_by_one(scripted: Scripted) -> None:
    """R-IMAP-95."""
    several = [NewMessage(LETTER, (flag,), None) for flag in ("work", "odd|flag")]
    offers = b"IMAP4rev1 UIDPLUS LITERAL+ MULTIAPPEND"
    async with scripted({"APPEND": b"{tag} OK [APPENDUID 7 5] done\r\n"}, capabilities=offers) as (server, mailbox):
        await mailbox.append_many(INBOX, several)
        assert server.verbs.count("APPEND") == 2
