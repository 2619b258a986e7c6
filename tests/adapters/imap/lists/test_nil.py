"""Extensions that a server announces, and answers with NIL."""

import pytest

from service.mail.search.filter import ListQuery
from tests.adapters.imap.conftest import CAPABILITIES, Scripted
from tests.adapters.imap.messages.test_repair import row, uids_of

DONE = b"{tag} OK done\r\n"


def answer(preview: bytes, thread: bytes, command: bytes) -> bytes:
    """Rows with these values of the extensions; messages 1 and 2 belong together by their headers."""
    rows = b""
    for uid in uids_of(command):
        if b"PREVIEW" in command:
            rows += b"* %d FETCH (UID %d PREVIEW %b)\r\n" % (uid, uid, preview)
        elif b"THREADID" in command:
            rows += b"* %d FETCH (UID %d THREADID %b)\r\n" % (uid, uid, thread)
        elif b"HEADER.FIELDS (MESSAGE-ID" in command:
            fields = b"Message-ID: <%d@example.org>\r\nReferences: <%d@example.org>\r\n\r\n" % (
                uid,
                1 if uid < 3 else 3,
            )
            name = b"BODY[HEADER.FIELDS (MESSAGE-ID IN-REPLY-TO REFERENCES)]"
            rows += b"* %d FETCH (UID %d %b {%d}\r\n%b)\r\n" % (uid, uid, name, len(fields), fields)
        else:
            rows += row(uid, command)
    return rows + DONE


@pytest.mark.parametrize("preview", [b"NIL", b'""', b"{0}\r\n"])
@pytest.mark.parametrize("thread", [b"(NIL)", b"NIL", b"()"])
async def test_nil_is_as_if_the_extension_were_missing(scripted: Scripted, preview: bytes, thread: bytes) -> None:
    """R-IMAP-66: Cyrus has no preview of any message, and thread ids only with conversations."""

    def fetched(command: bytes) -> bytes:
        return answer(preview, thread, command)

    capabilities = CAPABILITIES + b" PREVIEW OBJECTID"
    async with scripted({"UID FETCH": fetched, "FETCH": fetched}, capabilities=capabilities) as (_, mailbox):
        query = ListQuery(with_preview=True, with_thread=True)
        rows = {item.subject: item for item in (await mailbox.list_messages("inbox", query)).items}
        assert {item.preview for item in rows.values()} == {"words"}
        threads = [rows[f"row {uid}"].thread_id for uid in (1, 2, 3)]
        assert threads[0]
        assert threads[0] == threads[1] != threads[2]


async def test_what_the_server_has_is_taken(scripted: Scripted) -> None:
    """R-IMAP-66: no text is read then, and no References."""

    def fetched(command: bytes) -> bytes:
        return answer(b'"shown"', b"(T1)", command)

    capabilities = CAPABILITIES + b" PREVIEW OBJECTID"
    async with scripted({"UID FETCH": fetched, "FETCH": fetched}, capabilities=capabilities) as (server, mailbox):
        page = await mailbox.list_messages("inbox", ListQuery(with_preview=True, with_thread=True))
        assert {item.preview for item in page.items} == {"shown"}
        assert len({item.thread_id for item in page.items}) == 1
        assert not any(b"BODY.PEEK[1" in command or b"REFERENCES" in command for command in server.commands)
