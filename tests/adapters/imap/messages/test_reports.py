"""Bounces by IMAP cost no more than other mail."""

import pytest

from service.mail.model import Report, ReportRecipient
from service.mail.search.filter import ListQuery
from tests.adapters.imap.conftest import Scripted, asked

DONE = b"{tag} OK done\r\n"
LEAF = b'("TEXT" "PLAIN" NIL NIL NIL "7BIT" 3 1)'
NOTICE = b"Reporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; ben@example.net\r\nAction: failed\r\n"
RETURNED = b"Message-ID: <sent-1@example.org>\r\n\r\n"
REPORT = (
    b'(%b("MESSAGE" "DELIVERY-STATUS" NIL NIL NIL "7BIT" 99)("TEXT" "RFC822-HEADERS" NIL NIL NIL "7BIT" 40 2) "REPORT")'
    % LEAF
)
HEADER = b"From: postmaster@example.net\r\nSubject: failure notice\r\nList-Unsubscribe: <https://example.org/u>\r\n\r\n"


def _literal(octets: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(octets), octets)


def _answer(command: bytes, structure: bytes, notice: bytes) -> bytes:
    items = b"UID 1 FLAGS ()"
    if b"ENVELOPE" in command:
        items += b' RFC822.SIZE 9 ENVELOPE (NIL "x" NIL NIL NIL NIL NIL NIL NIL NIL) BODYSTRUCTURE ' + structure
    if b"HEADER.FIELDS" in command:
        items += b" BODY[HEADER.FIELDS (FROM)] " + _literal(HEADER)
    for part_id, octets in ((b"1", _literal(b"No.")), (b"2", notice), (b"3", _literal(RETURNED))):
        if b"BODY.PEEK[%b]" % part_id in command:
            items += b" BODY[%b]<0> %b" % (part_id, octets)
    return b"* 1 FETCH (" + items + b")\r\n" + DONE


@pytest.mark.parametrize("structure", [LEAF, REPORT])
async def test_a_bounce_costs_the_round_trips_of_any_message(scripted: Scripted, structure: bytes) -> None:
    """R-MIME-54: one, if it was in a list; and the parts of a report are asked for only if there are any."""
    answers = {verb: lambda command: _answer(command, structure, _literal(NOTICE)) for verb in ("FETCH", "UID FETCH")}
    async with scripted(answers) as (server, mailbox):
        [row] = (await mailbox.list_messages("inbox", ListQuery())).items
        server.commands.clear()
        before = server.round_trips
        message = await mailbox.get_message(row.id)
        assert asked(server) == ["UID FETCH"]
        assert server.round_trips - before == 1
        assert (b"PEEK[2]" in server.commands[0]) == (structure == REPORT)
    recipients = (ReportRecipient(email="ben@example.net", action="failed"),)
    expected = Report(kind="delivery", original_message_id="sent-1@example.org", recipients=recipients)
    assert message.report == (expected if structure == REPORT else None)
    assert message.unsubscribe is not None


@pytest.mark.parametrize("notice", [b"NIL", b"{0}\r\n"])
async def test_a_report_without_octets_takes_no_message_with_it(scripted: Scripted, notice: bytes) -> None:
    """R-MIME-54."""
    answers = {verb: lambda command: _answer(command, REPORT, notice) for verb in ("FETCH", "UID FETCH")}
    async with scripted(answers) as (_, mailbox):
        [row] = (await mailbox.list_messages("inbox", ListQuery())).items
        message = await mailbox.get_message(row.id)
    assert message.body.text == "No."
    assert message.report == Report(kind="delivery", original_message_id="sent-1@example.org")
