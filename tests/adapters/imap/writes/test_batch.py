"""Writes on a server that loses answers, lies about what it can, or can little."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.adapters.imap.ids import Ids
from service.mail.errors import (
    Changed,
    NotFound,
    NotPermitted,
    NotSupported,
    TooLarge,
    UpstreamError,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from service.mail.search.filter import Condition, Criterion, ListQuery, Order, SortKey
from tests.adapters.imap.conftest import CREDENTIALS, Scripted, asked
from tests.contract.test_writing import Octets
from tests.servers.scripted import Answer, Close, Hang, Send

IDS = Ids(CREDENTIALS.account)
FIRST, SECOND = (IDS.message(b"INBOX", 7, uid) for uid in (1, 2))
INBOX, TARGET = IDS.folder(b"INBOX"), IDS.folder(b"Other")
OK = b"{tag} OK done\r\n"
LETTER = Octets(b"Message-ID: <x@example.org>\r\nSubject: x\r\n\r\ntext\r\n", "x@example.org")
ALL = b"IMAP4rev1 UIDPLUS MOVE"


def there(*uids: int, items: bytes = b"") -> bytes:
    return b"".join(b"* %d FETCH (UID %d%b)\r\n" % (uid, uid, items) for uid in uids)


def after(count: int, first: Answer, then: Answer) -> Any:
    """``first`` is the answer ``count`` times, ``then`` from then on."""
    asked_so_far = 0

    def answer(_: bytes) -> Answer:
        nonlocal asked_so_far
        asked_so_far += 1
        return first if asked_so_far <= count else then

    return answer


async def test_a_message_waits_for_the_server_to_ask(scripted: Scripted) -> None:
    """R-IMAP-26: without LITERAL+ nothing is sent before the ``+``; APPENDUID is the answer."""
    appended = {"APPEND": b"{tag} OK [APPENDUID 9 44] done\r\n"}
    async with scripted(appended, capabilities=b"IMAP4rev1 UIDPLUS") as (server, mailbox):
        assert await mailbox.append_message(TARGET, LETTER, ["$seen", "work"]) == IDS.message(b"Other", 9, 44)
        head = b'APPEND "Other" (\\Seen work) {%d}\r\n' % LETTER.size
        assert server.commands[-1] == head + LETTER.octets
        assert server.round_trips == 4  # capability, login, the command, the message


@pytest.mark.parametrize("status", [b"OK done", b"BAD what"])
async def test_the_client_names_itself_before_the_first_message(scripted: Scripted, status: bytes) -> None:
    """R-IMAP-45: in the same round trip as APPEND, whatever the server says to it."""
    answers = {"APPEND": b"{tag} OK [APPENDUID 9 44] done\r\n", "ID": b"{tag} %b\r\n" % status}
    async with scripted(answers, capabilities=b"IMAP4rev1 UIDPLUS ID") as (server, mailbox):
        for _ in range(2):
            assert await mailbox.append_message(TARGET, LETTER) == IDS.message(b"Other", 9, 44)
        assert [verb for verb in server.verbs if verb in {"ID", "APPEND"}] == ["ID", "APPEND", "APPEND"]
        assert server.round_trips == 6  # capability, login, and twice the command and the message


async def test_a_message_goes_ahead_where_the_server_allows_it(scripted: Scripted) -> None:
    """R-IMAP-26: LITERAL+ has no limit, LITERAL- ends at 4096 octets."""
    appended = {"APPEND": b"{tag} OK [APPENDUID 9 44] done\r\n"}
    large = Octets(LETTER.octets + b"x" * 5000, "x@example.org")
    for offer, letter, form in (
        (b"LITERAL+", large, b"{%d+}"), (b"LITERAL-", LETTER, b"{%d+}"), (b"LITERAL-", large, b"{%d}"),
    ):  # fmt: skip
        async with scripted(appended, capabilities=b"IMAP4rev1 UIDPLUS " + offer) as (server, mailbox):
            assert await mailbox.append_message(INBOX, letter) == IDS.message(b"INBOX", 9, 44)
            assert form % letter.size + b"\r\n" in server.commands[-1]


async def test_a_server_that_says_no_gets_no_octet_of_the_message(scripted: Scripted) -> None:
    """R-IMAP-26, R-IMAP-19: a NO before the literal, and the connection is as good as before."""

    class Refusing(Octets):
        async def chunks(self) -> AsyncIterator[bytes]:
            raise AssertionError("nothing was asked for")
            yield b""  # type: ignore[unreachable]

    async with scripted(capabilities=b"IMAP4rev1", continuation=b"{tag} NO [TRYCREATE] no folder\r\n") as (
        server,
        mailbox,
    ):
        with pytest.raises(NotFound) as caught:
            await mailbox.append_message(TARGET, Refusing(b"octets"))
        assert caught.value.what == "folder"
        await mailbox.check()
        assert server.connections == 1


async def test_a_server_that_never_asks_is_given_up(scripted: Scripted) -> None:
    """R-IMAP-26: ``+`` never comes."""
    async with scripted(capabilities=b"IMAP4rev1", continuation=b"* OK still here\r\n") as (server, mailbox):
        with pytest.raises(UpstreamTimeout):
            await mailbox.append_message(INBOX, Octets(b"octets"))
        assert server.connections == 2  # the silent one was closed


async def test_a_server_that_is_done_before_it_has_the_message_is_not_believed(scripted: Scripted) -> None:
    """R-IMAP-05, R-IMAP-26."""
    async with scripted(capabilities=b"IMAP4rev1", continuation=b"* OK x\r\n{tag} OK done\r\n") as (_, mailbox):
        with pytest.raises(UpstreamProtocol):
            await mailbox.append_message(INBOX, Octets(b"octets"))


async def test_an_upload_that_breaks_off_closes_the_connection(scripted: Scripted) -> None:
    """R-OPS-09: half a literal would swallow the next command."""

    class Broken(Octets):
        async def chunks(self) -> AsyncIterator[bytes]:
            yield b"half"
            raise ConnectionError

    async with scripted() as (server, mailbox):
        with pytest.raises(ConnectionError):
            await mailbox.append_message(INBOX, Broken(b"octets, more than half"))
        await mailbox.check()
        assert server.connections == 2


async def test_a_message_too_large_for_the_server_is_not_sent(scripted: Scripted) -> None:
    """RFC 7889."""
    async with scripted(capabilities=b"IMAP4rev1 APPENDLIMIT=100") as (server, mailbox):
        with pytest.raises(TooLarge):
            await mailbox.append_message(INBOX, Octets(b"x" * 101))
        assert "APPEND" not in server.verbs


FOUND = there(5, items=b" BODY[]<0> {%d}\r\n%b" % (LETTER.size, LETTER.octets)) + OK


async def test_a_server_without_appenduid_is_searched_for_the_message(scripted: Scripted) -> None:
    """R-IMAP-26: found by its Message-ID and its octets, or not known."""
    answers = {"APPEND": OK, "UID SEARCH": b"* SEARCH 4 5\r\n" + OK, "UID FETCH": after(1, OK, FOUND)}
    async with scripted(answers, capabilities=b"IMAP4rev1") as (server, mailbox):
        assert await mailbox.append_message(INBOX, LETTER) == IDS.message(b"INBOX", 7, 5)
        assert b'UID SEARCH HEADER Message-ID "x@example.org"' in server.commands
    async with scripted({"APPEND": OK}, capabilities=b"IMAP4rev1") as (_, mailbox):
        assert await mailbox.append_message(INBOX, LETTER) is None


@pytest.mark.parametrize("loss", [[Close()], [Hang()]], ids=["closed", "silent"])
async def test_a_lost_answer_to_append_is_looked_for_and_never_repeated(scripted: Scripted, loss: Answer) -> None:
    """R-CONC-06: there it is, or it is not and the client may send it again, or nobody knows."""
    search = {"UID SEARCH": b"* SEARCH 5\r\n" + OK, "UID FETCH": FOUND}
    async with scripted({"APPEND": loss, **search}) as (server, mailbox):
        assert await mailbox.append_message(INBOX, LETTER) == IDS.message(b"INBOX", 7, 5)
        assert server.verbs.count("APPEND") == 1
    async with scripted({"APPEND": loss}) as (server, mailbox):
        with pytest.raises((UpstreamUnavailable, UpstreamTimeout)):
            await mailbox.append_message(INBOX, LETTER)
        assert server.verbs.count("APPEND") == 1
    async with scripted({"APPEND": loss, "UID SEARCH": [Close()]}) as (server, mailbox):
        with pytest.raises(UpstreamError) as caught:
            await mailbox.append_message(INBOX, LETTER)
        assert caught.value.code == "outcomeUnknown"
        assert server.verbs.count("APPEND") == 1


async def test_a_lost_answer_to_copy_stays_unknown(scripted: Scripted) -> None:
    """R-CONC-06: copied again there might be two."""
    async with scripted({"UID FETCH": there(1, 2) + OK, "UID COPY": [Close()]}) as (server, mailbox):
        outcomes = await mailbox.copy_messages([FIRST, SECOND], TARGET)
        assert [getattr(outcome.error, "code", None) for outcome in outcomes] == ["outcomeUnknown"] * 2
        assert server.verbs.count("UID COPY") == 1


async def test_after_a_lost_answer_to_move_it_is_looked_what_is_left(scripted: Scripted) -> None:
    """R-CONC-04, R-CONC-06: what is still there was not moved, and is moved then; what is gone is not known."""
    left = {"UID FETCH": after(2, there(1, 2) + OK, there(2) + OK), "UID MOVE": after(1, [Close()], OK)}
    left["UID FETCH"] = after(1, there(1, 2) + OK, there(2) + OK)
    async with scripted(left, capabilities=ALL) as (server, mailbox):
        first, second = await mailbox.move_messages([FIRST, SECOND], TARGET)
        assert isinstance(first.error, UpstreamError)
        assert first.error.code == "outcomeUnknown"
        assert second.error is None
        assert [command for command in server.commands if b"MOVE" in command] == [
            b'UID MOVE 1:2 "Other"', b'UID MOVE 2 "Other"',
        ]  # fmt: skip


async def test_after_a_lost_answer_to_delete_what_is_gone_is_deleted(scripted: Scripted) -> None:
    """R-CONC-06: verified, and only what is left is asked for again."""
    answers = {
        "UID STORE": there(1, 2, items=b" FLAGS (\\Deleted)") + OK,
        "UID EXPUNGE": after(1, [Close()], OK),
        "UID FETCH": after(1, there(2) + OK, OK),
    }
    async with scripted(answers) as (server, mailbox):
        outcomes = await mailbox.delete_messages([FIRST, SECOND])
        assert [outcome.error for outcome in outcomes] == [None, None]
        assert [command for command in server.commands if b"EXPUNGE" in command] == [
            b"UID EXPUNGE 1:2", b"UID EXPUNGE 2",
        ]  # fmt: skip


async def test_a_lost_answer_under_a_condition_is_verified(scripted: Scripted) -> None:
    """R-CONC-06: the second try finds the version gone, because the first one was done."""
    selected = {
        "SELECT": b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [HIGHESTMODSEQ 9] x\r\n{tag} OK done\r\n",
        "UID STORE": after(1, [Close()], b"{tag} OK [MODIFIED 1] conditional\r\n"),
    }
    capabilities = b"IMAP4rev1 CONDSTORE"
    done = {"UID FETCH": there(1, items=b" FLAGS (\\Seen) MODSEQ (10)") + OK}
    async with scripted({**selected, **done}, capabilities=capabilities) as (server, mailbox):
        flags = await mailbox.change_flags(FIRST, ["$seen"], [], version="8")
        assert (flags.flags, flags.version) == (("$seen",), "10")
        assert b"UID STORE 1 (UNCHANGEDSINCE 8) +FLAGS (\\Seen)" in server.commands
    other = {"UID FETCH": there(1, items=b" FLAGS () MODSEQ (10)") + OK}
    async with scripted({**selected, **other}, capabilities=capabilities) as (_, mailbox):
        with pytest.raises(Changed):
            await mailbox.change_flags(FIRST, ["$seen"], [], version="8")


@pytest.mark.parametrize("version", ["²", "٣", "", "x", "9" * 30])
async def test_a_version_that_is_not_a_number_has_changed(scripted: Scripted, version: str) -> None:
    """An If-Match of any octets: ``str.isdigit`` knows more digits than ``int`` reads."""
    selected = {"SELECT": b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [HIGHESTMODSEQ 9] x\r\n{tag} OK done\r\n"}
    async with scripted(selected, capabilities=b"IMAP4rev1 CONDSTORE") as (server, mailbox):
        with pytest.raises(Changed):
            await mailbox.change_flags(FIRST, ["$seen"], [], version=version)
        assert "UID STORE" not in server.verbs


async def test_a_condition_needs_a_server_that_counts(scripted: Scripted) -> None:
    """No read-modify-write instead."""
    async with scripted() as (server, mailbox):
        with pytest.raises(NotSupported):
            await mailbox.change_flags(FIRST, ["$seen"], [], version="8")
        assert "UID STORE" not in server.verbs


@pytest.mark.parametrize(
    ("select", "flag", "is_kept"),
    [
        (b"* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n", "work", True),
        (b"* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n", "$flagged", False),
        (b"* OK [PERMANENTFLAGS (\\Seen work)] x\r\n", "WORK", True),
        (b"* OK [PERMANENTFLAGS (\\Seen)] x\r\n", "work", False),
        (b"* OK [PERMANENTFLAGS ()] x\r\n", "$seen", False),
        (b"* OK [PERMANENTFLAGS (\\*)] x\r\n", "$seen", True),
        (b"", "anything", True),
    ],
)
async def test_a_flag_the_folder_does_not_keep_is_refused(
    scripted: Scripted, select: bytes, flag: str, *, is_kept: bool
) -> None:
    """R-IMAP-25, R-IMAP-62: PERMANENTFLAGS is the truth; a server says OK to what it forgets. A list of ``\\*`` alone
    says nothing of system flags, so the server is asked."""
    answers = {
        "SELECT": b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n" + select + b"{tag} OK [READ-WRITE] done\r\n",
        "UID STORE": there(1, items=b" FLAGS (x)") + OK,
    }
    async with scripted(answers) as (server, mailbox):
        if is_kept:
            await mailbox.change_flags(FIRST, [flag], [])
        else:
            with pytest.raises(NotPermitted):
                await mailbox.change_flags(FIRST, [flag], [])
        assert ("UID STORE" in server.verbs) is is_kept
        await mailbox.change_flags(FIRST, [], [flag])


async def test_a_read_only_folder_keeps_no_flags(scripted: Scripted) -> None:
    answers = {"SELECT": b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n{tag} OK [READ-ONLY] done\r\n"}
    async with scripted(answers) as (_, mailbox):
        with pytest.raises(NotPermitted):
            await mailbox.set_flags(FIRST, ["$seen"])


async def test_a_server_that_cannot_move_what_it_offers_to_move(scripted: Scripted) -> None:
    """R-IMAP-22: BAD to MOVE is tried once, then copied, marked and removed by UID, now and from then on."""
    answers = {
        "UID MOVE": b"{tag} BAD what?\r\n",
        "UID FETCH": after(4, there(1) + OK, OK),
        "UID COPY": b"{tag} OK [COPYUID 9 1 77] done\r\n",
        "UID STORE": there(1, items=b" FLAGS (\\Deleted)") + OK,
    }
    answers["UID FETCH"] = after(2, there(1) + OK, OK)
    async with scripted(answers, capabilities=ALL) as (server, mailbox):
        [moved] = await mailbox.move_messages([FIRST], TARGET)
        assert (moved.error, moved.new_id) == (None, IDS.message(b"Other", 9, 77))
        server.commands.clear()
        await mailbox.move_messages([FIRST], TARGET)
        assert "UID MOVE" not in server.verbs
        assert b"EXPUNGE" not in [command.split()[0] for command in server.commands]


async def test_a_server_that_cannot_expunge_what_it_offers_to(scripted: Scripted) -> None:
    """R-IMAP-22, R-CONC-03: what was marked is unmarked again, so that nobody's EXPUNGE takes it."""
    answers = {"UID STORE": there(1, items=b" FLAGS (\\Deleted)") + OK, "UID EXPUNGE": b"{tag} BAD what?\r\n"}
    async with scripted(answers) as (server, mailbox):
        [outcome] = await mailbox.delete_messages([FIRST])
        assert isinstance(outcome.error, NotSupported)
        assert b"UID STORE 1 -FLAGS (\\Deleted)" in server.commands
        server.commands.clear()
        [outcome] = await mailbox.delete_messages([FIRST])
        assert isinstance(outcome.error, NotSupported)
        assert asked(server) == []


