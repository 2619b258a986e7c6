"""Each line of the guide's table of protocols, on each kind of mailbox."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.mail.errors import NotFound, NotSupported
from service.mail.exchange import Span
from service.mail.model import Capability, Protocol
from service.mail.search.filter import ListQuery
from tests.contract.conftest import KINDS as ALL
from tests.contract.conftest import Mailbox, OpenMailbox, read
from tests.contract.letters import RICH, Letter, plain

KINDS = tuple(kind for kind in ALL if kind != "memory")
PAGE = Path(__file__).parents[2] / "docs" / "protocols.md"
RECEIVED = datetime(2020, 5, 6, 7, 8, 9, tzinfo=UTC)
TOPMOST = datetime(2024, 3, 1, 9, 0, 2, tzinfo=UTC)
"""In RICH's first Received header."""
Check = Callable[[Mailbox, str], Awaitable[None]]


def table() -> dict[str, dict[Protocol, str]]:
    """What is said of each protocol, by the line's first column."""
    table = PAGE.read_text().partition("\n## ")[0]
    lines = re.findall(r"^\| (\S.*?) \| (.*?) \| (.*?) \| (.*?) \|$", table, re.MULTILINE)
    return {line: dict(zip(Protocol, said, strict=True)) for line, *said in lines}


async def lists_folders(mailbox: Mailbox, said: str) -> None:
    folders = await mailbox.backend.list_folders()
    inbox = next(folder for folder in folders if folder.role == "inbox")
    assert inbox.total_messages == 2
    if said == "yes":
        assert inbox.unread_messages is not None
    else:
        assert said == "its only folder, `inbox`"
        assert folders == (inbox,)


async def lists_messages(mailbox: Mailbox, said: str) -> None:
    assert said.startswith("yes")
    first = await mailbox.backend.list_messages("inbox", ListQuery(1))
    rest = await mailbox.backend.list_messages("inbox", ListQuery(1, first.next_cursor))
    assert [row.subject for row in (*first.items, *rest.items)] == ["Grüße aus Köln", "plain"]
    assert (first.total, rest.total, rest.next_cursor) == (2, 2, None)


async def reads_messages(mailbox: Mailbox, said: str) -> None:
    assert said == "yes"
    message = await mailbox.backend.get_message((await mailbox.newest()).id)
    assert (message.body.text or "").startswith("Grüße aus Köln")
    assert [part.type for part in message.structure.parts or ()][1:] == [
        "application/pdf",
        "text/plain",
        "message/rfc822",
    ]


async def reads_parts(mailbox: Mailbox, said: str) -> None:
    """HEAD and If-None-Match over HTTP, on either protocol: ``test_a_message_is_read_whole_and_in_parts``."""
    assert said == "yes"
    backend, message = mailbox.backend, (await mailbox.newest()).id
    assert [one.value for one in await backend.list_headers(message, ["x-note"])] == ["one", "two"]
    piece = await backend.open_part(message, "2", span=Span(3, 9))
    assert await read(piece) == bytes(range(3, 10))
    whole, again = await backend.open_source(message), await backend.open_source(message)
    assert whole.etag == again.etag != piece.etag
    source = await read(whole)
    assert source.endswith(RICH[RICH.index(b"--outer") :])
    assert await read(again) == source


async def deletes(mailbox: Mailbox, said: str) -> None:
    message = (await mailbox.newest()).id
    (outcome,) = await mailbox.backend.delete_messages([message])
    if mailbox.name in {"imap-plain", "imap-mailutils"}:
        assert "needs UIDPLUS" in said
        assert isinstance(outcome.error, NotSupported)
        return
    assert outcome.error is None
    assert [row.subject for row in await mailbox.all()] == ["plain"]
    with pytest.raises(NotFound):
        await mailbox.backend.get_message(message)


async def tells_attachments(mailbox: Mailbox, said: str) -> None:
    rows = await mailbox.all()
    expected = {
        "yes": [True, False],
        "yes; absent if 256 KiB do not decide it": [True, False],
        "absent: only the message itself has it": [None, None],
    }[said]
    assert [row.has_attachment for row in rows] == expected
    assert (await mailbox.backend.get_message(rows[0].id)).has_attachment is True


async def tells_when_it_was_received(mailbox: Mailbox, said: str) -> None:
    row = await mailbox.newest()
    if said in {
        "the server's INTERNALDATE",
        "the file's time, as Dovecot keeps it",
    }:  # which mailutils takes from the same header
        assert row.received_at == (TOPMOST if mailbox.name == "imap-mailutils" else RECEIVED)
    else:
        assert said == "from the topmost Received header"
        assert row.received_at == TOPMOST


CHECKS: dict[str, Check] = {
    "list folders, with counts": lists_folders,
    "list messages, pages by cursor, total": lists_messages,
    "message with body and structure": reads_messages,
    "headers, parts, source, with Range, ETag, HEAD": reads_parts,
    "delete for good": deletes,
    "`hasAttachment` in lists": tells_attachments,
    "`receivedAt`": tells_when_it_was_received,
}


def capability_of(line: str) -> Capability | None:
    """The one that a line ends with, in parentheses."""
    found = re.search(r"\(`(\w+)`\)$", line)
    return Capability(found[1]) if found else None


def test_every_line_is_checked() -> None:
    assert {line for line in table() if capability_of(line) is None} == set(CHECKS)
    assert {capability_of(line) for line in table()} - {None} == set(Capability)


@pytest.mark.parametrize("line", CHECKS)
async def test_a_line_of_the_table_is_true(open_mailbox: OpenMailbox, line: str) -> None:
    mailbox = await open_mailbox(Letter(plain("plain")), Letter(RICH, (), RECEIVED))
    await CHECKS[line](mailbox, table()[line][mailbox.backend.protocol])


async def test_the_capabilities_of_the_table_are_had(open_mailbox: OpenMailbox) -> None:
    """R-POP-10: what is said to be always there is claimed, and what is said to be missing is not; that calls do as
    claimed is ``test_a_capability_is_had_or_said_to_be_missing``."""
    mailbox = await open_mailbox()
    await mailbox.backend.check()
    for line, said in table().items():
        capability = capability_of(line)
        text = said[mailbox.backend.protocol]
        if capability and not text.startswith("if the server has"):
            assert (capability in mailbox.backend.capabilities) is (text not in {"501", "not yet"}), line
