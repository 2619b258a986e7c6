"""Whom messages are from or to."""

from datetime import UTC, datetime, timedelta

from service.mail.model import Capability
from service.mail.search.filter import Condition, Criterion, ListQuery
from tests.contract.conftest import Mailbox, OpenMailbox
from tests.contract.letters import Letter, plain

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def letter(number: int) -> Letter:
    source = plain(
        number, sender=f"=?utf-8?q?Zo=C3=AB_{number}?= <zoe{number}@example.org>", to="Ben <ben@example.org>"
    )
    return Letter(source.replace(b"\r\nSubject", b"\r\nCc: cat@example.org\r\nSubject"), (), NOON + timedelta(number))


async def test_authors_and_recipients_come_newest_first(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*(letter(number) for number in range(5)))
    backend = mailbox.backend
    authors = await backend.list_correspondents("inbox", ListQuery(3))
    people = [(address.name, address.email) for each in authors for address in each.people]
    assert people == [(f"Zoë {number}", f"zoe{number}@example.org") for number in (4, 3, 2)]
    recipients = await backend.list_correspondents("inbox", ListQuery(500), recipients=True)
    assert [each.people[0].email for each in recipients] == ["ben@example.org"] * 5
    rows = await mailbox.all()
    assert [each.id for each in recipients] == [row.id for row in rows]
    assert [each.at for each in recipients] == [row.received_at for row in rows]
    if mailbox.name.startswith(("imap", "maildir")):
        assert [each.people[1].email for each in recipients] == ["cat@example.org"] * 5
    again = await backend.list_correspondents("inbox", ListQuery(3))  # lists have shown them by now
    assert list(again) == list(authors)


async def test_an_empty_folder_knows_nobody(mailbox: Mailbox) -> None:
    assert not await mailbox.backend.list_correspondents("inbox", ListQuery(500))


async def test_people_of_messages_that_name_a_word(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*(letter(number) for number in range(5)))
    if not await mailbox.can(Capability.SEARCH) or mailbox.name == "maildir":
        return
    query = ListQuery(10, filter=Condition(Criterion.FROM, "zoe3"))
    [found] = await mailbox.backend.list_correspondents("inbox", query)
    assert [address.email for address in found.people] == ["zoe3@example.org"]
