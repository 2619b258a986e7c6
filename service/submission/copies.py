"""The copy of a sent message in Sent: exactly one. Some providers file it themselves (Gmail, Exchange Online), most do
not. So the first time a server is used, Sent is looked at before the draft is moved there."""

import asyncio
from collections.abc import Mapping

from cachetools import TTLCache

from service.mail.backend import Backend
from service.submission.folders import SENT, find, within

WAIT = 2.0
"""Seconds that a provider takes to file a copy."""
_DAY = 24 * 3600


class Filing:
    """What is known of the servers: by the operator, or learnt from the last message sent."""

    def __init__(self, stated: Mapping[str, bool] | None = None) -> None:
        self._stated = dict(stated or {})
        self._learnt: TTLCache[str, bool] = TTLCache(10_000, _DAY)

    def files(self, server: str) -> bool | None:
        """Whether the server files copies; None if that is not known yet."""
        stated = self._stated.get(server)
        return self._learnt.get(server) if stated is None else stated

    def learn(self, server: str, *, files: bool) -> None:
        """Remember it for a day."""
        self._learnt[server] = files


async def file_copy(mailbox: Backend, draft: str, message_id: str, server: str, filing: Filing) -> str | None:
    """Make the draft the copy in Sent, or delete it if the provider has filed one. Returns the id of the copy; None if
    the mailbox does not report it. If this raises, the draft is still there."""
    files = filing.files(server)
    copy = None if files is False else await _filed(mailbox, message_id)
    if files is None:
        filing.learn(server, files=copy is not None)
    if copy is None:
        return await _move(mailbox, draft)
    [outcome] = await mailbox.delete_messages([draft])
    if outcome.error is not None:
        raise outcome.error
    return copy


async def _filed(mailbox: Backend, message_id: str) -> str | None:
    """The id of the provider's copy, which may take a moment to appear."""
    for pause in (0.0, WAIT):
        await asyncio.sleep(pause)
        if copies := await find(mailbox, SENT, message_id):
            return copies[0].id
    return None


async def _move(mailbox: Backend, draft: str) -> str | None:
    async def to(folder: str) -> str | None:
        [outcome] = await mailbox.move_messages([draft], folder)
        if outcome.error is not None:
            raise outcome.error
        return outcome.new_id

    return await within(mailbox, SENT, to)
