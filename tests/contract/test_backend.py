"""The port's promises, kept by every backend."""

import asyncio
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

import pytest

from service.mail.backend import Backend
from service.mail.errors import (
    InvalidRequest,
    MailError,
    NotFound,
    NotSupported,
    RangeNotSatisfiable,
)
from service.mail.model import Address, Capability, Download, HtmlForm, Part, Span
from service.mail.query import Condition, Criterion, Filter, ListQuery, Logic, Operator
from tests.contract.conftest import Mailbox, OpenMailbox
from tests.contract.letters import (
    ATTACHED,
    HTML,
    HTML_STORED,
    NOTE,
    PDF,
    PDF_STORED,
    RICH,
    TEXT,
    TEXT_STORED,
    Letter,
    large,
    plain,
    plains,
)

METHODS = {Capability.FLAGS: ("get_flags", "set_flags", "change_flags")}
"""The capabilities that have methods of their own."""
MANY = 23
SPANS = [
    Span(0, 0),
    Span(0, 9),
    Span(3, 7),
    Span(5, None),
    Span(None, 4),
    Span(None, 1),
    Span(0, None),
    Span(2, 10**12),
    Span(None, 10**12),
]


async def read(download: Download) -> bytes:
    async with aclosing(download.chunks) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def subjects(mailbox: Mailbox, tree: Filter) -> set[str | None]:
    rows = await mailbox.all(filter=tree)
    page = await mailbox.backend.list_messages("inbox", ListQuery(filter=tree))
    assert page.total == len(rows)
    return {row.subject for row in rows}


def leaves(part: Part) -> list[Part]:
    return [part] if part.parts is None else [leaf for child in part.parts for leaf in leaves(child)]


# --- what a mailbox says of itself


async def test_a_claimed_capability_has_its_methods_and_no_other_has(mailbox: Mailbox) -> None:
    await mailbox.backend.check()
    for capability, methods in METHODS.items():
        for method in methods:
            is_overridden = getattr(type(mailbox.backend), method) is not getattr(Backend, method)
            assert is_overridden == (capability in mailbox.backend.capabilities), method


async def test_what_a_mailbox_lacks_is_refused_with_its_name(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(plain("one")))
    backend, message = mailbox.backend, (await mailbox.newest()).id
    if Capability.FLAGS not in backend.capabilities:
        for call in (
            backend.get_flags(message),
            backend.set_flags(message, ["$seen"]),
            backend.change_flags(message, ["$seen"], []),
        ):
            with pytest.raises(NotSupported) as refused:
                await call
            assert refused.value.capability == "flags"
    if Capability.SEARCH not in backend.capabilities:
        query = ListQuery(filter=Condition(Criterion.SUBJECT, "one"))
        with pytest.raises(NotSupported) as refused:
            await backend.list_messages("inbox", query)
        assert refused.value.capability == "search"


async def test_a_mailbox_has_an_inbox_known_by_id_and_role(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(3))
    folders = await mailbox.backend.list_folders()
    inbox = folders[0]
    assert inbox.role == "inbox"
    assert inbox.path == (inbox.name,)
    assert inbox.is_selectable
    assert inbox.total_messages == 3
    assert [folder.role for folder in folders].count("inbox") == 1
    assert len({folder.id for folder in folders}) == len(folders)
    assert (await mailbox.backend.get_folder("inbox")).id == inbox.id
    assert (await mailbox.backend.get_folder(inbox.id)).id == inbox.id
    by_id, by_role = [await mailbox.backend.list_messages(name, ListQuery()) for name in (inbox.id, "inbox")]
    assert by_id.items == by_role.items
    assert {row.folder_id for row in by_id.items} == {inbox.id}


# --- lists


async def test_an_empty_mailbox_has_an_empty_page(mailbox: Mailbox) -> None:
    page = await mailbox.backend.list_messages("inbox", ListQuery())
    assert page.items == ()
    assert page.next_cursor is None
    assert page.total == 0
    assert (await mailbox.backend.get_folder("inbox")).total_messages == 0