async def test_extensions_that_are_offered_and_refused_are_done_without(scripted: Scripted) -> None:
    """R-IMAP-22: CONDSTORE, ESEARCH and SORT, each tried once."""
    row = b" FLAGS () RFC822.SIZE 9 ENVELOPE (NIL %b NIL NIL NIL NIL NIL NIL NIL NIL)"
    rows = b"".join(there(uid, items=row % subject) for uid, subject in ((1, b"b"), (2, b"a")))
    plain = b"* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n{tag} OK done\r\n"

    def select(command: bytes) -> bytes:
        return b"{tag} BAD what?\r\n" if b"CONDSTORE" in command else plain

    def search(command: bytes) -> bytes:
        return b"{tag} BAD what?\r\n" if b"RETURN" in command else b"* SEARCH 1 2\r\n" + OK

    answers = {"SELECT": select, "UID SEARCH": search, "UID SORT": b"{tag} BAD what?\r\n", "UID FETCH": rows + OK}
    async with scripted(answers, capabilities=b"IMAP4rev1 CONDSTORE ESEARCH SORT") as (server, mailbox):
        query = ListQuery(filter=Condition(Criterion.SUBJECT, "x"), sort=(Order(SortKey.SUBJECT),))
        for _ in range(2):
            page = await mailbox.list_messages("inbox", query)
            assert [row.subject for row in page.items] == ["a", "b"]
            assert page.evaluated_by == "mixed"
        refused = [command for command in server.commands if b"CONDSTORE" in command or b"RETURN" in command]
        assert len(refused) == 2
        assert server.verbs.count("UID SORT") == 1


