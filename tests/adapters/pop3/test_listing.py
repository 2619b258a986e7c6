"""Lists: their pages and cursors, the commands they cost, and servers that lie about what is there."""

from dataclasses import replace

import pytest

from service.adapters.pop3.session import session as sessions
from service.adapters.shared.cache import RowCache
from service.mail.backend import Backend
from service.mail.errors import (
    InvalidRequest,
    NotFound,
    NotSupported,
    TooLarge,
    UpstreamFailure,
    UpstreamProtocol,
    UpstreamTimeout,
)
from service.mail.model import Capability, MessageSummary, Page, Protocol
from service.mail.search.filter import Condition, Criterion, ListQuery

from .conftest import FAST, Mailboxes
from .server import CAPABILITIES, SECRET, USER, Pop3Server, Stored, letter, letters

WITHOUT_PIPELINING = tuple(name for name in CAPABILITIES if name != "PIPELINING")
WITHOUT_UIDL = tuple(name for name in CAPABILITIES if name != "UIDL")
WITHOUT_TOP = tuple(name for name in CAPABILITIES if name != "TOP")
PATIENT = replace(FAST, linger=5.0)


def subjects(page: Page) -> list[str]:
    return [str(item.subject) for item in page.items]


async def pages(backend: Backend, limit: int) -> list[str]:
    """All subjects, a page at a time."""
    seen, cursor = [], None
    while True:
        page = await backend.list_messages("inbox", ListQuery(limit, cursor))
        seen += subjects(page)
        cursor = page.next_cursor
        if cursor is None:
            return seen


async def test_the_one_folder(mailboxes: Mailboxes) -> None:
    backend = await mailboxes.open(Pop3Server(letters(3)))
    (inbox,) = await backend.list_folders()
    assert (inbox.path, inbox.role, inbox.total_messages, inbox.unread_messages) == (("INBOX",), "inbox", 3, None)
    assert len((await backend.list_messages(inbox.id, ListQuery())).items) == 3
    for other in ("sent", "f_AAAA", ""):
        with pytest.raises(NotFound):
            await backend.list_messages(other, ListQuery())


async def test_a_page_is_newest_first_and_asks_for_its_own_headers_alone(mailboxes: Mailboxes) -> None:
    server = Pop3Server(letters(5))
    backend = await mailboxes.open(server)
    page = await backend.list_messages("inbox", ListQuery(2))
    assert subjects(page) == ["Letter uid-5", "Letter uid-4"]
    assert page.total == 5
    assert page.items[0].has_attachment is None
    assert page.items[0].size == len(server.messages[4].octets)
    assert server.heard[4:] == ["UIDL", "LIST", "TOP 5 0", "TOP 4 0"]


async def test_headers_already_read_are_not_asked_for_again(mailboxes: Mailboxes) -> None:
    """In the next session neither."""
    server = Pop3Server(letters(5))
    backend = await mailboxes.open(server)
    first = await backend.list_messages("inbox", ListQuery(5))
    server.messages.append(letter("new"))
    await backend.aclose()
    again = await backend.list_messages("inbox", ListQuery(5))
    assert server.logins == 2
    assert server.heard.count("TOP 6 0") == 1
    assert server.verbs.count("TOP") == 6
    assert again.items[1:] == first.items[:-1]


async def test_a_unique_id_that_is_used_again_is_read_again(mailboxes: Mailboxes) -> None:
    """R-POP-04: RFC 1939, 7 allows it once the first message is gone; the size tells."""
    server = Pop3Server([letter("one")])
    backend = await mailboxes.open(server)
    await backend.list_messages("inbox", ListQuery())
    await backend.aclose()
    server.messages = [replace(letter("another"), uidl="one")]
    assert subjects(await backend.list_messages("inbox", ListQuery())) == ["Letter another"]


def test_rows_of_all_accounts_share_one_bound() -> None:
    rows = RowCache(Protocol.POP3, budget=13_000)
    made = [MessageSummary(id=f"m{n}", folder_id="f", subject="x" * 100, size=n) for n in range(20)]
    for n, row in enumerate(made):
        rows.keep("even" if n % 2 == 0 else "odd", b"%d" % n, row)
        assert rows.get("even", b"0", 0) in {made[0], None}
    kept = [n for n in range(20) if rows.get("even" if n % 2 == 0 else "odd", b"%d" % n, n)]
    assert kept == [0, 15, 16, 17, 18, 19]  # the one asked for again and again, and the last
    rows.forget("even", b"0")
    assert rows.get("even", b"0", 0) is None
    rows.keep("even", b"0", made[0])
    assert rows.get("odd", b"15", 15) is not None


