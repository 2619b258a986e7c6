"""The copy of a sent message in Sent: exactly one. Some providers file it themselves (Gmail, Exchange Online), most do
not. So the first time a server is used, Sent is looked at before the draft is moved there."""

import asyncio
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from cachetools import TTLCache

from service.mail.backend import Backend
from service.mail.errors import NotFound, NotSupported
from service.mail.exchange import Outcome
from service.mail.model import MessageSummary
from service.mail.search.filter import ListQuery
from service.submission.folders import SENT, find, remove, within

WAIT = 2.0
"""Seconds that a provider takes to file a copy."""
_NEWEST = 10
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


class Filed(NamedTuple):
    """``copy`` is None if the mailbox does not report its id. ``is_removed`` says whether the draft is gone."""

    copy: str | None
    is_removed: bool = True


async def file_copy(
    mailbox: Backend, draft: str, message_id: str, server: str, filing: Filing, earlier: Container[str] = ()
) -> Filed:
    """Make the draft the copy in Sent, or delete it if the provider has filed one. ``earlier`` are the messages that
    Sent had before, the newest and those with this Message-ID: none of them is the copy. If this raises, the draft is
    still there, and Sent may have no copy."""
    files = filing.files(server)
    copy = None if files is False else await _filed(mailbox, draft, message_id, earlier)
    if files is None:
        filing.learn(server, files=copy is not None)
    if copy is None:
        return await _move(mailbox, draft)
    return Filed(copy, await remove(mailbox, draft))


async def _filed(mailbox: Backend, draft: str, message_id: str, earlier: Container[str]) -> str | None:
    """The id of the provider's copy, which may take a moment to appear."""
    sent: Sequence[MessageSummary] = ()
    for pause in (0.0, WAIT):
        await asyncio.sleep(pause)
        copies = await find(mailbox, SENT, message_id)
        if new := [copy.id for copy in copies if copy.id not in earlier]:
            return new[0]
        sent = sent or await mailbox.get_messages([draft])
        if sent and (renamed := await _renamed(mailbox, sent[0], earlier)) is not None:
            return renamed
    return None


async def _renamed(mailbox: Backend, sent: MessageSummary, earlier: Container[str]) -> str | None:
    """The id of a copy that the provider gave another Message-ID (Outlook.com): among the newest in Sent, the one with
    the same Date, subject and recipients. One round trip."""
    if sent.sent_at is None:
        return None
    new = [row for row in await newest(mailbox) if row.id not in earlier]
    return next((row.id for row in new if _likeness(row) == _likeness(sent)), None)


async def newest(mailbox: Backend) -> Sequence[MessageSummary]:
    """The newest messages in Sent."""
    try:
        return (await mailbox.list_messages(SENT, ListQuery(_NEWEST))).items
    except NotFound:
        return ()


def _likeness(row: MessageSummary) -> tuple[object, ...]:
    return row.sent_at, row.subject, frozenset(address.email.lower() for address in row.to)


async def _move(mailbox: Backend, draft: str) -> Filed:
    """A server with neither MOVE nor UIDPLUS copies it, and the draft stays, marked as deleted."""

    async def to(folder: str) -> Filed:
        try:
            return Filed(_new_id(await mailbox.move_messages([draft], folder)))
        except NotSupported:
            copy = _new_id(await mailbox.copy_messages([draft], folder))
            return Filed(copy, await remove(mailbox, draft))

    return await within(mailbox, SENT, to)


def _new_id(outcomes: Sequence[Outcome]) -> str | None:
    [outcome] = outcomes
    if outcome.error is not None:
        raise outcome.error
    return outcome.new_id
