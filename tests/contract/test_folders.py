"""Folders made, renamed, moved, subscribed and removed."""

import pytest

from service.mail.errors import AlreadyExists, InvalidRequest, NotFound, NotPermitted, NotSupported
from service.mail.model import Folder
from service.mail.search.filter import ListQuery
from tests.contract.conftest import Mailbox
from tests.contract.letters import plain

NAMES = ("Work", "Ärger in Köln", "会議 & Co", "a & b", "quote ' \"", "100 % *", "{5}", "back\\slash", "emoji 🎉")


async def by_path(mailbox: Mailbox) -> dict[tuple[str, ...], Folder]:
    return {folder.path: folder for folder in await mailbox.backend.list_folders()}


async def has_folders(mailbox: Mailbox) -> bool:
    if mailbox.name.startswith("pop3"):
        with pytest.raises(NotSupported):
            await mailbox.backend.create_folder("x")
        return False
    return mailbox.name != "imap-pymap"


@pytest.mark.parametrize("name", NAMES)
async def test_a_folder_may_have_any_name(mailbox: Mailbox, name: str) -> None:
    if not await has_folders(mailbox):
        return
    folder = await mailbox.backend.create_folder(name)
    assert (await by_path(mailbox))[folder.path] == folder
    assert (folder.name, folder.path, folder.parent_id) == (name, (name,), None)
    assert folder.is_selectable
    assert folder.is_subscribed
    assert (await mailbox.backend.list_messages(folder.id, ListQuery())).total == 0


async def test_a_folder_is_created_in_the_requested_parent(mailbox: Mailbox) -> None:
    if not await has_folders(mailbox):
        return
    for parent in (None, ""):
        work = await mailbox.backend.create_folder(f"Work{parent}", parent)
        assert (work.path, work.parent_id) == ((f"Work{parent}",), None)
        inner = await mailbox.backend.create_folder("Inner", work.id)
        assert (inner.path, inner.parent_id) == ((f"Work{parent}", "Inner"), work.id)


async def test_a_name_is_taken_once(mailbox: Mailbox) -> None:
    if not await has_folders(mailbox):
        return
    await mailbox.backend.create_folder("Work")
    for name in ("Work", "INBOX", "inbox"):
        with pytest.raises(AlreadyExists):
            await mailbox.backend.create_folder(name)
    for name in ("", " ", " x", "a\r\nb", "a\0b", "x" * 300, "a/b"):
        with pytest.raises(InvalidRequest):
            await mailbox.backend.create_folder(name)
    with pytest.raises(NotFound):
        await mailbox.backend.create_folder("x", "f_nonsense")


async def test_a_folder_moves_with_all_that_is_in_it(mailbox: Mailbox) -> None:
    if not await has_folders(mailbox):
        return
    backend = mailbox.backend
    one, two = [await backend.create_folder(name) for name in ("One", "Two")]
    inner = await backend.create_folder("Inner", one.id)
    await mailbox.deliver(plain("x"))
    await mailbox.shows(1)
    await backend.copy_messages([(await mailbox.newest()).id], inner.id)
    renamed = await backend.change_folder(one.id, name="Eins")
    assert renamed.path == ("Eins",)
    moved = await backend.change_folder(renamed.id, parent=two.id)
    assert moved.path == ("Two", "Eins")
    assert moved.is_subscribed
    folders = await by_path(mailbox)
    assert ("One",) not in folders
    below = folders["Two", "Eins", "Inner"]
    assert below.is_subscribed
    page = await backend.list_messages(below.id, ListQuery())
    assert [row.subject for row in page.items] == ["x"]
    with pytest.raises(InvalidRequest):
        await backend.change_folder(two.id, parent=moved.id)
    top = await backend.change_folder(moved.id, parent="", name="Top")
    assert top.path == ("Top",)
    with pytest.raises(AlreadyExists):
        await backend.change_folder(top.id, name="Two")
    assert (await backend.change_folder(top.id, name="Top")).id == top.id


async def test_the_inbox_stays(mailbox: Mailbox) -> None:
    if not await has_folders(mailbox):
        return
    for change in (
        mailbox.backend.change_folder("inbox", name="Other"),
        mailbox.backend.change_folder("inbox", parent=""),
        mailbox.backend.delete_folder("inbox"),
    ):
        with pytest.raises(NotPermitted):
            await change


async def test_a_folder_is_removed_with_its_messages_and_not_with_its_folders(mailbox: Mailbox) -> None:
    if not await has_folders(mailbox):
        return
    backend = mailbox.backend
    one = await backend.create_folder("One")
    inner = await backend.create_folder("Inner", one.id)
    with pytest.raises(AlreadyExists):
        await backend.delete_folder(one.id)
    await backend.list_messages(inner.id, ListQuery())
    await backend.delete_folder(inner.id)
    await backend.delete_folder(one.id)
    assert not {("One",), ("One", "Inner")} & (await by_path(mailbox)).keys()
    with pytest.raises(NotFound):
        await backend.delete_folder(one.id)
    with pytest.raises(NotFound):
        await backend.list_messages(one.id, ListQuery())
    again = await backend.create_folder("One")
    assert (await backend.list_messages(again.id, ListQuery())).total == 0


async def test_a_folder_is_subscribed_to_or_not(mailbox: Mailbox) -> None:
    if not await has_folders(mailbox):
        return
    folder = await mailbox.backend.create_folder("Work")
    assert not (await mailbox.backend.change_folder(folder.id, is_subscribed=False)).is_subscribed
    assert not (await mailbox.backend.get_folder(folder.id)).is_subscribed
    assert (await mailbox.backend.change_folder(folder.id, is_subscribed=True)).is_subscribed


async def test_a_role_follows_its_folder(mailbox: Mailbox) -> None:
    """By SPECIAL-USE, else by a well-known name of any language; one folder has it."""
    if not await has_folders(mailbox):
        return
    backend = mailbox.backend
    before = {folder.role for folder in await backend.list_folders()}
    folder = await backend.create_folder("Archiv")
    if "archive" in before or mailbox.name == "memory":
        assert folder.role is None
        return
    assert folder.role == "archive"
    assert (await backend.list_messages("archive", ListQuery())).total == 0
    await backend.change_folder(folder.id, name="Old things")
    with pytest.raises(NotFound):
        await backend.list_messages("archive", ListQuery())