def test_a_row_larger_than_the_bound_is_not_kept_and_pushes_nothing_out() -> None:
    """R-OPS-20: and what is counted is what is kept, with rows replaced and forgotten."""
    rows = RowCache(Protocol.POP3, budget=10_000)
    row = MessageSummary(id="m1", folder_id="f", subject="x", size=1)
    large = row.model_copy(update={"subject": "x" * 10_000})
    rows.keep("account", b"1", row)
    one = rows.octets
    rows.keep("account", b"2", large)
    assert (rows.get("account", b"1", 1), rows.get("account", b"2", 1), rows.octets) == (row, None, one)
    rows.keep("account", b"1", row.model_copy(update={"subject": "x" * 101}))
    assert rows.octets == one + 100
    rows.keep("account", b"1", large)
    assert (rows.get("account", b"1", 1), rows.octets) == (None, 0)
    rows.forget("account", b"1")
    assert rows.octets == 0


@pytest.mark.parametrize("capabilities", [CAPABILITIES, WITHOUT_PIPELINING, WITHOUT_UIDL, WITHOUT_TOP, None])
@pytest.mark.parametrize("limit", [1, 3, 10, 200])
async def test_pages_show_each_message_once(
    mailboxes: Mailboxes, capabilities: tuple[str, ...] | None, limit: int
) -> None:
    backend = await mailboxes.open(Pop3Server(letters(10), capabilities), timing=PATIENT)
    assert await pages(backend, limit) == [f"Letter uid-{number}" for number in range(10, 0, -1)]


async def test_a_page_of_fifty_is_three_round_trips(mailboxes: Mailboxes) -> None:
    """After login: what the server can do now, what there is, and the headers. A page already read is two."""
    server = Pop3Server(letters(300), lag=0.02)
    backend = await mailboxes.open(server, PATIENT)
    await backend.list_messages("inbox", ListQuery(50))
    assert server.turns[:3] == [["CAPA"], [f"USER {USER}"], [f"PASS {SECRET}"]]
    assert server.turns[3:] == [["CAPA"], ["UIDL", "LIST"], [f"TOP {n} 0" for n in range(300, 250, -1)]]
    await backend.list_messages("inbox", ListQuery(50))
    assert len(server.turns) == 6
    await backend.aclose()
    await backend.list_messages("inbox", ListQuery(50))
    assert server.turns[-2:] == [["CAPA"], ["UIDL", "LIST"]]


async def test_a_page_of_fifty_without_pipelining_is_a_round_trip_a_header(mailboxes: Mailboxes) -> None:
    server = Pop3Server(letters(60), WITHOUT_PIPELINING, lag=0.001)
    backend = await mailboxes.open(server, PATIENT)
    await backend.list_messages("inbox", ListQuery(50))
    assert {len(turn) for turn in server.turns} == {1}
    assert len(server.turns) == 3 + 1 + 2 + 50


async def test_many_headers_are_pipelined_in_order(mailboxes: Mailboxes) -> None:
    server = Pop3Server([letter(f"u{n}", X_Filler="x" * 3000) for n in range(200)])
    backend = await mailboxes.open(server)
    page = await backend.list_messages("inbox", ListQuery(200))
    assert subjects(page) == [f"Letter u{n}" for n in reversed(range(200))]


async def test_nothing_is_pipelined_if_the_server_does_not_offer_it(mailboxes: Mailboxes) -> None:
    """A server that reads one command at a time answers each before the next is sent, or says too much."""
    server = Pop3Server(letters(2), WITHOUT_PIPELINING, twists={"UIDL": b"+OK\r\n.\r\n+OK\r\n.\r\n"})
    backend = await mailboxes.open(server)
    with pytest.raises(UpstreamProtocol):
        await backend.list_folders()
    assert server.verbs[-1] == "UIDL"