@pytest.mark.parametrize("status", [b"NO [BADCHARSET (US-ASCII)] no", b"NO I do not know that charset"])
async def test_a_server_without_unicode_is_searched_here(scripted: Scripted, status: bytes) -> None:
    """The charset ladder ends with reading the rows; the server is not asked again."""
    row = b" FLAGS () RFC822.SIZE 9 ENVELOPE (NIL %b NIL NIL NIL NIL NIL NIL NIL NIL)"
    subjects = ((1, b'"=?utf-8?q?=C3=9Cbersicht?="'), (2, b'"other"'))
    rows = b"".join(there(uid, items=row % subject) for uid, subject in subjects) + OK

    def search(command: bytes) -> bytes:
        return b"{tag} " + status + b"\r\n" if b"CHARSET" in command else b"* SEARCH 1 2\r\n" + OK

    async with scripted({"UID SEARCH": search, "UID FETCH": rows}) as (server, mailbox):
        for _ in range(2):
            page = await mailbox.list_messages("inbox", ListQuery(filter=Condition(Criterion.SUBJECT, "ÜBERSICHT")))
            assert [row.subject for row in page.items] == ["Übersicht"]
            assert page.evaluated_by == "local"
        assert sum(b"CHARSET" in command for command in server.commands) == 1


