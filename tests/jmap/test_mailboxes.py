"""Mailboxes and quotas."""

from tests.jmap.clients import Jmap
from tests.jmap.letters import plain


async def test_mailboxes_are_made_renamed_moved_and_removed(jmap: Jmap) -> None:
    state = (await jmap.call("Mailbox/get", ids=[]))["state"]
    created = await jmap.call("Mailbox/set", create={"c": {"name": "Child", "parentId": "#p"}, "p": {"name": "Parent"}})
    parent, child = (created["created"][key]["id"] for key in "pc")
    changes = await jmap.call("Mailbox/changes", sinceState=state)
    assert set(changes["created"]) == {parent, child}
    await jmap.call("Mailbox/set", update={child: {"name": "Grown", "parentId": None}})
    read = (await jmap.mailboxes())["Grown"]
    assert (read["id"], read["parentId"]) == (child, None)
    await jmap.imported(plain("x"), child)
    later = await jmap.call("Mailbox/changes", sinceState=created["newState"])
    assert (later["created"], later["updated"], later["destroyed"]) == ([], [child], [])
    refused = await jmap.call("Mailbox/set", destroy=[child, "nothing"], create={"again": {"name": "Grown"}})
    assert {key: each["type"] for key, each in refused["notDestroyed"].items()} == {
        child: "mailboxHasEmail", "nothing": "notFound",
    }  # fmt: skip
    assert refused["notCreated"]["again"]["type"] == "alreadyExists"
    removed = await jmap.call("Mailbox/set", destroy=[child, parent], onDestroyRemoveEmails=True)
    assert set(removed["destroyed"]) == {child, parent}
    gone = await jmap.call("Mailbox/changes", sinceState=later["newState"])
    assert set(gone["destroyed"]) == {child, parent}
    assert await jmap.error("Mailbox/changes", sinceState="x") == "cannotCalculateChanges"
    assert await jmap.error("Mailbox/set", ifInState=created["newState"]) == "stateMismatch"


async def test_only_counts_changed_is_said(jmap: Jmap) -> None:
    inbox = await jmap.inbox()
    state = (await jmap.call("Mailbox/get", ids=[]))["state"]
    await jmap.imported(plain("x"), inbox)
    changes = await jmap.call("Mailbox/changes", sinceState=state)
    assert changes["updated"] == [inbox]
    assert "totalEmails" in changes["updatedProperties"]


async def test_uploads_are_not_seen_as_a_mailbox(jmap: Jmap) -> None:
    state = (await jmap.call("Mailbox/get", ids=[]))["state"]
    await jmap.upload(b"x")
    assert (await jmap.call("Mailbox/get", ids=[]))["state"] == state
    assert "Casella uploads" not in await jmap.mailboxes()
    assert await jmap.query() == []


async def test_mailboxes_are_queried(jmap: Jmap) -> None:
    parent = await jmap.create_mailbox("Zoo")
    child = await jmap.create_mailbox("Ape", parentId=parent)
    sort = [{"property": "name", "isAscending": True}]
    answer = await jmap.call("Mailbox/query", filter={"hasAnyRole": False}, sort=sort)
    assert answer["ids"] == [child, parent]
    tree = await jmap.call("Mailbox/query", filter={"hasAnyRole": False}, sort=sort, sortAsTree=True)
    assert tree["ids"] == [parent, child]
    assert (await jmap.call("Mailbox/query", filter={"operator": "NOT", "conditions": [{"role": None}]}, limit=1))[
        "ids"
    ]
    wide = {"operator": "OR", "conditions": [{"name": "x"}] * 10_000}
    assert await jmap.error("Mailbox/query", filter=wide) == "unsupportedFilter"


async def test_quotas_are_listed(jmap: Jmap) -> None:
    assert isinstance((await jmap.call("Quota/get", ids=None))["list"], list)
