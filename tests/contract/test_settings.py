"""Settings follow the user: what one device stores, another reads, and no change is lost."""

import asyncio
import json

import pytest

from service.mail.errors import Changed
from service.mail.model import Capability
from service.mail.search.filter import ListQuery
from service.mail.settings import MAX_SETTINGS, NO_SETTINGS, settings_version
from tests.contract.conftest import WITH_FLAGS, Mailbox, OpenMailbox
from tests.contract.letters import plains

KINDS = (*WITH_FLAGS, "imap-dovecot-metadata")
WRITERS = 12


async def test_settings_are_read_as_they_were_stored(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(1))
    backend = mailbox.backend
    assert await mailbox.can(Capability.SETTINGS)
    folders = await backend.list_folders()
    assert await backend.get_settings() is None
    version = NO_SETTINGS
    for settings in (
        b"{}",
        '{"signature":"Grüße aus Köln 🙂","quotes":"\\"\\\\ {5} NIL ("}'.encode(),
        json.dumps({"large": "ä" * (MAX_SETTINGS // 2 - 20)}, ensure_ascii=False).encode(),
        b'{"small":1}',
    ):
        await backend.set_settings(settings, version=version)
        assert await backend.get_settings() == settings
        version = settings_version(settings)
    assert {folder.name for folder in await backend.list_folders()} == {folder.name for folder in folders}
    found = await backend.search_messages(None, ListQuery())
    assert [row.subject for row in found.items] == ["0"]


async def test_settings_that_changed_meanwhile_are_not_overwritten(mailbox: Mailbox) -> None:
    backend = mailbox.backend
    with pytest.raises(Changed):
        await backend.set_settings(b'{"a":1}', version=settings_version(b"{}"))
    assert await backend.get_settings() is None
    await backend.set_settings(b'{"a":1}', version=NO_SETTINGS)
    for stale in (NO_SETTINGS, settings_version(b'{"a":2}')):
        with pytest.raises(Changed):
            await backend.set_settings(b'{"a":3}', version=stale)
    assert await backend.get_settings() == b'{"a":1}'
    await backend.set_settings(b'{"a":4}')
    assert await backend.get_settings() == b'{"a":4}'


async def test_of_many_writers_each_change_is_kept(mailbox: Mailbox) -> None:
    """R-CONC-11: each adds one to what it read, and tries again if it was too late."""
    backend = mailbox.backend
    await backend.set_settings(b'{"count":0}', version=NO_SETTINGS)

    async def add() -> None:
        while True:
            settings = await backend.get_settings() or b""
            more = json.dumps({"count": json.loads(settings)["count"] + 1}).encode()
            try:
                return await backend.set_settings(more, version=settings_version(settings))
            except Changed:
                continue

    await asyncio.gather(*(add() for _ in range(WRITERS)))
    assert json.loads(await backend.get_settings() or b"") == {"count": WRITERS}