@pytest.mark.parametrize("gone", [(4,), (4, 5), (3, 4), (1, 2, 4), (4, 5, 6), (1, 4, 5, 6)])
async def test_a_page_goes_on_after_deletions(mailboxes: Mailboxes, gone: tuple[int, ...]) -> None:
    """R-CONC-07: neither twice nor skipped, though the last message shown is gone and the others are renumbered."""
    server = Pop3Server(letters(8))
    backend = await mailboxes.open(server)
    first = await backend.list_messages("inbox", ListQuery(5))
    await backend.aclose()
    server.messages = [stored for stored in server.messages if int(stored.uidl[4:]) not in gone]
    server.messages.append(letter("new"))
    rest = await backend.list_messages("inbox", ListQuery(5, first.next_cursor))
    assert subjects(rest) == [f"Letter uid-{n}" for n in (3, 2, 1) if n not in gone]


async def test_a_cursor_whose_messages_are_all_gone_goes_on_by_number(mailboxes: Mailboxes) -> None:
    server = Pop3Server(letters(8))
    backend = await mailboxes.open(server)
    first = await backend.list_messages("inbox", ListQuery(5))
    await backend.aclose()
    server.messages = server.messages[:3]
    rest = await backend.list_messages("inbox", ListQuery(5, first.next_cursor))
    assert subjects(rest) == ["Letter uid-3", "Letter uid-2", "Letter uid-1"]


@pytest.mark.parametrize("cursor", ["", "x", "p_", "p_AAAA", "m_AAAAAAA", "p_" + "A" * 5000, "é", "p_é"])
async def test_a_malformed_cursor_is_refused_without_a_connection(mailboxes: Mailboxes, cursor: str) -> None:
    server = Pop3Server(letters(3))
    backend = await mailboxes.open(server)
    with pytest.raises(InvalidRequest):
        await backend.list_messages("inbox", ListQuery(1, cursor))
    assert server.connections == 0


async def test_what_pop3_cannot_do_is_said_before_there_is_a_connection(mailboxes: Mailboxes) -> None:
    """R-POP-10: searching, flags and the rest."""
    server = Pop3Server()
    backend = await mailboxes.open(server)
    with pytest.raises(NotSupported):
        await backend.list_messages("inbox", ListQuery(filter=Condition(Criterion.TEXT, "x")))
    with pytest.raises(NotSupported):
        await backend.set_flags("m_x", ["$seen"])
    assert backend.capabilities == {Capability.CHANGES}
    assert server.connections == 0


@pytest.mark.parametrize(
    "uidls",
    [
        ["same", "same", "other"],
        ["x" * 71, "ok", "y" * 500],
        ["with space", "a\tb", "caf\xe9"],
        ["", "\x7f", "fine"],
    ],
)
async def test_unique_ids_that_are_none_are_made_from_content(mailboxes: Mailboxes, uidls: list[str]) -> None:
    """R-POP-04: duplicate, too long or with characters no unique-id has: the id is of the content, and finds it."""
    stored = [replace(letter(f"n{n}"), uidl=uidl) for n, uidl in enumerate(uidls)]
    server = Pop3Server(stored)
    backend = await mailboxes.open(server)
    items = (await backend.list_messages("inbox", ListQuery())).items
    assert len({item.id for item in items}) == 3
    server.messages = server.messages[::-1]
    await backend.aclose()
    for item in items:
        assert (await backend.get_message(item.id)).subject == item.subject


@pytest.mark.parametrize(
    ("capabilities", "uidls", "warnings"),
    [
        (CAPABILITIES, ["a", "b"], ()),
        (CAPABILITIES, ["a", "a"], ("ids-unstable",)),
        (CAPABILITIES, ["a", "b c"], ("ids-unstable",)),
        (WITHOUT_UIDL, ["a", "b"], ("ids-unstable",)),
        (WITHOUT_TOP, ["a", "b"], ("headers-incomplete",)),
        (("USER",), [], ("ids-unstable", "headers-incomplete")),
        (None, ["a", "b"], ()),
    ],
)
async def test_what_a_server_lacks_is_a_warning(
    mailboxes: Mailboxes, capabilities: tuple[str, ...] | None, uidls: list[str], warnings: tuple[str, ...]
) -> None:
    """R-POP-04, R-POP-08: known as soon as one is signed in."""
    stored = [replace(letter(f"n{n}"), uidl=uidl) for n, uidl in enumerate(uidls)]
    backend = await mailboxes.open(Pop3Server(stored, capabilities))
    await backend.check()
    assert backend.warnings == warnings


