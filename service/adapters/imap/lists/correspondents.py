"""The people that messages are from or to: authors by the rows that lists have shown, all others by ENVELOPE."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from pydantic_core import from_json

from service.adapters.imap.messages.cache import CachedMessage, MessageCache
from service.adapters.imap.messages.envelope import addresses, envelope_of
from service.adapters.imap.messages.folder_messages import FolderMessages
from service.adapters.imap.search.evaluation import Evaluation
from service.adapters.imap.session.access import Access, again
from service.adapters.imap.session.fetch import fetch
from service.adapters.imap.session.selection import Selection
from service.adapters.imap.wire.pace import ascending, paced
from service.adapters.imap.wire.responses import FetchResponse, found_uids, wire_octets
from service.adapters.imap.wire.values.dates import read_date_time
from service.adapters.shared.threads import LARGE, in_thread
from service.mail.exchange import Correspondence
from service.mail.model import Address
from service.mail.search.filter import ListQuery

_ITEMS = b"ENVELOPE INTERNALDATE"
_BATCH = 500


class Correspondents:
    """The correspondents of single folders."""

    def __init__(self, access: Access, cache: MessageCache) -> None:
        self.access = access
        self._cache = cache

    @again
    async def read(self, folder: bytes, query: ListQuery, recipients: bool) -> list[Correspondence]:
        """See the port. Three round trips; two if lists have shown all of them. Nothing is found if the server
        cannot search for it alone: to read thousands of messages would take too long while an address is typed."""
        async with self.access.within(folder) as selection:
            await selection.refresh()
            messages = FolderMessages(self._cache, self.access.ids, selection)
            uids = await _uids(messages, query)
            known = {} if recipients else {uid: row for uid in uids if (row := messages.known(uid)) is not None}
            found = {uid: _of_row(messages.id(uid), row) async for uid, row in paced(known.items())}
            missing = [uid for uid in uids if uid not in known]
            for at in range(0, len(missing), _BATCH):
                rows = await fetch(selection, missing[at : at + _BATCH], _ITEMS)
                found |= await _read(messages, rows, recipients)
            return [found[uid] for uid in uids if uid in found]


async def _uids(messages: FolderMessages, query: ListQuery) -> Sequence[int]:
    """The newest first."""
    if query.filter is None:
        return await _newest(messages.selection, query.limit)
    evaluation = Evaluation(messages)
    if not evaluation.is_remote(query.filter):
        return ()
    return (await ascending(await evaluation.find(query.filter)))[: -query.limit - 1 : -1]


async def _newest(selection: Selection, limit: int) -> Sequence[int]:
    if not selection.exists:
        return ()
    first = max(1, selection.exists - limit + 1)
    answer = await selection.connection.run([b"UID", b"SEARCH", b"%d:*" % first])
    return (await found_uids(answer.untagged, selection.exists))[: -limit - 1 : -1]


async def _read(
    messages: FolderMessages, rows: dict[int, FetchResponse], recipients: bool
) -> dict[int, Correspondence]:
    """A large response is read by a thread."""
    large = {uid: octets for uid, row in rows.items() if (octets := wire_octets(row)) > LARGE}
    usual = ((uid, row) for uid, row in rows.items() if uid not in large)
    found = {uid: _of_response(messages.id(uid), row, recipients) async for uid, row in paced(usual)}
    for uid, octets in large.items():
        found[uid] = await in_thread(partial(_of_response, messages.id(uid), rows[uid], recipients), octets)
    return found


def _of_response(message: str, row: FetchResponse, recipients: bool) -> Correspondence:
    _, _, from_, _, _, to, cc, bcc, *_ = envelope_of(row)
    people = (*addresses(to), *addresses(cc), *addresses(bcc)) if recipients else addresses(from_)
    return Correspondence(message, read_date_time(row.get(b"INTERNALDATE")), people)


def _of_row(message: str, cached: CachedMessage) -> Correspondence:
    """The authors, by the JSON of the row: it was validated when it was made."""
    row = from_json(cached.row)
    at = row.get("receivedAt")
    authors = tuple(Address.model_construct(name=each.get("name"), email=each["email"]) for each in row["from"])
    return Correspondence(message, datetime.fromisoformat(at) if at else None, authors)