async def test_the_newest_arrival_comes_first(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(5))
    page = await mailbox.backend.list_messages("inbox", ListQuery())
    assert [row.subject for row in page.items] == ["4", "3", "2", "1", "0"]
    assert page.next_cursor is None
    assert page.total == 5


@pytest.mark.parametrize("limit", [1, 2, 7, MANY - 1, MANY, MANY + 1, 200])
async def test_pages_have_every_message_once(open_mailbox: OpenMailbox, limit: int) -> None:
    mailbox = await open_mailbox(*plains(MANY))
    cursor, sizes, found = None, [], []
    while True:
        page = await mailbox.backend.list_messages("inbox", ListQuery(limit, cursor))
        assert page.total == MANY
        sizes.append(len(page.items))
        found += [row.subject for row in page.items]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert found == [str(number) for number in reversed(range(MANY))]
    assert all(size == limit for size in sizes[:-1])
    assert 0 < sizes[-1] <= limit


async def test_mail_that_arrives_between_pages_changes_nothing_on_the_next(mailbox: Mailbox) -> None:
    for number in range(6):
        await mailbox.deliver(plain(number))
    await mailbox.shows(6)
    first = await mailbox.backend.list_messages("inbox", ListQuery(2))
    await mailbox.deliver(plain("new"))
    await mailbox.shows(7)
    second = await mailbox.backend.list_messages("inbox", ListQuery(10, first.next_cursor))
    assert [row.subject for row in (*first.items, *second.items)] == ["5", "4", "3", "2", "1", "0"]
    assert (await mailbox.newest()).subject == "new"


async def test_mail_that_goes_between_pages_leaves_no_gap(open_mailbox: OpenMailbox) -> None:
    """One goes that was shown, one that is to come, and the one that the cursor stands on."""
    mailbox = await open_mailbox(*plains(12))
    ids = await mailbox.ids()
    first = await mailbox.backend.list_messages("inbox", ListQuery(4))
    await mailbox.backend.delete_messages([ids["11"], ids["8"], ids["6"]])
    second = await mailbox.backend.list_messages("inbox", ListQuery(4, first.next_cursor))
    await mailbox.backend.delete_messages([ids["3"], ids["2"]])
    third = await mailbox.backend.list_messages("inbox", ListQuery(4, second.next_cursor))
    assert [row.subject for row in second.items] == ["7", "5", "4", "3"]
    assert [row.subject for row in third.items] == ["1", "0"]
    assert third.next_cursor is None
    assert third.total == 7


async def test_a_row_says_what_the_header_and_the_mailbox_know(open_mailbox: OpenMailbox) -> None:
    received = datetime(2024, 3, 1, 9, 0, 2, tzinfo=UTC)
    mailbox = await open_mailbox(Letter(plain("one")), Letter(RICH, ["$seen"], received))
    row, other = await mailbox.all()
    assert row.subject == "Grüße aus Köln"
    assert row.from_ == (Address(name="Zoë Müller", email="zoe@example.org"),)
    assert row.to == (Address(name="Ben, the second", email="ben@example.org"), Address(email="cat@example.org"))
    assert row.sent_at == datetime(2024, 3, 1, 9, tzinfo=UTC)
    assert row.sent_at.utcoffset() == timedelta(hours=1)
    assert row.received_at == received
    assert row.size == len(RICH)
    assert row.message_id == "rich@example.org"
    assert row.in_reply_to == ("before@example.org",)
    assert row.has_attachment is not False
    assert not other.has_attachment
    if Capability.FLAGS in mailbox.backend.capabilities:
        assert (row.flags, other.flags) == (("$seen",), ())


async def test_what_is_no_cursor_is_an_invalid_request(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(3))
    for cursor in ("", "nonsense", "ö", "p_", "AAAA", "!" * 5000):
        with pytest.raises(InvalidRequest):
            await mailbox.backend.list_messages("inbox", ListQuery(1, cursor))


# --- what is not there


