"""Access to one selection that a test holds, in place of a pool."""

from contextlib import AbstractAsyncContextManager, nullcontext

from service.adapters.imap.ids import Ids
from service.adapters.imap.session.access import Access
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.pool import Lane, Pool
from service.adapters.imap.session.selection import Selection


class Held(Access):
    """Always the same selection, whoever asks."""

    def __init__(self, selection: Selection, ids: Ids) -> None:
        super().__init__(Pool(_never), ids)
        self._selection = selection

    def within(self, folder: bytes, lane: Lane = Lane.INTERACTIVE) -> AbstractAsyncContextManager[Selection]:
        return nullcontext(self._selection)


async def _never() -> Connection:
    raise AssertionError("a test that holds a selection opens no connection")
