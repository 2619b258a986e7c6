"""What every mailbox answers, and what those without a capability say instead (R-POP-10)."""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext

import pytest

from service.mail.backend import Backend
from service.mail.errors import InvalidRequest, NotFound, NotPermitted, NotSupported
from service.mail.model import Capability
from service.mail.search.filter import Condition, Criterion, ListQuery, Order, SortKey
from tests.contract.conftest import Mailbox, OpenMailbox
from tests.contract.letters import plain, plains
from tests.contract.test_writing import Octets

ANNA = Condition(Criterion.FROM, "ann")
VERBS: dict[str, tuple[Capability, Callable[[Backend, str], Awaitable[object]]]] = {
    "create_folder": (Capability.FOLDERS, lambda one, _: one.create_folder("x")),
    "change_folder": (Capability.FOLDERS, lambda one, _: one.change_folder("inbox", is_subscribed=True)),
    "delete_folder": (Capability.FOLDERS, lambda one, _: one.delete_folder("inbox")),
    "list_grants": (Capability.ACL, lambda one, _: one.list_grants("inbox")),
    "set_grant": (Capability.ACL, lambda one, _: one.set_grant("inbox", "x", "l")),
    "delete_grant": (Capability.ACL, lambda one, _: one.delete_grant("inbox", "x")),
    "list_quotas": (Capability.QUOTA, lambda one, _: one.list_quotas()),
    "search_messages": (Capability.SEARCH, lambda one, _: one.search_messages(None, ListQuery())),
    "filter": (Capability.SEARCH, lambda one, _: one.list_messages("inbox", ListQuery(filter=ANNA))),
    "sort": (Capability.SORT, lambda one, _: one.list_messages("inbox", ListQuery(sort=(Order(SortKey.SIZE),)))),
    "threads": (Capability.THREADS, lambda one, _: one.list_messages("inbox", ListQuery(with_thread=True))),
    "get_flags": (Capability.FLAGS, lambda one, message: one.get_flags(message)),
    "set_flags": (Capability.FLAGS, lambda one, message: one.set_flags(message, ["$seen"])),
    "change_flags": (Capability.FLAGS, lambda one, message: one.change_flags(message, ["$seen"], [])),
    "change_many": (Capability.FLAGS, lambda one, message: one.change_many([message], ["$seen"], [])),
    "append_message": (Capability.APPEND, lambda one, _: one.append_message("inbox", Octets(plain("x")))),
    "append_once": (Capability.APPEND, lambda one, _: one.append_once("inbox", Octets(plain("x")))),
    "empty_folder": (Capability.MOVE, lambda one, _: one.empty_folder("inbox")),
}


@pytest.mark.parametrize("verb", VERBS)
async def test_a_capability_is_had_or_said_to_be_missing(open_mailbox: OpenMailbox, verb: str) -> None:
    mailbox = await open_mailbox(*plains(1))
    capability, call = VERBS[verb]
    message = (await mailbox.newest()).id
    if await mailbox.can(capability):
        stays = pytest.raises(NotPermitted) if verb == "delete_folder" else nullcontext()
        with stays:
            await call(mailbox.backend, message)
        return
    with pytest.raises(NotSupported) as caught:
        await call(mailbox.backend, message)
    assert caught.value.capability in {capability, "uidplus"}
    assert len(caught.value.detail) > 20


async def test_rows_are_had_by_their_ids(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(5))
    rows = {row.id: row for row in await mailbox.all()}
    ids = [*list(rows)[:3], "m_AAAA", "nonsense", *list(rows)[:1]]
    assert list(await mailbox.backend.get_messages(ids)) == [rows[one] for one in list(rows)[:3]]
    assert await mailbox.backend.get_messages(["m_AAAA"]) == ()


async def test_folders_are_searched_together(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(4))
    backend = mailbox.backend
    if mailbox.name == "imap-pymap" or not await mailbox.can(Capability.FOLDERS):
        return
    other = await backend.create_folder("Other")
    ids = await mailbox.ids()
    await backend.copy_messages([ids["1"], ids["3"]], other.id)
    tree = Condition(Criterion.FROM, "ANN@")
    found: list[str] = []
    cursor = None
    while True:
        page = await backend.search_messages(None, ListQuery(4, cursor, tree))
        found += [row.id for row in page.items]
        assert page.total == 6
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(found) == len(set(found)) == 6
    only = await backend.search_messages([other.id], ListQuery(filter=tree, sort=(Order(SortKey.SUBJECT),)))
    assert [row.subject for row in only.items] == ["1", "3"]
    assert {row.folder_id for row in only.items} == {other.id}
    here = await backend.search_messages(None, ListQuery(filter=Condition(Criterion.IN_FOLDER, "inbox")))
    assert here.total == 4
    elsewhere = await backend.search_messages(
        None, ListQuery(filter=Condition(Criterion.IN_FOLDER_OTHER_THAN, ("inbox",)))
    )
    assert elsewhere.total == 2
    with pytest.raises(NotFound):
        await backend.search_messages(["f_nonsense"], ListQuery())
    with pytest.raises(InvalidRequest):
        await backend.search_messages(None, ListQuery(cursor="nonsense"))


async def test_rights_are_given_and_taken(mailbox: Mailbox) -> None:
    if not await mailbox.can(Capability.ACL):
        return
    folder = await mailbox.backend.create_folder("Team")
    grant = await mailbox.backend.set_grant(folder.id, "bob@example.org", "lrs")
    assert (grant.identifier, set(grant.rights)) == ("bob@example.org", set("lrs"))
    assert grant in await mailbox.backend.list_grants(folder.id)
    await mailbox.backend.delete_grant(folder.id, "bob@example.org")
    assert grant.identifier not in {one.identifier for one in await mailbox.backend.list_grants(folder.id)}


async def test_a_quota_has_a_limit(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(1))
    if not await mailbox.can(Capability.QUOTA):
        return
    [storage] = [quota for quota in await mailbox.backend.list_quotas() if quota.resource == "storage"]
    assert 0 <= storage.used < storage.limit