async def test_an_unknown_folder_is_not_found(mailbox: Mailbox) -> None:
    for folder in ("", "f_", "f_nope", "no-such-role", "flagged", "INBOX/../INBOX", "f_" + "A" * 5000, "ö"):
        with pytest.raises(NotFound) as missing:
            await mailbox.backend.list_messages(folder, ListQuery())
        assert missing.value.what == "folder"
        with pytest.raises(NotFound):
            await mailbox.backend.get_folder(folder)


async def errors_of(backend: Backend, message: str) -> list[MailError | None]:
    """What each way to a message answers for it."""
    calls = [
        backend.get_message(message),
        backend.list_headers(message),
        backend.open_part(message, "1"),
        backend.open_source(message),
    ]
    if Capability.FLAGS in backend.capabilities:
        calls += [
            backend.get_flags(message),
            backend.set_flags(message, ["$seen"]),
            backend.change_flags(message, ["$seen"], []),
            backend.change_flags(message, [], ["$seen"]),
            backend.change_flags(message, [], []),
        ]
    found: list[MailError | None] = []
    for call in calls:
        with pytest.raises(MailError) as told:
            await call
        found.append(told.value)
    (outcome,) = await backend.delete_messages([message])
    assert outcome.id == message
    return [*found, outcome.error]


async def test_an_unknown_message_is_not_found(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(2))
    for message in ("", "m_", "m_nope", "inbox", "ö", (await mailbox.newest()).id + "A"):
        for error in await errors_of(mailbox.backend, message):
            assert isinstance(error, NotFound)
            assert error.what == "message"
    assert len(await mailbox.all()) == 2


async def test_a_message_that_is_gone_is_not_found(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(2))
    gone = (await mailbox.ids())["0"]
    await mailbox.backend.delete_messages([gone])
    assert all(isinstance(error, NotFound) for error in await errors_of(mailbox.backend, gone))


async def test_an_id_of_another_account_is_not_found(open_mailbox: OpenMailbox) -> None:
    """Though the same server keeps both, and a message with the same number is there."""
    mine, other = await open_mailbox(*plains(2)), await open_mailbox(*plains(2))
    foreign = await other.newest()
    assert all(isinstance(error, NotFound) for error in await errors_of(mine.backend, foreign.id))
    with pytest.raises(NotFound):
        await mine.backend.list_messages(foreign.folder_id, ListQuery())
    assert len(await mine.all()) == 2
    assert len(await other.all()) == 2


