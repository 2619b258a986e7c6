"""What settings leave in a mailbox, as another client sees it, and what becomes of it if a server or a process changes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack

import pytest

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.adapters.imap.settings import metadata
from service.mail.errors import Changed, InUse
from service.mail.model import Protocol
from service.mail.settings import NO_SETTINGS, settings_version
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST
from tests.servers.proxy import passing

pytestmark = pytest.mark.dovecot
FOLDER = "Casella-Settings"
Open = Callable[..., ImapBackend]


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """Opens mailboxes, each as a process of its own would."""
    async with AsyncExitStack() as stack:

        def open_one(port: int, user: str, avoid: Iterable[str] = ()) -> ImapBackend:
            credentials = Credentials("home", Protocol.IMAP, user, PASSWORD)
            backend = ImapBackend(Endpoint(HOST, port, Security.NONE), credentials, avoid=avoid)
            stack.push_async_callback(backend.aclose)
            return backend

        yield open_one


async def test_one_message_stays_in_a_folder_that_is_not_subscribed(dovecot: Dovecot, opened: Open) -> None:
    user = dovecot.user()
    mailboxes = [opened(dovecot.ports.imap, user) for _ in range(2)]
    version = NO_SETTINGS
    for number in range(6):
        settings = b'{"number":%d}' % number
        await mailboxes[number % 2].set_settings(settings, version=version)
        version = settings_version(settings)
    with dovecot.connect(user) as other:
        assert other.select(FOLDER)[1] == [b"1"]
        subscribed = b"".join(each for each in other.lsub()[1] if isinstance(each, bytes))
        assert FOLDER.encode() not in subscribed
    assert FOLDER not in {folder.name for folder in await mailboxes[0].list_folders()}


async def test_a_writer_that_was_too_late_leaves_nothing(dovecot: Dovecot, opened: Open) -> None:
    """R-CONC-11: all append to the same settings; the later message is removed, whichever process looks first."""
    user = dovecot.user()
    mailboxes = [opened(dovecot.ports.imap, user) for _ in range(4)]
    await mailboxes[0].set_settings(b"{}", version=NO_SETTINGS)
    for _ in range(5):
        version = settings_version(await mailboxes[0].get_settings())
        results = await asyncio.gather(
            *(each.set_settings(b'{"by":"%d %b"}' % (at, version.encode()), version=version) for at, each in enumerate(mailboxes)),
            return_exceptions=True,
        )  # fmt: skip
        assert sorted(map(type, results), key=str) == sorted([type(None), Changed, Changed, Changed], key=str), results
    with dovecot.connect(user) as other:
        assert other.select(FOLDER)[1] == [b"1"]


async def test_metadata_costs_one_round_trip_and_leaves_no_folder(metadata_dovecot: Dovecot, opened: Open) -> None:
    user = metadata_dovecot.user()
    async with passing(metadata_dovecot.ports.imap) as proxy:
        mailbox = opened(proxy.port, user)
        await mailbox.set_settings(b'{"a":1}', version=NO_SETTINGS)
        before = proxy.round_trips
        assert await mailbox.get_settings() == b'{"a":1}'
        assert proxy.round_trips - before == 1
    with metadata_dovecot.connect(user) as other:
        assert other.select(FOLDER)[0] == "NO"


async def test_settings_of_a_message_count_until_the_server_has_metadata(
    metadata_dovecot: Dovecot, opened: Open
) -> None:
    user, port = metadata_dovecot.user(), metadata_dovecot.ports.imap
    await opened(port, user, ["METADATA"]).set_settings(b'{"a":1}', version=NO_SETTINGS)
    mailbox = opened(port, user)
    assert await mailbox.get_settings() == b'{"a":1}'
    with pytest.raises(Changed):
        await mailbox.set_settings(b'{"a":2}', version=NO_SETTINGS)
    await mailbox.set_settings(b'{"a":2}', version=settings_version(b'{"a":1}'))
    assert await opened(port, user).get_settings() == b'{"a":2}'


async def test_the_turn_of_a_process_that_died_is_taken_over(
    metadata_dovecot: Dovecot, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-CONC-11."""
    monkeypatch.setattr(metadata, "_LEASE_SECONDS", 0.5)
    user = metadata_dovecot.user()
    with metadata_dovecot.connect(user) as other:
        answer = other.xatom("SETMETADATA", '""', '(/private/vendor/vendor.casella/turn "of a process that died")')
        assert answer[0] == "OK"
    mailbox = opened(metadata_dovecot.ports.imap, user)
    await mailbox.set_settings(b'{"a":1}', version=NO_SETTINGS)
    assert await mailbox.get_settings() == b'{"a":1}'


async def test_a_process_that_is_slow_to_take_its_turn_does_not_enter(
    metadata_dovecot: Dovecot, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-CONC-11: two that both read that the turn is free may both write their names; each enters only if it was quick."""
    user, port = metadata_dovecot.user(), metadata_dovecot.ports.imap
    await opened(port, user).set_settings(b"{}", version=NO_SETTINGS)
    monkeypatch.setattr(metadata, "_LEASE_SECONDS", 0.5)
    monkeypatch.setattr(metadata, "TAKING_SECONDS", -1.0)
    monkeypatch.setattr(metadata, "_PATIENCE_SECONDS", 2.0)
    with pytest.raises(InUse):
        await opened(port, user).set_settings(b'{"a":1}', version=settings_version(b"{}"))
    assert await opened(port, user).get_settings() == b"{}"