@pytest.mark.parametrize("answer", [None, b"-ERR unknown command\r\n"])
async def test_a_server_without_unique_ids(mailboxes: Mailboxes, answer: bytes | None) -> None:
    """R-POP-04: no UIDL, or -ERR to it: ids hold from one session to the next all the same, whatever the numbers."""
    capabilities = WITHOUT_UIDL if answer is None else CAPABILITIES
    server = Pop3Server(letters(3), capabilities, twists={"UIDL": answer} if answer else {})
    backend = await mailboxes.open(server)
    before = {item.subject: item.id for item in (await backend.list_messages("inbox", ListQuery())).items}
    await backend.aclose()
    server.messages = [letter("x"), *server.messages[1:]]
    after = {item.subject: item.id for item in (await backend.list_messages("inbox", ListQuery())).items}
    assert before["Letter uid-2"] == after["Letter uid-2"]
    with pytest.raises(NotFound):
        await backend.get_message(before["Letter uid-1"])


@pytest.mark.parametrize(
    "twists",
    [
        {"LIST": b"+OK\r\n1 -5\r\n.\r\n"},
        {"LIST": b"+OK\r\n1 9223372036854775808\r\n.\r\n"},
        {"LIST": b"+OK\r\n1 99999999999999999999999999\r\n.\r\n"},
        {"LIST": b"+OK\r\n1\r\n.\r\n"},
        {"LIST": b"+OK\r\n0 5\r\n.\r\n"},
        {"LIST": b"+OK\r\n1 5\r\n1 6\r\n.\r\n"},
        {"LIST": b"+OK\r\n\xff 5\r\n.\r\n"},
        {"LIST": b"+OK\r\n1 5\r\n.\r\nmore"},
        {"LIST": b"+OK\r\n1 5\r\n.\r\n+OK\r\n"},
        {"LIST": b"1 5\r\n.\r\n"},
        {"UIDL": b"+OK\r\n1 a\r\n1 b\r\n.\r\n"},
        {"UIDL": b"+OK\r\nuid-1\r\n.\r\n"},
        {"LIST": b"-ERR no\r\n"},
        {"LIST": b"+OK\r\n" + b"1 " + b"5" * 9000 + b"\r\n.\r\n"},
        {"LIST": b"+OK\r\n1 5\r\n"},
        {"LIST": b"+OK\r\n1 5\n.\n"},
    ],
)
async def test_listings_that_lie_are_refused(mailboxes: Mailboxes, twists: dict[str, bytes]) -> None:
    """R-POP-07: sizes and numbers that are none, an answer too many, one without an end: bounded and closed."""
    server = Pop3Server(letters(1), twists=dict(twists))
    backend = await mailboxes.open(server)
    with pytest.raises(UpstreamFailure):
        await backend.list_folders()
    server.twists = {}
    assert (await backend.list_folders())[0].total_messages == 1
    assert server.connections == 2 or twists == {"LIST": b"-ERR no\r\n"}


async def test_sizes_that_are_wrong_are_only_shown(mailboxes: Mailboxes) -> None:
    """R-POP-07: nothing is allocated by what LIST says."""
    listing = b"+OK\r\n1 9223372036854775807\r\n7 1\r\n.\r\n"
    server = Pop3Server(letters(1), twists={"LIST": listing, "TOP 7": b"-ERR\r\n", "RETR 7": b"-ERR\r\n"})
    backend = await mailboxes.open(server)
    page = await backend.list_messages("inbox", ListQuery())
    assert subjects(page) == ["None", "Letter uid-1"]
    assert page.items[1].size == 2**63 - 1
    with pytest.raises(UpstreamProtocol):
        await backend.delete_messages([page.items[0].id])
    assert "DELE" not in server.verbs
    with pytest.raises(UpstreamFailure):
        await backend.list_headers(page.items[0].id)