async def test_an_unknown_part_is_not_found(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    message = (await mailbox.newest()).id
    for part in ("5", "1.3", "2.1", "", "x", "1.", "-1", "01", "1..1", "0.0", "9" * 300, "HEADER", "²"):
        with pytest.raises(NotFound) as missing:
            await mailbox.backend.open_part(message, part)
        assert missing.value.what == "part", part


# --- a message


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


async def test_html_comes_as_it_was_asked_for(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    message = (await mailbox.newest()).id
    original = await mailbox.backend.get_message(message, HtmlForm.ORIGINAL)
    none = await mailbox.backend.get_message(message, HtmlForm.NONE)
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


async def test_reading_a_message_does_not_mark_it_as_seen(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    if Capability.FLAGS not in mailbox.backend.capabilities:
        return
    message = (await mailbox.newest()).id
    await mailbox.backend.get_message(message)
    await mailbox.backend.list_headers(message)
    await read(await mailbox.backend.open_part(message, "2"))
    await read(await mailbox.backend.open_source(message))
    assert await mailbox.backend.get_flags(message) == ()


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


# --- octets


@pytest.mark.parametrize(
    ("part", "octets"),
    [("1.1", TEXT.encode()), ("1.2", HTML.encode()), ("2", PDF), ("3", NOTE), ("4", ATTACHED)],
    ids=["quoted-printable", "base64 text", "base64", "8bit", "message"],
)
async def test_a_part_is_decoded_octet_for_octet(open_mailbox: OpenMailbox, part: str, octets: bytes) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    download = await mailbox.backend.open_part((await mailbox.newest()).id, part)
    assert await read(download) == octets
    assert download.size in {None, len(octets)}
    assert download.start == 0


@pytest.mark.parametrize(
    ("part", "octets"),
    [("1.1", TEXT_STORED), ("1.2", HTML_STORED), ("2", PDF_STORED), ("3", NOTE), ("4", ATTACHED)],
    ids=["quoted-printable", "base64 text", "base64", "8bit", "message"],
)
async def test_a_part_may_be_read_as_stored(open_mailbox: OpenMailbox, part: str, octets: bytes) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    download = await mailbox.backend.open_part((await mailbox.newest()).id, part, encoded=True)
    assert await read(download) == octets
    assert download.size in {None, len(octets)}


async def test_the_body_of_a_message_without_parts_is_part_one(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(plain("one", body="Zwölf Boxkämpfer")))
    download = await mailbox.backend.open_part((await mailbox.newest()).id, "1")
    assert await read(download) == "Zwölf Boxkämpfer\r\n".encode()
    assert download.type == "text/plain"


async def test_a_download_says_type_and_name_and_keeps_its_etag(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    message = (await mailbox.newest()).id
    first, again, encoded, source = [
        await mailbox.backend.open_part(message, "2"),
        await mailbox.backend.open_part(message, "2", span=Span(0, 3)),
        await mailbox.backend.open_part(message, "2", encoded=True),
        await mailbox.backend.open_source(message),
    ]
    assert (first.type, first.name) == ("application/pdf", "Bericht für Köln.pdf")
    assert source.type == "message/rfc822"
    assert first.etag == again.etag
    assert len({first.etag, encoded.etag, source.etag}) == 3
    for download in (first, again, encoded, source):
        await download.chunks.aclose()


@pytest.mark.parametrize("encoded", [False, True], ids=["decoded", "as stored"])
async def test_a_span_of_a_part_is_cut_exactly(open_mailbox: OpenMailbox, encoded: bool) -> None:
    mailbox, octets = await open_mailbox(Letter(RICH)), PDF_STORED if encoded else PDF
    message = (await mailbox.newest()).id
    for span in [*SPANS, Span(len(octets) - 1, None)]:
        start, stop = span.within(len(octets))
        download = await mailbox.backend.open_part(message, "2", encoded=encoded, span=span)
        assert (download.size, download.start, download.stop) == (len(octets), start, stop), span
        assert await read(download) == octets[start:stop], span


async def test_a_span_of_the_source_is_cut_exactly(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    message = (await mailbox.newest()).id
    for span in [*SPANS, Span(len(RICH) - 1, None)]:
        start, stop = span.within(len(RICH))
        download = await mailbox.backend.open_source(message, span=span)
        assert (download.size, download.start, download.stop) == (len(RICH), start, stop), span
        assert await read(download) == RICH[start:stop], span


async def test_a_span_beyond_the_end_cannot_be_satisfied(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    backend, message = mailbox.backend, (await mailbox.newest()).id
    for size, first in ((len(RICH), None), (len(PDF), False), (len(PDF_STORED), True)):
        for span in (Span(size, None), Span(size + 5, size + 9), Span(None, 0)):
            with pytest.raises(RangeNotSatisfiable) as outside:
                if first is None:
                    await backend.open_source(message, span=span)
                else:
                    await backend.open_part(message, "2", encoded=first, span=span)
            assert outside.value.size == size


@pytest.mark.parametrize("source", [RICH, plain("short"), large(3_000_000)], ids=["rich", "short", "large"])
async def test_the_source_is_the_message_octet_for_octet(open_mailbox: OpenMailbox, source: bytes) -> None:
    mailbox = await open_mailbox(Letter(source))
    download = await mailbox.backend.open_source((await mailbox.newest()).id)
    found = await read(download)
    assert sha256(found).hexdigest() == sha256(source).hexdigest()
    assert download.size in {None, len(source)}


async def test_a_span_across_a_large_source_is_cut_exactly(open_mailbox: OpenMailbox) -> None:
    source = large(3_000_000)
    mailbox = await open_mailbox(Letter(source))
    message = (await mailbox.newest()).id
    for span in (Span(1_000_000, 2_200_000), Span(None, 1_500_000), Span(2_999_000, None)):
        start, stop = span.within(len(source))
        assert await read(await mailbox.backend.open_source(message, span=span)) == source[start:stop]


async def test_a_download_may_be_left_early_and_the_mailbox_goes_on(open_mailbox: OpenMailbox) -> None:
    source = large(3_000_000)
    mailbox = await open_mailbox(Letter(plain("small")), Letter(source))
    message = (await mailbox.newest()).id
    for _ in range(6):  # more often than a mailbox has connections
        download = await mailbox.backend.open_source(message)
        begun = await anext(download.chunks)
        assert source.startswith(begun)
        await download.chunks.aclose()
        unread = await mailbox.backend.open_part(message, "1")
        await unread.chunks.aclose()
    assert [row.subject for row in await mailbox.all()] == ["large", "small"]
    assert await read(await mailbox.backend.open_source(message)) == source


async def test_twenty_readers_at_once_get_each_their_own(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(20))
    ids = await mailbox.ids()

    async def source(name: str) -> bytes:
        return await read(await mailbox.backend.open_source(ids[name]))

    async def subject(name: str) -> str | None:
        return (await mailbox.backend.get_message(ids[name])).subject

    names = [str(number) for number in range(20)]
    sources, told = await asyncio.gather(asyncio.gather(*map(source, names)), asyncio.gather(*map(subject, names)))
    assert sources == [plain(name) for name in names]
    assert told == names


# --- flags


def flags_or_skip(mailbox: Mailbox) -> Backend:
    if Capability.FLAGS not in mailbox.backend.capabilities:
        pytest.skip("this mailbox has no flags")
    return mailbox.backend


async def test_flags_are_read_as_they_are(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(plain(0)), Letter(plain(1), ["$seen", "$flagged", "work"]))
    backend, ids = flags_or_skip(mailbox), await mailbox.ids()
    assert await backend.get_flags(ids["0"]) == ()
    assert set(await backend.get_flags(ids["1"])) == {"$seen", "$flagged", "work"}
    assert {row.subject: set(row.flags) for row in await mailbox.all()}["1"] == {"$seen", "$flagged", "work"}


async def test_flags_are_replaced_on_one_message_only(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*(Letter(plain(number), ["$seen"]) for number in range(3)))
    backend, ids = flags_or_skip(mailbox), await mailbox.ids()
    assert set(await backend.set_flags(ids["1"], ["$flagged", "Work"])) == {"$flagged", "work"}
    assert set(await backend.get_flags(ids["1"])) == {"$flagged", "work"}
    assert await backend.get_flags(ids["0"]) == await backend.get_flags(ids["2"]) == ("$seen",)
    assert await backend.set_flags(ids["1"], []) == ()
    assert await backend.get_flags(ids["1"]) == ()


async def test_a_change_of_flags_touches_no_other_flag(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(plain(0), ["$seen", "work"]))
    backend, message = flags_or_skip(mailbox), (await mailbox.newest()).id
    assert set(await backend.change_flags(message, ["$answered"], ["$seen"])) == {"$answered", "work"}
    assert set(await backend.change_flags(message, ["$answered"], [])) == {"$answered", "work"}
    assert set(await backend.change_flags(message, [], ["$draft"])) == {"$answered", "work"}
    assert set(await backend.change_flags(message, [], [])) == {"$answered", "work"}
    assert set(await backend.get_flags(message)) == {"$answered", "work"}


async def test_what_is_no_flag_is_an_invalid_request(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(plain(0)))
    backend, message = flags_or_skip(mailbox), (await mailbox.newest()).id
    for flag in ("", "two words", "a\r\nb", "(", "ö", '"', "{5}", "*"):
        with pytest.raises(InvalidRequest):
            await backend.set_flags(message, [flag])
    assert await backend.get_flags(message) == ()


# --- filters


@pytest.fixture
async def archive(open_mailbox: OpenMailbox) -> Mailbox:
    """Three days of mail."""

    def day(number: int) -> datetime:
        return datetime(2024, 3, number, 12, tzinfo=UTC)

    subject = "=?utf-8?q?=C3=84rger_in_K=C3=B6ln?="
    mailbox = await open_mailbox(
        Letter(plain("first", sender="Ann <ann@example.org>", body="About apples."), ["$seen"], day(1)),
        Letter(plain("second", to="Cat <cat@example.org>", body="About pears."), ["$flagged", "work"], day(2)),
        Letter(plain("third", sender="dan@example.org", body="Zwölf Äpfel."), ["$seen", "$flagged"], day(3)),
        Letter(plain("x", sender="eve@example.org").replace(b"Subject: x", f"Subject: {subject}".encode()), [], day(3)),
    )
    if Capability.SEARCH not in mailbox.backend.capabilities:
        pytest.skip("this mailbox has no search")
    return mailbox


ODD = "Ärger in Köln"


@pytest.mark.parametrize(
    ("criterion", "value", "found"),
    [
        (Criterion.FROM, "ann@", {"first", "second"}),
        (Criterion.FROM, "DAN@example", {"third"}),
        (Criterion.TO, "cat", {"second"}),
        (Criterion.SUBJECT, "IR", {"first", "third"}),
        (Criterion.SUBJECT, "ärger", {ODD}),
        (Criterion.SUBJECT, "köln", {ODD}),
        (Criterion.SUBJECT, 'a "quoted" \\ word', set()),
        (Criterion.TEXT, "pears", {"second"}),
        (Criterion.TEXT, "eve@example.org", {ODD}),
        (Criterion.BODY, "zwölf", {"third"}),
        (Criterion.BODY, "ann@example.org", set()),
        (Criterion.SINCE, date(2024, 3, 2), {"second", "third", ODD}),
        (Criterion.BEFORE, date(2024, 3, 2), {"first"}),
        (Criterion.SENT_SINCE, date(2024, 3, 2), set()),
        (Criterion.SENT_BEFORE, date(2024, 3, 2), {"first", "second", "third", ODD}),
        (Criterion.NOT_KEYWORD, "$seen", {"second", ODD}),
        (Criterion.HAS_KEYWORD, "$seen", {"first", "third"}),
        (Criterion.HAS_KEYWORD, "$flagged", {"second", "third"}),
        (Criterion.HAS_KEYWORD, "work", {"second"}),
        (Criterion.NOT_KEYWORD, "work", {"first", "third", ODD}),
        (Criterion.HAS_KEYWORD, "nobody-has-this", set()),
        (Criterion.MIN_SIZE, 10_000, set()),
        (Criterion.MAX_SIZE, 10_000, {"first", "second", "third", ODD}),
    ],
)
async def test_a_condition_finds_what_it_names(
    archive: Mailbox, criterion: Criterion, value: str | int | date, found: set[str | None]
) -> None:
    assert await subjects(archive, Condition(criterion, value)) == found


async def test_sizes_are_compared_at_the_octet(archive: Mailbox) -> None:
    size = {row.subject: row.size for row in await archive.all()}["first"]
    assert size is not None
    assert "first" in await subjects(archive, Condition(Criterion.MIN_SIZE, size))
    assert "first" not in await subjects(archive, Condition(Criterion.MIN_SIZE, size + 1))
    assert "first" not in await subjects(archive, Condition(Criterion.MAX_SIZE, size))
    assert "first" in await subjects(archive, Condition(Criterion.MAX_SIZE, size + 1))


async def test_conditions_can_be_joined(archive: Mailbox) -> None:
    ann, seen = Condition(Criterion.FROM, "ann"), Condition(Criterion.HAS_KEYWORD, "$seen")
    flagged = Condition(Criterion.HAS_KEYWORD, "$flagged")
    assert await subjects(archive, Operator(Logic.AND, (ann, seen))) == {"first"}
    assert await subjects(archive, Operator(Logic.OR, (ann, seen))) == {"first", "second", "third"}
    assert await subjects(archive, Operator(Logic.NOT, (ann, seen))) == {ODD}
    both = Operator(Logic.AND, (seen, flagged))
    assert await subjects(archive, Operator(Logic.NOT, (both,))) == {"first", "second", ODD}
    assert await subjects(archive, Operator(Logic.OR, (both, Operator(Logic.NOT, (ann,))))) == {"third", ODD}


async def test_a_filtered_list_has_pages_too(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*(Letter(plain(number), ["$seen"] * (number % 2)) for number in range(11)))
    if Capability.SEARCH not in mailbox.backend.capabilities:
        pytest.skip("this mailbox has no search")
    unread = Condition(Criterion.NOT_KEYWORD, "$seen")
    for limit in (1, 2, 3, 6, 50):
        assert [row.subject for row in await mailbox.all(limit, unread)] == ["10", "8", "6", "4", "2", "0"]
    first = await mailbox.backend.list_messages("inbox", ListQuery(2, None, unread))
    assert first.total == 6
    with pytest.raises(InvalidRequest):
        await mailbox.backend.list_messages("inbox", ListQuery(2, first.next_cursor))


# --- deleting


async def test_exactly_the_asked_messages_are_deleted(open_mailbox: OpenMailbox) -> None:
    """A neighbour that another client marked for deletion stays."""
    letters = [Letter(plain(number), ["$deleted"] if number == 5 else []) for number in range(10)]
    mailbox = await open_mailbox(*letters)
    ids = await mailbox.ids()
    asked = [ids["7"], ids["0"], ids["3"]]
    outcomes = await mailbox.backend.delete_messages(asked)
    assert [outcome.id for outcome in outcomes] == asked
    assert [outcome.error for outcome in outcomes] == [None] * 3
    left = await mailbox.all()
    assert [row.subject for row in left] == ["9", "8", "6", "5", "4", "2", "1"]
    assert {row.subject: row.id for row in left} == {name: ids[name] for name in ids if name not in {"7", "0", "3"}}


async def test_a_message_is_deleted_once(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(3))
    ids = await mailbox.ids()
    await mailbox.backend.delete_messages([ids["1"]])
    outcomes = await mailbox.backend.delete_messages([ids["2"], ids["1"], "m_nope", ids["0"]])
    assert [outcome.id for outcome in outcomes] == [ids["2"], ids["1"], "m_nope", ids["0"]]
    assert [type(outcome.error) for outcome in outcomes] == [type(None), NotFound, NotFound, type(None)]
    assert await mailbox.all() == []


async def test_an_id_given_twice_is_answered_twice(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(2))
    message = (await mailbox.newest()).id
    outcomes = await mailbox.backend.delete_messages([message, message])
    assert [outcome.id for outcome in outcomes] == [message, message]
    assert outcomes[0].error is None
    assert [row.subject for row in await mailbox.all()] == ["0"]


async def test_deleting_nothing_is_done_at_once(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(2))
    assert await mailbox.backend.delete_messages([]) == ()
    assert len(await mailbox.all()) == 2


async def test_an_id_is_never_given_to_another_message(mailbox: Mailbox) -> None:
    await mailbox.deliver(plain("old"))
    await mailbox.shows(1)
    old = (await mailbox.newest()).id
    await mailbox.backend.delete_messages([old])
    await mailbox.deliver(plain("new"))
    await mailbox.shows(1)
    new = await mailbox.newest()
    assert new.subject == "new"
    assert new.id != old
    with pytest.raises(NotFound):
        await mailbox.backend.open_source(old)


# --- coming and going


async def test_a_mailbox_that_was_closed_is_as_it_was(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(3))
    before = await mailbox.all()
    await mailbox.backend.aclose()
    assert await mailbox.all() == before
