"""What a server is known to find wrong is decided here."""

import re
from collections.abc import Mapping

import pytest

from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.adapters.imap.session.known_faults import SEARCH_BODY, SEARCH_SIZE, SORT_ORDER, faults_of
from service.mail.model import EvaluatedBy
from service.mail.search.filter import Condition, Criterion, Filter, ListQuery, Logic, Operator, Order, SortKey
from tests.adapters.imap.conftest import CAPABILITIES, CREDENTIALS, TIMING, Scripted
from tests.adapters.imap.messages.test_repair import uids_of
from tests.servers.scripted import Answers, Imap, ScriptedServer

DONE = b"{tag} OK done\r\n"
CYRUS = b'* ID ("name" "Cyrus IMAPD" "version" "3.6.1")\r\n' + DONE
WORDS: Mapping[int, tuple[bytes, bytes, bytes]] = {
    1: (b"koi8-r", b"8bit", "Привет".encode("koi8-r")),
    2: (b"UTF-8", b"8bit", "Привет".encode()),
    3: (b"us-ascii", b"7bit", b"hello"),
}
SIZES = {1: 400, 2: 300, 3: 400}


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (b'ID ("name" "Cyrus IMAPD" "version" "3.6.1")', {SEARCH_BODY}),
        (b"host Cyrus IMAP 3.6.1-Debian-3.6.1-4+deb12u4 server ready", {SEARCH_BODY}),
        (b"Courier-IMAP ready. Copyright 1998-2019 Double Precision, Inc.", {SEARCH_SIZE, SORT_ORDER}),
        (b"Dovecot ready.", set()),
        (b'ID ("name" "Dovecot")', set()),
        (b"x" * 2000 + b" Courier-IMAP", set()),
        (b"", set()),
    ],
)
def test_a_server_is_known_by_its_name(text: bytes, faults: set[str]) -> None:
    """R-IMAP-67."""
    assert faults_of(text) == faults


def fetched(command: bytes) -> bytes:
    rows = b""
    for uid in uids_of(command):
        charset, encoding, words = WORDS[uid]
        items = b"UID %d FLAGS () RFC822.SIZE %d" % (uid, SIZES[uid])
        items += (
            b' INTERNALDATE "01-Oct-2026 09:30:00 +0200" ENVELOPE (NIL "row %d" NIL NIL NIL NIL NIL NIL NIL NIL)' % uid
        )
        structure = b'("TEXT" "PLAIN" ("CHARSET" "%b") NIL NIL "%b" %d 1)' % (charset, encoding, len(words))
        items += b" BODYSTRUCTURE " + structure
        if re.search(rb"BODY\.PEEK\[1\]", command):
            items += b" BODY[1]<0> {%d}\r\n%b" % (len(words), words)
        rows += b"* %d FETCH (%b)\r\n" % (uid, items)
    return rows + DONE


def found(command: bytes) -> bytes:
    """As Cyrus searches bodies: in UTF-8 and US-ASCII alone."""
    ids = b"1 2 3" if command.endswith(b"ALL") else b"2" if "Привет".encode() in command else b""
    return b"* SEARCH " + ids + b"\r\n" + DONE


ANSWERS: Answers = {"UID FETCH": fetched, "FETCH": fetched, "UID SEARCH": found, "ID": CYRUS}
BODY = Condition(Criterion.BODY, "Привет")


@pytest.mark.parametrize(
    ("tree", "uids"),
    [
        (BODY, {1, 2}), (Operator(Logic.NOT, (BODY,)), {3}), (Operator(Logic.AND, (BODY,)), {1, 2}),
        (Operator(Logic.OR, (BODY, Condition(Criterion.BODY, "hello"))), {1, 2}),
    ],
)  # fmt: skip
async def test_a_body_in_a_charset_that_the_server_does_not_search_is_searched_here(
    scripted: Scripted, tree: Filter, uids: set[int]
) -> None:
    """R-IMAP-67: what the server finds counts, and only the texts it cannot read are read here."""
    async with scripted(ANSWERS, capabilities=CAPABILITIES + b" ID") as (server, mailbox):
        page = await mailbox.list_messages("inbox", ListQuery(filter=tree))
        assert {f"row {uid}" for uid in uids} == {row.subject for row in page.items}
        assert page.evaluated_by is EvaluatedBy.MIXED
        read = [command for command in server.commands if b"BODY.PEEK[1]" in command]
        assert {uid for command in read for uid in uids_of(command)} == {1}


async def test_a_server_without_the_fault_decides_alone(scripted: Scripted) -> None:
    """R-IMAP-67."""
    async with scripted(ANSWERS) as (server, mailbox):
        page = await mailbox.list_messages("inbox", ListQuery(filter=BODY))
        assert [row.subject for row in page.items] == ["row 2"]
        assert page.evaluated_by is EvaluatedBy.SERVER
        assert not any(b"BODY.PEEK[1]" in command for command in server.commands)


async def test_sizes_and_order_of_courier_are_decided_here() -> None:
    """R-IMAP-67: it counts a line break as one octet, and puts equals in any order."""
    answers: Answers = {**ANSWERS, "UID SORT": b"* SORT 3 2 1\r\n" + DONE, "UID SEARCH": b"* SEARCH 1 2 3\r\n" + DONE}
    imap = Imap(3, 7, 4, CAPABILITIES + b" SORT", b"* OK Courier-IMAP ready.\r\n", answers=answers)
    async with ScriptedServer([imap]) as server:
        mailbox = ImapBackend(Endpoint(server.host, server.port, Security.NONE), CREDENTIALS, timing=TIMING)
        try:
            for order, subjects in ((False, ["row 2", "row 1", "row 3"]), (True, ["row 1", "row 3", "row 2"])):
                query = ListQuery(sort=(Order(SortKey.SIZE, is_descending=order),))
                assert [row.subject for row in (await mailbox.list_messages("inbox", query)).items] == subjects
            for criterion, subjects in ((Criterion.MIN_SIZE, ["row 3", "row 1"]), (Criterion.MAX_SIZE, ["row 2"])):
                page = await mailbox.list_messages("inbox", ListQuery(filter=Condition(criterion, 400)))
                assert [row.subject for row in page.items] == subjects
            assert b"UID SEARCH LARGER 199" in server.commands
            assert "UID SORT" not in server.verbs
        finally:
            await mailbox.aclose()