async def test_a_repeated_page_costs_flags_alone(scripted: Scripted) -> None:
    """Rows are read once; news of other messages that come in between are no rows of the page."""
    whole = b" FLAGS (\\Seen) RFC822.SIZE 9 ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) BODYSTRUCTURE (%b)"
    structure = b'"TEXT" "PLAIN" NIL NIL NIL "7BIT" 3 1'
    rows = there(2, 3, items=whole % structure)
    news = b"* 1 FETCH (UID 1 FLAGS (x))\r\n"
    flags = news + there(2, 3, items=b" FLAGS (y)")
    async with scripted({"FETCH": rows + OK, "UID FETCH": flags + OK}) as (server, mailbox):
        first = await mailbox.list_messages("inbox", ListQuery(limit=2))
        second = await mailbox.list_messages("inbox", ListQuery(limit=2))
        assert [item.flags for item in first.items] == [("$seen",)] * 2
        assert [item.flags for item in second.items] == [("y",)] * 2
        assert [item.id for item in second.items] == [item.id for item in first.items]
        fetches = [command for command in server.commands if b"FETCH" in command]
        assert fetches[1:] == [b"UID FETCH 2:* (UID FLAGS)"]


@pytest.mark.parametrize(
    "news", [b"* 4 EXISTS", b"* 1 EXPUNGE", b"* 3 FETCH (FLAGS (new))", b"* 3 FETCH (MODSEQ (9) FLAGS (new))"]
)
async def test_a_repeated_page_is_read_again_where_there_is_news(scripted: Scripted, news: bytes) -> None:
    """Dovecot looks for news after what was sent behind the NOOP, so that is older than the news."""
    whole = b" FLAGS (%b) RFC822.SIZE 9 ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) BODYSTRUCTURE (%b)"
    structure = b'"TEXT" "PLAIN" NIL NIL NIL "7BIT" 3 1'
    before, behind = (there(2, 3, items=whole % (flag, structure)) + OK for flag in (b"old", b"new"))
    answers = {"FETCH": after(1, before, behind), "UID FETCH": there(2, 3, items=b" FLAGS (old)") + news + b"\r\n" + OK}
    async with scripted(answers) as (_, mailbox):
        await mailbox.list_messages("inbox", ListQuery(limit=2))
        second = await mailbox.list_messages("inbox", ListQuery(limit=2))
        assert {item.flags for item in second.items} == {("new",)}


