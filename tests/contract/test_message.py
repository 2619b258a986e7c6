"""A message, its headers and its structure."""

import pytest

from service import spool
from service.adapters.shared import parsing as whole
from service.mail.model import Address, HtmlMode
from tests.contract.conftest import OpenMailbox, read
from tests.contract.letters import (
    HTML,
    HTML_STORED,
    PDF,
    PDF_STORED,
    RICH,
    TEXT,
    TEXT_STORED,
    Letter,
)


async def test_a_message_has_its_body_in_both_forms(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    message = await mailbox.backend.get_message((await mailbox.newest()).id)
    assert (message.body.text or "").strip() == TEXT
    assert "<b>Köln</b>" in (message.body.html or "")
    assert not message.body.is_truncated
    assert message.subject == "Grüße aus Köln"
    assert message.cc == (Address(email="dan@example.org"),)
    assert message.reply_to == (Address(email="replies@example.org"),)
    assert message.references == ("first@example.org", "before@example.org")


async def test_a_message_is_the_same_parsed_in_the_sandbox(
    open_mailbox: OpenMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-OPS-12: large messages are parsed in a sandbox; this one is too."""
    mailbox = await open_mailbox(Letter(RICH))
    id_ = (await mailbox.newest()).id
    before = await mailbox.backend.get_message(id_)
    await mailbox.backend.aclose()
    monkeypatch.setattr(spool, "IN_MEMORY", 0)
    monkeypatch.setattr(whole, "LARGE", 0)
    assert await mailbox.backend.get_message(id_) == before
    assert await read(await mailbox.backend.open_part(id_, "2")) == PDF


async def test_html_comes_as_it_was_asked_for(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    message = (await mailbox.newest()).id
    original = await mailbox.backend.get_message(message, HtmlMode.ORIGINAL)
    none = await mailbox.backend.get_message(message, HtmlMode.NONE)
    assert original.body.html == HTML
    assert none.body.html is None
    assert (none.body.text or "").strip() == TEXT


async def test_a_message_says_its_structure_and_attachments(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    message = await mailbox.backend.get_message((await mailbox.newest()).id)
    assert message.structure.type == "multipart/mixed"
    assert message.structure.id == "0"
    parts = message.structure.parts or ()
    assert [(part.id, part.type) for part in parts] == [
        ("1", "multipart/alternative"),
        ("2", "application/pdf"),
        ("3", "text/plain"),
        ("4", "message/rfc822"),
    ]
    text, rich = parts[0].parts or ()
    assert (text.id, text.type, text.charset, text.encoding) == ("1.1", "text/plain", "utf-8", "quoted-printable")
    assert (rich.id, rich.type, rich.charset, rich.encoding) == ("1.2", "text/html", "utf-8", "base64")
    assert (text.size, rich.size) == (len(TEXT_STORED), len(HTML_STORED))
    assert [(part.id, part.name) for part in message.attachments] == [
        ("2", "Bericht für Köln.pdf"),
        ("3", "note.txt"),
        ("4", None),
    ]
    assert {part.disposition for part in message.attachments} == {"attachment"}
    assert message.attachments[0].size == len(PDF_STORED)
    assert message.has_attachment


async def test_a_message_agrees_with_its_row_in_the_list(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(RICH, ["$seen"]))
    row = await mailbox.newest()
    message = await mailbox.backend.get_message(row.id)
    told = {name: getattr(message, name) for name in type(row).model_fields}
    if row.has_attachment is None:
        told["has_attachment"] = None
    assert told == dict(row)


async def test_headers_come_in_order_with_repeats(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    headers = await mailbox.backend.list_headers((await mailbox.newest()).id)
    assert [header.name for header in headers] == [
        *("Received", "Received", "From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To"),
        *("References", "X-Note", "x-note", "MIME-Version", "Content-Type"),
    ]
    assert headers[0].value.startswith("from a.example.org")
    assert headers[1].raw == " from c.example.org by a.example.org;\r\n\tFri, 01 Mar 2024 10:00:01 +0100"
    assert "\r" not in headers[1].value
    assert headers[6].value == "Grüße aus Köln"


async def test_headers_can_be_asked_for_by_name_in_any_letter_case(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    message = (await mailbox.newest()).id
    found = await mailbox.backend.list_headers(message, ["X-NOTE", "subject"])
    assert [(header.name, header.value) for header in found] == [
        ("Subject", "Grüße aus Köln"),
        ("X-Note", "one"),
        ("x-note", "two"),
    ]
    assert await mailbox.backend.list_headers(message, ["X-Absent"]) == ()
