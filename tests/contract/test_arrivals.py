"""Mail that comes while a mailbox is in use."""

import pytest

from service.mail.errors import NotFound
from service.mail.search.filter import ListQuery
from tests.contract.conftest import WITH_LATE_MAIL, Mailbox
from tests.contract.letters import (
    plain,
)

KINDS = WITH_LATE_MAIL


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