async def test_a_bulk_is_one_command_a_folder(scripted: Scripted) -> None:
    """As few commands as there are folders."""
    answers = {
        "UID STORE": lambda command: there(*range(1, 51), items=b" FLAGS (x)") + OK,
        "UID MOVE": b"* OK [COPYUID 9 1:50 101:150] moved\r\n" + OK, "UID FETCH": there(*range(1, 51)) + OK,
    }  # fmt: skip
    ids = [IDS.message(folder, 7, uid) for uid in range(1, 51) for folder in (b"INBOX", b"Other")]
    async with scripted(answers, capabilities=ALL) as (server, mailbox):
        outcomes = await mailbox.change_many(ids, ["x"], [])
        assert [outcome.id for outcome in outcomes] == ids
        assert server.verbs.count("UID STORE") == 2
        moved = await mailbox.move_messages(ids[::2], TARGET)
        assert [outcome.new_id for outcome in moved] == [IDS.message(b"Other", 9, uid) for uid in range(101, 151)]
        assert server.verbs.count("UID MOVE") == 1


async def test_searches_of_several_folders_name_those_that_fail(scripted: Scripted) -> None:
    """Bounded in time; what was found is right."""
    listed = b'* LIST () "/" INBOX\r\n* LIST () "/" Bad\r\n* LIST () "/" Slow\r\n' + OK
    status = b"".join(b"* STATUS %b (MESSAGES 1 UNSEEN 0)\r\n" % name for name in (b"INBOX", b"Bad", b"Slow")) + OK
    select = b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n{tag} OK done\r\n"

    def selected(command: bytes) -> Answer:
        if b"Bad" in command:
            return b"{tag} NO [NOPERM] not yours\r\n"
        return [Hang()] if b"Slow" in command else [Send(select)]

    row = b' FLAGS () INTERNALDATE "17-Jul-1996 02:44:25 -0700" RFC822.SIZE 9 ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)'
    answers = {
        "LIST": listed, "STATUS": status, "SELECT": selected,
        "UID SEARCH": b"* SEARCH 1\r\n" + OK, "UID FETCH": there(1, items=row) + OK,
    }  # fmt: skip
    async with scripted(answers, connections=4) as (_, mailbox):
        async with asyncio.timeout(5):
            page = await mailbox.search_messages(None, ListQuery(filter=Condition(Criterion.SUBJECT, "x")))
        assert [row.id for row in page.items] == [FIRST]
        assert set(page.unsearched or ()) == {IDS.folder(b"Bad"), IDS.folder(b"Slow")}


async def test_a_flag_that_the_server_does_not_remove_is_an_error(scripted: Scripted) -> None:
    """It said OK. What it reports of the first change may be older than the removal, so it is asked again."""
    first = there(1, items=b" FLAGS (one two)") + there(2, items=b" FLAGS (one)")
    later = there(1, items=b" FLAGS (two)") + there(2, items=b" FLAGS (one)")
    answers = {"UID STORE": after(1, first + OK, OK), "UID FETCH": later + OK}
    async with scripted(answers) as (server, mailbox):
        gone, stuck = await mailbox.change_many([FIRST, SECOND], [], ["one"])
        assert gone.error is None
        assert isinstance(stuck.error, NotPermitted)
        assert server.verbs.count("UID FETCH") == 1
