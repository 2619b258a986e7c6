"""The fetches of one account, in the store."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from service.accounts.credentials import Credentials, SecretKind
from service.fetches.content import Mark, now, read_fetch, read_mark, write_fetch, write_mark
from service.fetches.looking import first_mark
from service.fetches.model import MOST, Fetch, Plan, State
from service.fetches.tools import Tools
from service.mail.backend import Backend
from service.mail.errors import InvalidRequest
from service.standing.credentials import write_credentials
from service.store.fetches import FetchRow, Login, Made

_TOO_MANY = f"This account has {MOST} fetches, the most possible. Delete one that is no longer used."
_ENDS = "An access token ends soon, and cannot be renewed. Send a password, a refresh token, or a code."


class StoreDesk:
    """See ``model.Desk``."""

    def __init__(self, tools: Tools, credentials: Credentials) -> None:
        self._tools, self._credentials = tools, credentials

    async def all(self) -> Sequence[Fetch]:
        rows = await self._tools.store.fetches.all(self._credentials.account)
        return sorted([await _fetch(row) for row in rows], key=lambda fetch: (fetch.created_at, fetch.id))

    async def keep(self, source: Credentials, mailbox: Backend, plan: Plan) -> Fetch:
        for credentials, location in ((source, "body.from"), (self._credentials, None)):
            if credentials.kind is SecretKind.ACCESS_TOKEN:
                raise InvalidRequest(_ENDS, location=location)
        first = write_mark(await first_mark(mailbox, plan))
        row = await self._tools.store.fetches.keep(
            _login(source, write_credentials(source)),
            MOST,
            lambda each: read_fetch(each.content).origin.account == source.account,
            partial(self._made, source, plan, first),
        )
        if row is None:
            raise InvalidRequest(_TOO_MANY, location="body.from")
        self._tools.due.set()
        return await _fetch(row)

    def _made(self, source: Credentials, plan: Plan, first: bytes, known: FetchRow | None) -> Made:
        """One that is replaced keeps its place, unless older mail is requested now. Whether both mailboxes are the same
        one is seen by the folders, which may be others now."""
        created_at, mark = now(), first
        if known is not None:
            before = read_fetch(known.content)
            kept = read_mark(known.mark)
            if plan.since not in (None, before.plan.since):
                kept = Mark(kept.record)
            created_at, mark = before.created_at, write_mark(replace(kept, is_distinct=False))
        return Made(_login(self._credentials, write_fetch(self._credentials, source, plan, created_at)), mark)

    async def remove(self, id: str) -> bool:  # noqa: A002 - as in the protocol
        return await self._tools.store.fetches.remove(self._credentials.account, id)


def _login(credentials: Credentials, content: bytes) -> Login:
    session = credentials.secret if credentials.kind is SecretKind.GRANT else None
    return Login(credentials.account, content, session)


async def _fetch(row: FetchRow) -> Fetch:
    written = read_fetch(row.content)
    mark = await asyncio.to_thread(read_mark, row.mark)
    state = State.STOPPED if row.is_stopped else State.RUNNING if row.is_running else State.WAITING
    due = now() + timedelta(seconds=max(0, round(row.due_in)))
    return Fetch(
        row.id,
        written.origin.server,
        written.origin.protocol,
        written.origin.username,
        written.plan,
        written.created_at,
        state,
        mark.record,
        due if state is State.WAITING else None,
    )
