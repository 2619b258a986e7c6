"""Ids that survive moves and renames, on servers that have them."""

from service.mail.model import Capability
from tests.contract.conftest import OpenMailbox
from tests.contract.letters import plains


async def test_a_message_keeps_its_permanent_id(open_mailbox: OpenMailbox) -> None:
    """It shares it with its copies, and with nothing else."""
    mailbox = await open_mailbox(*plains(3))
    backend, ids = mailbox.backend, await mailbox.ids()
    emails = dict(await backend.get_email_ids([*ids.values(), "m_AAAA"]))
    if not emails:
        assert await backend.find_emails(["g_AAAA"]) == {}
        assert not backend.has_email_ids
        return
    assert backend.has_email_ids
    assert emails.keys() == set(ids.values())
    assert len(set(emails.values())) == 3
    assert {email: list(places) for email, places in (await backend.find_emails(list(emails.values()))).items()} == {
        email: [message] for message, email in emails.items()
    }
    if not {Capability.MOVE, Capability.FOLDERS} <= backend.capabilities:
        return
    folder = (await backend.create_folder("Elsewhere")).id
    [moved] = await backend.move_messages([ids["0"]], folder)
    [copied] = await backend.copy_messages([ids["1"]], folder)
    found = await backend.find_emails([emails[ids["0"]], emails[ids["1"]], "g_AAAA"])
    for outcome, old in ((moved, []), (copied, [ids["1"]])):
        places = set(found[emails[outcome.id]])
        assert len(places) == len(old) + 1
        assert places >= set(old)
        if outcome.new_id is not None:
            assert places == {*old, outcome.new_id}
    assert len(found) == 2


async def test_a_folder_keeps_its_permanent_id(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox()
    ids = await mailbox.backend.get_folder_ids()
    if not ids:
        return
    listed = {folder.id for folder in await mailbox.backend.list_folders() if folder.is_selectable}
    assert listed == ids.keys()
    folder = (await mailbox.backend.create_folder("Before")).id
    before = (await mailbox.backend.get_folder_ids())[folder]
    renamed = (await mailbox.backend.change_folder(folder, name="After")).id
    after = await mailbox.backend.get_folder_ids()
    assert after[renamed] == before
    assert len(set(after.values())) == len(after)
