"""Lists sorted, with previews and threads, rows by id, and the state that changes with a list."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.mail.errors import InvalidRequest, NotFound, NotSupported, StaleToken
from service.mail.model import Capability, MessageSummary
from service.mail.search.filter import Condition, Criterion, ListQuery, Order, SortKey
from tests.contract.conftest import WITH_FLAGS, Mailbox, OpenMailbox
from tests.contract.letters import Letter, plain, plains

KINDS = WITH_FLAGS
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def letter(
    name: str, *, hours: int, sender: str = "ann@example.org", to: str = "ben@example.org", size: int = 0
) -> Letter:
    source = plain(name, sender=sender, to=to, body="x" * size or "text")
    day = f"Date: Fri, {1 + hours:02} Mar 2024 10:00:00 +0100"
    return Letter(
        source.replace(b"Date: Fri, 01 Mar 2024 10:00:00 +0100", day.encode()), (), NOON + timedelta(hours=hours)
    )


LETTERS = (
    letter("Re: pears", hours=3, sender="Dan <dan@example.org>", to="zoe@example.org", size=10),
    letter("apples", hours=1, sender="Cat <cat@example.org>", to="ann@example.org", size=900),
    letter("Fwd: cherries", hours=4, sender="Ann <ann@example.org>", to="dan@example.org", size=400),
    letter("bananas", hours=2, sender="Ben <ben@example.org>", to="cat@example.org", size=1500),
)


async def walk(mailbox: Mailbox, sort: tuple[Order, ...], limit: int = 2) -> list[str | None]:
    rows: list[MessageSummary] = []
    cursor = None
    while True:
        page = await mailbox.backend.list_messages("inbox", ListQuery(limit, cursor, sort=sort))
        rows += page.items
        cursor = page.next_cursor
        if cursor is None:
            return [row.subject for row in rows]


@pytest.mark.parametrize(
    ("key", "order"),
    [
        (SortKey.RECEIVED_AT, ["apples", "bananas", "Re: pears", "Fwd: cherries"]),
        (SortKey.SENT_AT, ["apples", "bananas", "Re: pears", "Fwd: cherries"]),
        (SortKey.FROM, ["Fwd: cherries", "bananas", "apples", "Re: pears"]),
        (SortKey.TO, ["apples", "bananas", "Fwd: cherries", "Re: pears"]),
        (SortKey.SUBJECT, ["apples", "bananas", "Fwd: cherries", "Re: pears"]),
        (SortKey.SIZE, ["Re: pears", "Fwd: cherries", "apples", "bananas"]),
    ],
)
async def test_a_list_is_sorted_either_way(open_mailbox: OpenMailbox, key: SortKey, order: list[str]) -> None:
    mailbox = await open_mailbox(*LETTERS)
    assert await walk(mailbox, (Order(key),)) == order
    assert await walk(mailbox, (Order(key, is_descending=True),), limit=3) == order[::-1]


async def test_equals_stay_in_the_order_they_arrived_in(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*(Letter(plain(n, sender=f"{'ab'[n % 2]}@example.org"), (), NOON) for n in range(6)))
    assert await walk(mailbox, (Order(SortKey.FROM), Order(SortKey.RECEIVED_AT))) == ["0", "2", "4", "1", "3", "5"]
    assert await walk(mailbox, (Order(SortKey.FROM, is_descending=True),), 4) == ["1", "3", "5", "0", "2", "4"]


async def test_a_sorted_list_goes_on_while_mail_comes_and_goes(open_mailbox: OpenMailbox) -> None:
    """R-CONC-07: no repeat and no silent skip."""
    mailbox = await open_mailbox(*(Letter(plain(f"s{n:02}"), (), NOON) for n in range(12)))
    sort, ids = (Order(SortKey.SUBJECT),), await mailbox.ids()
    first = await mailbox.backend.list_messages("inbox", ListQuery(4, sort=sort))
    assert [row.subject for row in first.items] == ["s00", "s01", "s02", "s03"]
    await mailbox.deliver(plain("s015"))
    await mailbox.deliver(plain("s075"))
    await mailbox.shows(14)
    if "plain" not in mailbox.name:
        await mailbox.backend.delete_messages([ids["s03"], ids["s05"]])
    second = await mailbox.backend.list_messages("inbox", ListQuery(5, first.next_cursor, sort=sort))
    gone = set() if "plain" in mailbox.name else {"s05"}
    assert [row.subject for row in second.items] == [
        s for s in ("s04", "s05", "s06", "s07", "s075", "s08") if s not in gone
    ][:5]


async def test_a_cursor_none_of_whose_messages_is_left_is_stale(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*(Letter(plain(f"s{n}"), (), NOON) for n in range(4)))
    if "plain" in mailbox.name:
        return
    sort, ids = (Order(SortKey.SUBJECT),), await mailbox.ids()
    page = await mailbox.backend.list_messages("inbox", ListQuery(2, sort=sort))
    await mailbox.backend.delete_messages([ids["s0"], ids["s1"]])
    with pytest.raises(StaleToken):
        await mailbox.backend.list_messages("inbox", ListQuery(2, page.next_cursor, sort=sort))


async def test_a_cursor_belongs_to_its_sort(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(3))
    page = await mailbox.backend.list_messages("inbox", ListQuery(1, sort=(Order(SortKey.SUBJECT),)))
    for sort in ((), (Order(SortKey.SIZE),), (Order(SortKey.SUBJECT, is_descending=True),)):
        with pytest.raises(InvalidRequest):
            await mailbox.backend.list_messages("inbox", ListQuery(1, page.next_cursor, sort=sort))


async def test_criteria_and_sort_go_together(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*LETTERS)
    query = ListQuery(filter=Condition(Criterion.MIN_SIZE, 600), sort=(Order(SortKey.SUBJECT, is_descending=True),))
    page = await mailbox.backend.list_messages("inbox", query)
    assert [row.subject for row in page.items] == ["Fwd: cherries", "bananas", "apples"]
    assert page.total == 3


async def test_previews_and_threads_come_if_they_are_requested(open_mailbox: OpenMailbox) -> None:
    reply = plain("answer", body="Yes.").replace(b"MIME-Version", b"References: <first@example.org>\r\nMIME-Version")
    html = plain("html", body="<style>p {}</style><p>Zwölf <b>Boxkämpfer</b></p>").replace(b"text/plain", b"text/html")
    mailbox = await open_mailbox(Letter(plain("first", body="Grüße\r\n  aus   Köln.")), Letter(reply), Letter(html))
    assert {(row.preview, row.thread_id) for row in await mailbox.all()} == {(None, None)}
    has_threads = await mailbox.can(Capability.THREADS)
    query = ListQuery(with_preview=True, with_thread=has_threads)
    page = await mailbox.backend.list_messages("inbox", query)
    rows = {row.subject: row for row in page.items}
    assert rows["first"].preview == "Grüße aus Köln."
    assert rows["answer"].preview == "Yes."
    assert rows["html"].preview == "Zwölf Boxkämpfer"
    threads = [rows[name].thread_id for name in ("first", "answer", "html")]
    if has_threads:
        assert threads[0]
        assert threads[0] == threads[1] != threads[2]
    else:
        assert threads == [None] * 3
    again = await mailbox.backend.list_messages("inbox", query)
    assert again.items == page.items
    named = await mailbox.backend.get_messages(
        [row.id for row in page.items], with_preview=True, with_thread=has_threads
    )
    assert list(named) == list(page.items)


async def test_the_state_of_a_list_changes_with_it(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(2))
    states = []
    for _ in range(2):
        page = await mailbox.backend.list_messages("inbox", ListQuery())
        states.append(await mailbox.backend.get_state("inbox"))
        assert page.state == states[-1]
    assert states[0] == states[1]
    if states[0] is None:
        return
    message = (await mailbox.newest()).id
    await mailbox.backend.change_flags(message, ["$flagged"], [])
    states.append(await mailbox.backend.get_state("inbox"))
    await mailbox.deliver(plain("new"))
    await mailbox.shows(3)
    states.append(await mailbox.backend.get_state("inbox"))
    await mailbox.backend.delete_messages([message])
    states.append(await mailbox.backend.get_state("inbox"))
    assert len(set(states)) == 4
    page = await mailbox.backend.list_messages("inbox", ListQuery())
    assert page.state == states[-1]


async def test_matching_messages_are_found_by_id(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(6))
    ids = await mailbox.ids()
    newest = [ids[str(number)] for number in (5, 4, 3, 2, 1, 0)]
    await mailbox.backend.change_flags(ids["4"], ["$flagged"], [])
    await mailbox.backend.change_flags(ids["1"], ["$flagged"], [])
    find = mailbox.backend.find_messages
    assert await find("inbox", None, 10) == (newest, False)
    assert await find("inbox", None, 4) == (newest[:4], True)
    flagged = Condition(Criterion.HAS_KEYWORD, "$flagged")
    assert await find("inbox", flagged, 2) == ([ids["4"], ids["1"]], False)
    assert await find("inbox", flagged, 1) == ([ids["4"]], True)
    assert await find("inbox", Condition(Criterion.SUBJECT, "none"), 10) == ([], False)
    with pytest.raises(NotFound):
        await find("archive-of-nobody", None, 10)


async def test_a_conversation_is_read_from_all_folders(open_mailbox: OpenMailbox) -> None:
    """Oldest first; without the messages that name one of it for another reason."""

    def answer(name: str, references: str, hours: int) -> Letter:
        written = letter(name, hours=hours)
        field = f"References: {references}\r\nMIME-Version".encode()
        return replace(written, source=written.source.replace(b"MIME-Version", field))

    letters = (
        letter("root", hours=0),
        answer("second", "<root@example.org> <first@example.org>", 3),
        answer("first", "<root@example.org>", 1),
        answer("other", "<elsewhere@example.org> <root@example.org>", 4),
        Letter(plain("alone").replace(b"Message-ID: <alone@example.org>\r\n", b""), (), NOON),
    )
    mailbox = await open_mailbox(*letters)
    if not await mailbox.can(Capability.THREADS):
        with pytest.raises(NotSupported):
            await mailbox.backend.list_thread("t_cm9vdEBleGFtcGxlLm9yZw")
        return
    folder = await mailbox.backend.create_folder("Answers")
    ids = await mailbox.ids()
    copied = (
        await mailbox.backend.copy_messages([ids["first"]], folder.id) if await mailbox.can(Capability.MOVE) else ()
    )
    rows = {
        row.subject: row for row in (await mailbox.backend.list_messages("inbox", ListQuery(with_thread=True))).items
    }
    thread = rows["root"].thread_id
    assert thread
    page = await mailbox.backend.list_thread(thread)
    found = [row.subject for row in page.items]
    expected = ["root", "first", "second"]
    assert list(dict.fromkeys(found)) == expected
    assert len(found) == 3 + len(copied)
    assert {row.thread_id for row in page.items} == {thread}
    alone = (await mailbox.backend.list_thread(rows["alone"].thread_id or "")).items
    assert [row.subject for row in alone] == ["alone"]
    for unknown in ("t_", "x", "t_bm9uZUBleGFtcGxlLm9yZw", "t_ö", thread[:-1], "t_" + "A" * 900):
        with pytest.raises(NotFound) as missing:
            await mailbox.backend.list_thread(unknown)
        assert missing.value.what == "thread"