async def test_an_endless_listing_is_cut(mailboxes: Mailboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-POP-07: a listing stops at its limit, whatever the server still has to say."""
    monkeypatch.setattr(sessions, "LISTING_LIMIT", 100_000)
    backend = await mailboxes.open(Pop3Server(twists={"UIDL": b"+OK\r\n" + b"1 x\r\n" * 100_000}))
    with pytest.raises(UpstreamProtocol):
        await backend.list_folders()


async def test_a_header_of_any_size_is_cut_and_the_session_goes_on(mailboxes: Mailboxes) -> None:
    """R-POP-02: a header line of 1 MB neither breaks the list nor fills the memory."""
    server = Pop3Server([letter("big", X_Long="x" * 1_000_000), letter("small")])
    backend = await mailboxes.open(server)
    assert subjects(await backend.list_messages("inbox", ListQuery())) == ["Letter small", "Letter big"]
    assert server.connections == 1


async def test_a_list_without_top_reads_small_messages_whole(mailboxes: Mailboxes) -> None:
    """R-POP-08: headers by RETR, in one session."""
    server = Pop3Server(letters(5), WITHOUT_TOP)
    backend = await mailboxes.open(server)
    assert subjects(await backend.list_messages("inbox", ListQuery(3))) == [f"Letter uid-{n}" for n in (5, 4, 3)]
    assert server.verbs.count("RETR") == 3
    assert server.connections == 1


async def test_a_list_without_top_cuts_large_messages(mailboxes: Mailboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-POP-08: a large message is read up to the end of its header, which costs a login; after a few, rows lack the header."""
    monkeypatch.setattr("service.adapters.pop3.session.session.WHOLE", 10_000)
    monkeypatch.setattr("service.adapters.pop3.listing.WHOLE", 10_000)
    large = [letter(f"large-{n}", "x" * 78 + "\r\n" + "y" * 3_000_000) for n in range(6)]
    server = Pop3Server([*large, letter("small")], WITHOUT_TOP)
    backend = await mailboxes.open(server)
    page = await backend.list_messages("inbox", ListQuery())
    assert subjects(page) == ["Letter small", *(f"Letter large-{n}" for n in (5, 4, 3, 2)), "None", "None"]
    assert server.connections == 5
    again = await backend.list_messages("inbox", ListQuery())
    assert subjects(again)[-2:] == ["Letter large-1", "Letter large-0"]


async def test_a_list_without_top_has_a_budget(mailboxes: Mailboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-POP-08: no list downloads a mailbox."""
    server = Pop3Server(letters(10), WITHOUT_TOP)
    size = len(server.messages[-1].octets)
    monkeypatch.setattr(sessions, "BUDGET", 3 * size)
    backend = await mailboxes.open(server)
    page = await backend.list_messages("inbox", ListQuery())
    assert server.verbs.count("RETR") == 3
    assert subjects(page)[2:] == ["Letter uid-8", *["None"] * 7]


async def test_neither_unique_ids_nor_top_and_too_large_for_both(
    mailboxes: Mailboxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-POP-04, R-POP-08: without a way to name a message it is not shown under a wrong name."""
    monkeypatch.setattr(sessions, "BUDGET", 10)
    backend = await mailboxes.open(Pop3Server(letters(2), ("USER",)))
    with pytest.raises(TooLarge):
        await backend.list_messages("inbox", ListQuery())


async def test_a_message_far_larger_than_listed_is_cut(mailboxes: Mailboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-POP-07, R-POP-08: LIST's size is not trusted."""
    monkeypatch.setattr(sessions, "WHOLE", 10_000)
    server = Pop3Server([letter("x", "y" * 500_000)], WITHOUT_TOP, twists={"LIST": b"+OK\r\n1 100\r\n.\r\n"})
    backend = await mailboxes.open(server)
    with pytest.raises(UpstreamProtocol):
        await backend.list_messages("inbox", ListQuery())


async def test_a_header_dripped_octet_by_octet_meets_the_whole_deadline(mailboxes: Mailboxes) -> None:
    server = Pop3Server(letters(1), twists={"TOP": b"+OK\r\n" + b"x"})
    backend = await mailboxes.open(server)
    with pytest.raises(UpstreamTimeout):
        await backend.list_messages("inbox", ListQuery())


async def test_an_empty_maildrop(mailboxes: Mailboxes) -> None:
    backend = await mailboxes.open(Pop3Server())
    page = await backend.list_messages("inbox", ListQuery())
    assert (page.items, page.total, page.next_cursor) == ((), 0, None)


async def test_a_message_without_a_header(mailboxes: Mailboxes) -> None:
    backend = await mailboxes.open(Pop3Server([Stored("bare", b"\r\nHello\r\n"), Stored("none", b"")]))
    assert subjects(await backend.list_messages("inbox", ListQuery())) == ["None", "None"]
