"""The messages of a selected folder as list rows: from the cache, or fetched in as few round trips as possible."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

from service.adapters.imap.ids import Ids
from service.adapters.imap.messages.cache import CachedMessage, Details, MessageCache, details_json
from service.adapters.imap.messages.doubts import is_doubtful
from service.adapters.imap.messages.envelope import (
    envelope_of,
    envelope_values,
    read_summary,
    structure_of,
)
from service.adapters.imap.messages.items import (
    GMAIL,
    PLAIN,
    WITH_LABELS,
    Items,
    gmail_email,
    gmail_thread,
    items_of,
)
from service.adapters.imap.messages.known_flags import FlagsRead, KnownFlags
from service.adapters.imap.messages.repair import MAX_TEMPORARY, Repair, is_about_content, is_temporary
from service.adapters.imap.messages.usual.rows import read_usual
from service.adapters.imap.session.selection import Selection
from service.adapters.imap.wire.arguments import uid_set
from service.adapters.imap.wire.pace import paced
from service.adapters.imap.wire.responses import LABELS, UNREADABLE, FetchResponse, fetch_rows, wire_octets
from service.adapters.imap.wire.status import error_from
from service.adapters.imap.wire.usual import USUAL, described
from service.adapters.imap.wire.values.dates import read_date_time
from service.adapters.imap.wire.values.flags import json_from_wire
from service.adapters.imap.wire.values.labels import labels_json
from service.adapters.shared.threads import LARGE, in_thread
from service.mail.errors import UpstreamFailure
from service.mail.json_rows import row_json, with_member
from service.mail.model import MessageSummary
from service.mail.numbers import read_number
from service.telemetry import metrics

_SUMMARY = frozenset({b"ENVELOPE", b"RFC822.SIZE"})
_BATCH = 500
_DATES_BATCH = 5000


Responses = Mapping[int, FetchResponse]
JsonOf = dict[int, bytes]
"""List rows by UID, as they are sent."""
_NONE: Mapping[int, str] = {}


def _is_whole(row: FetchResponse) -> bool:
    """Whether the response describes a message. For one that another session removed just now, Dovecot reports a size
    of 0, the year 1970 and NIL for all else."""
    if USUAL in row:
        return True
    envelope = row.get(b"ENVELOPE")
    is_gone = (
        row.get(b"RFC822.SIZE") == b"0"
        and row.get(b"INTERNALDATE") == b"01-Jan-1970 00:00:00 +0000"
        and isinstance(envelope, list)
        and not any(envelope)
    )
    return not is_gone and UNREADABLE not in row and not _SUMMARY.isdisjoint(row)


def read_row(row: FetchResponse, message_id: str, folder_id: str) -> CachedMessage:
    """What is cached of a response. A structure that is in doubt is left out: the message is read from its source
    then."""
    thread_id, email_id = gmail_thread(row), gmail_email(row)
    if (usual := described(row)) is not None:
        json, in_doubt = read_usual(row, usual, message_id, folder_id)
        return CachedMessage(json, usual.written, thread_id=thread_id, email_id=email_id, is_in_doubt=in_doubt)
    structure, in_doubt = structure_of(row), is_doubtful(row)
    summary = read_summary(row, message_id, folder_id, structure, in_doubt=in_doubt)
    details = Details(structure=None if in_doubt else structure, **envelope_values(envelope_of(row)))
    return CachedMessage(row_json(summary), details_json(details), thread_id=thread_id, email_id=email_id)


def _requests(items: Items, unknown: Sequence[int], known: Collection[int] = ()) -> list[list[bytes]]:
    changing = [[b"UID", b"FETCH", uid_set(known), items.changing]] if known else []
    return [*changing, [b"UID", b"FETCH", uid_set(unknown), items.row]] if unknown else changing


def _with_labels(row: bytes, response: FetchResponse) -> bytes:
    return with_member(row, b"labels", labels_json(response[LABELS])) if LABELS in response else row


class Arrival(NamedTuple):
    """What a search over several folders needs of a match."""

    received_at: datetime | None
    email_id: int | None = None

    @classmethod
    def of(cls, message: CachedMessage) -> "Arrival":
        """Reads the date from the row."""
        return cls(message.summary.received_at, message.email_id)


class FolderMessages:
    """The messages of the selected folder: cached, or fetched and cached."""

    def __init__(self, cache: MessageCache, ids: Ids, selection: Selection) -> None:
        self.selection = selection
        self.connection = selection.connection
        self.name = selection.name
        self.uid_validity = selection.uid_validity
        self._ids = ids
        self._cache = cache
        self._key = (ids.account, self.name, self.uid_validity)
        self.folder_id = ids.folder(self.name)
        self.items = items_of(self.connection)
        self.as_of = selection.last_change if self.items is PLAIN else 0
        """A change that was known before anything is read here; 0 if labels change without a number, or changes have
        none."""

    def is_unread(self, below: int) -> bool:
        """Whether no message below this UID is cached."""
        return below <= self._cache.folder(self._key).lowest

    def page_end(self, limit: int, below: int) -> int | None:
        """The lowest UID of the page below a UID when it was last shown, if that is remembered."""
        return self._cache.folder(self._key).pages.get((limit, below))

    def keep_page(self, limit: int, below: int, lowest: int) -> None:
        """Remember the lowest UID of a page."""
        self._cache.keep_page(self._key, limit, below, lowest)

    @property
    def _known(self) -> Mapping[int, CachedMessage]:
        """What is cached at this moment. Each read of this property counts as use: read it once before many look-ups,
        and again after an await."""
        return self._cache.folder(self._key).messages

    def id(self, uid: int) -> str:
        """The message's id."""
        return self._ids.message(self.name, self.uid_validity, uid)

    async def summaries(self, uids: Sequence[int]) -> JsonOf:
        """The rows of those messages that exist, in the order of ``uids``. One round trip: the flags of all, and
        everything of those that are not cached."""
        kept = self._known
        known = {uid: kept[uid] for uid in uids if uid in kept}
        unknown = [uid for uid in uids if uid not in known]
        metrics.rows("imap", len(known), len(unknown))
        if not uids:
            return {}
        responses, repair = await self._fetch(unknown, known)
        return self.read(uids, responses, known | await self._complete(responses, unknown, repair))

    async def _fetch(self, unknown: Sequence[int], known: Collection[int] = ()) -> tuple[Responses, Repair]:
        """The flags of all these messages, and everything of the unknown ones. One round trip, unless the server
        refuses: then those of ``Repair``."""
        repair = Repair(self.selection)
        try:
            answer = await self.connection.run(*_requests(self.items, unknown, known))
            return await fetch_rows(answer.untagged, as_usual=True), repair
        except UpstreamFailure as error:
            if not is_about_content(error) or not self.connection.is_open:
                raise
            refusal = error
        if await self.has_false_labels():
            return await self._fetch(unknown, known)
        if is_temporary(refusal):
            repair = Repair(self.selection, MAX_TEMPORARY)
        described = await repair.describe(unknown)
        if is_temporary(refusal) and not described and not known and len(unknown) > 1:
            raise refusal
        flags = await repair.flags([*known, *unknown])
        return {uid: {**row, **described.get(uid, {})} for uid, row in flags.items()}, repair

    async def has_false_labels(self) -> bool:
        """Whether the server announces Gmail's items and cannot read them: they are not used from then on. Asked after
        a refusal that may have been about something else. One round trip; none if they were not used."""
        if self.items is PLAIN:
            return False
        [answer] = await self.connection.attempt([b"FETCH", b"1", WITH_LABELS.changing])
        is_false = answer.status.kind == "BAD" and is_about_content(error_from(answer.status))
        if is_false:
            self.connection.disable(GMAIL)
            self.items = PLAIN
        return is_false

    async def _complete(self, responses: Responses, uids: Iterable[int], repair: Repair) -> dict[int, CachedMessage]:
        """These messages, as far as they exist: from the responses, else from their headers, else bare."""
        cached = await self._read_responses(responses, uids)
        unreadable = {uid for uid in uids if UNREADABLE in responses.get(uid, {})}
        for uid in sorted((repair.refused | repair.left_out | unreadable) & responses.keys() - cached.keys()):
            summary = await repair.summary(uid, self.id(uid), self.folder_id)
            if summary is None and uid in repair.left_out:
                continue
            if summary is None:  # the server may do better next time, so this is not kept
                size = read_number(responses[uid].get(b"RFC822.SIZE"))
                bare = MessageSummary(id=self.id(uid), folder_id=self.folder_id, size=size)
                cached[uid] = CachedMessage(row_json(bare), b"{}")
            else:
                cached[uid] = CachedMessage(row_json(summary), b"{}")
                self._cache.keep(self._key, {uid: cached[uid]})
        return cached

    def read(
        self, uids: Iterable[int], responses: Mapping[int, FetchResponse], cached: Mapping[int, CachedMessage]
    ) -> JsonOf:
        """The rows of these messages with the flags and labels of the responses, in the order of ``uids``."""
        flags = {
            uid: json_from_wire(responses[uid].get(b"FLAGS")) for uid in uids if uid in responses and uid in cached
        }
        if flags and self.as_of:
            self._cache.note_flags(self._key, FlagsRead(self.as_of, flags))
        rows = {uid: with_member(cached[uid].row, b"flags", value) for uid, value in flags.items()}
        return rows if self.items is PLAIN else {uid: _with_labels(row, responses[uid]) for uid, row in rows.items()}

    @property
    def known_flags(self) -> KnownFlags:
        """The flags that were read lately. They may have changed since."""
        return self._cache.folder(self._key).flags

    def confirm_flags(self, earlier: KnownFlags, read: FlagsRead) -> None:
        """Keep what was read instead of what was known earlier."""
        self._cache.confirm_flags(self._key, earlier, read)

    def known_rows(self, uids: Sequence[int], flags: Mapping[int, bytes]) -> JsonOf | None:
        """The rows of these messages with these flags, in the order of ``uids``; None if one is not cached."""
        kept = self._known
        if any(uid not in kept for uid in uids):
            return None
        metrics.rows("imap", len(uids), 0)
        return {uid: with_member(kept[uid].row, b"flags", flags[uid]) for uid in uids}

    async def get(
        self, uids: Iterable[int], responses: Mapping[int, FetchResponse] | None = None
    ) -> dict[int, CachedMessage]:
        """The cached messages of those that exist. One round trip for each 500 that are neither cached nor in
        ``responses``."""
        kept = self._known
        found = {uid: kept[uid] for uid in uids if uid in kept}
        known = len(found)
        found |= await self._read_responses(responses or {}, [uid for uid in uids if uid not in found])
        missing = [uid for uid in uids if uid not in found]
        for at in range(0, len(missing), _BATCH):
            batch = missing[at : at + _BATCH]
            fetched, repair = await self._fetch(batch)
            left_out = {uid: row for uid in batch if uid not in fetched and (row := (responses or {}).get(uid))}
            repair.left_out.update(left_out)
            found |= await self._complete({**left_out, **fetched}, batch, repair)
        metrics.rows("imap", known, len(found) - known)
        return found

    async def arrivals(self, uids: Sequence[int]) -> dict[int, Arrival]:
        """When each of those messages that exist was received. Cached messages may have been removed meanwhile."""
        kept = self._known
        arrivals = {uid: Arrival.of(kept[uid]) async for uid in paced(uid for uid in uids if uid in kept)}
        missing = [uid for uid in uids if uid not in arrivals]
        for at in range(0, len(missing), _DATES_BATCH):
            batch = uid_set(missing[at : at + _DATES_BATCH])
            answer = await self.connection.run([b"UID", b"FETCH", batch, self.items.arrival])
            responses = (await fetch_rows(answer.untagged)).items()
            arrivals |= {
                uid: Arrival(read_date_time(row[b"INTERNALDATE"]), gmail_email(row))
                for uid, row in responses
                if b"INTERNALDATE" in row
            }
        return arrivals

    async def _read_responses(
        self, responses: Mapping[int, FetchResponse], uids: Iterable[int]
    ) -> dict[int, CachedMessage]:
        """Skips responses to no request: news of flags that other clients changed comes in the same answer."""
        return await self.learn({uid: responses[uid] for uid in uids if uid in responses and _is_whole(responses[uid])})

    def known(self, uid: int) -> CachedMessage | None:
        """The cached message, if there is one. The message may be gone meanwhile."""
        return self._known.get(uid)

    async def learn(self, responses: Responses) -> dict[int, CachedMessage]:
        """Makes cached messages of responses; those of complete responses are kept. A large response is read by a
        thread."""
        large = {uid: octets for uid, row in responses.items() if (octets := wire_octets(row)) > LARGE}
        usual = ((uid, row) for uid, row in responses.items() if uid not in large)
        cached = {uid: read_row(row, self.id(uid), self.folder_id) async for uid, row in paced(usual)}
        for uid, octets in large.items():
            cached[uid] = await in_thread(partial(read_row, responses[uid], self.id(uid), self.folder_id), octets)
        kept = self._known
        new = {uid: cached[uid] for uid, row in responses.items() if uid not in kept and _is_complete(row)}
        if new:
            self._cache.keep(self._key, new)
        return cached

    def extend(
        self,
        cached: Mapping[int, CachedMessage],
        *,
        previews: Mapping[int, str] = _NONE,
        threads: Mapping[int, str] = _NONE,
    ) -> dict[int, CachedMessage]:
        """Returns these messages with previews and thread ids added, and keeps those that are still cached."""
        kept = self._known
        more = {uid: _extended(kept[uid], previews.get(uid), threads.get(uid)) for uid in cached if uid in kept}
        if more:
            self._cache.keep(self._key, more)
        return {uid: _extended(message, previews.get(uid), threads.get(uid)) for uid, message in cached.items()}


def _is_complete(row: FetchResponse) -> bool:
    return USUAL in row or (b"ENVELOPE" in row and b"BODYSTRUCTURE" in row)


def _extended(message: CachedMessage, preview: str | None, thread_id: str | None) -> CachedMessage:
    return replace(
        message,
        preview=message.preview if preview is None else preview,
        thread_id=message.thread_id if thread_id is None else thread_id,
    )
