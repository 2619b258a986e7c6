"""What is not there is not found, whichever way it is asked for."""

from collections.abc import Awaitable, Callable

import pytest

from service.mail.backend import Backend
from service.mail.errors import MailError, NotFound
from service.mail.model import Capability
from service.mail.search.filter import ListQuery
from tests.contract.conftest import Mailbox, OpenMailbox
from tests.contract.letters import (
    RICH,
    Letter,
    plains,
)


async def test_an_unknown_folder_is_not_found(mailbox: Mailbox) -> None:
    for folder in ("", "f_", "f_nope", "no-such-role", "flagged", "INBOX/../INBOX", "f_" + "A" * 5000, "ö"):
        with pytest.raises(NotFound) as missing:
            await mailbox.backend.list_messages(folder, ListQuery())
        assert missing.value.what == "folder"
        with pytest.raises(NotFound):
            await mailbox.backend.get_folder(folder)


async def errors_of(backend: Backend, message: str) -> list[MailError | None]:
    """What each way to a message answers for it."""
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: backend.get_message(message),
        lambda: backend.list_headers(message),
        lambda: backend.open_part(message, "1"),
        lambda: backend.open_source(message),
    ]
    if Capability.FLAGS in backend.capabilities:
        calls += [
            lambda: backend.get_flags(message),
            lambda: backend.set_flags(message, ["$seen"]),
            lambda: backend.change_flags(message, ["$seen"], []),
            lambda: backend.change_flags(message, [], ["$seen"]),
            lambda: backend.change_flags(message, [], []),
        ]
    found: list[MailError | None] = []
    for call in calls:
        with pytest.raises(MailError) as told:
            await call()
        found.append(told.value)
    (outcome,) = await backend.delete_messages([message])
    assert outcome.id == message
    return [*found, outcome.error]


async def test_an_unknown_message_is_not_found(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(2))
    for message in ("", "m_", "m_nope", "inbox", "ö", (await mailbox.newest()).id + "A"):
        for error in await errors_of(mailbox.backend, message):
            assert isinstance(error, NotFound)
            assert error.what == "message"
    assert len(await mailbox.all()) == 2


async def test_a_message_that_is_gone_is_not_found(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(2))
    gone = (await mailbox.ids())["0"]
    await mailbox.backend.delete_messages([gone])
    assert all(isinstance(error, NotFound) for error in await errors_of(mailbox.backend, gone))


async def test_an_id_of_another_account_is_not_found(open_mailbox: OpenMailbox) -> None:
    """Though the same server keeps both, and a message with the same number is there."""
    mine, other = await open_mailbox(*plains(2)), await open_mailbox(*plains(2))
    foreign = await other.newest()
    assert all(isinstance(error, NotFound) for error in await errors_of(mine.backend, foreign.id))
    with pytest.raises(NotFound):
        await mine.backend.list_messages(foreign.folder_id, ListQuery())
    assert len(await mine.all()) == 2
    assert len(await other.all()) == 2


async def test_an_unknown_part_is_not_found(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    message = (await mailbox.newest()).id
    for part in ("5", "1.3", "2.1", "", "x", "1.", "-1", "01", "1..1", "0.0", "9" * 300, "HEADER", "²"):
        with pytest.raises(NotFound) as missing:
            await mailbox.backend.open_part(message, part)
        assert missing.value.what == "part", part
