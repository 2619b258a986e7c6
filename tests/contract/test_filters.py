"""Filtered lists, on mailboxes that can search."""

from datetime import UTC, date, datetime

import pytest

from service.mail.errors import InvalidRequest
from service.mail.search.filter import Condition, Criterion, Filter, ListQuery, Logic, Operator
from tests.contract.conftest import WITH_SEARCH, Mailbox, OpenMailbox
from tests.contract.letters import (
    Letter,
    plain,
)

KINDS = WITH_SEARCH


async def subjects(mailbox: Mailbox, tree: Filter) -> set[str | None]:
    rows = await mailbox.all(filter=tree)
    page = await mailbox.backend.list_messages("inbox", ListQuery(filter=tree))
    assert page.total == len(rows)
    return {row.subject for row in rows}


@pytest.fixture
async def archive(open_mailbox: OpenMailbox) -> Mailbox:
    """Three days of mail."""

    def day(number: int) -> datetime:
        return datetime(2024, 3, number, 12, tzinfo=UTC)

    subject = "=?utf-8?q?=C3=84rger_in_K=C3=B6ln?="
    return await open_mailbox(
        Letter(plain("first", sender="Ann <ann@example.org>", body="About apples."), ["$seen"], day(1)),
        Letter(plain("second", to="Cat <cat@example.org>", body="About pears."), ["$flagged", "work"], day(2)),
        Letter(plain("third", sender="dan@example.org", body="Zwölf Äpfel."), ["$seen", "$flagged"], day(3)),
        Letter(plain("x", sender="eve@example.org").replace(b"Subject: x", f"Subject: {subject}".encode()), [], day(3)),
    )


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
    unread = Condition(Criterion.NOT_KEYWORD, "$seen")
    for limit in (1, 2, 3, 6, 50):
        assert [row.subject for row in await mailbox.all(limit, unread)] == ["10", "8", "6", "4", "2", "0"]
    first = await mailbox.backend.list_messages("inbox", ListQuery(2, None, unread))
    assert first.total == 6
    with pytest.raises(InvalidRequest):
        await mailbox.backend.list_messages("inbox", ListQuery(2, first.next_cursor))
