"""A mailbox over POP3: one folder, whose messages are listed, read and deleted. All else is not supported."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from hashlib import blake2s

from cachetools import LRUCache

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint
from service.adapters.pop3 import inventory
from service.adapters.pop3.changes import read_sync_token, write_sync_token
from service.adapters.pop3.cursor import read_cursor
from service.adapters.pop3.listing import Listing, hides_charset
from service.adapters.pop3.session.maildrop import header_of
from service.adapters.pop3.session.maildrop_queue import MaildropQueue
from service.adapters.pop3.session.session import HEADER_LIMIT, UNCONFIRMED, Session, require_ok
from service.adapters.pop3.source import Slice, Source, SourceCache
from service.adapters.pop3.wire.replies import PROTOCOL
from service.adapters.pop3.wire.timing import DEFAULT_TIMING, Timing
from service.adapters.shared.cache import RowCache
from service.adapters.shared.parsing import MAX_PARSED, parse_message
from service.adapters.shared.threads import in_thread
from service.mail.backend import Backend
from service.mail.changes import AccountChanges, Changes, FolderChanges
from service.mail.errors import MailError, NotFound, UpstreamError
from service.mail.exchange import Download, Outcome, Span
from service.mail.ids import account_tag, make_id, read_id
from service.mail.inventory import NEWEST, Item
from service.mail.mime.charset import is_foreign
from service.mail.mime.headers.fields import list_headers
from service.mail.mime.message import text_charset
from service.mail.model import Capability, Folder, Header, HtmlMode, Message, MessageSummary, Page, Protocol
from service.mail.search.filter import ListQuery

INBOX = "INBOX"
SOURCE_LIMIT = 1024 * 1024 * 1024
"""Octets of the largest message that is passed on. It lies in a temporary file meanwhile."""
UNSURE = 5_000
"""How many unconfirmed deletions are remembered."""
KEPT_ITEMS = 20_000
"""How many messages of an inventory are remembered: about 8 MB."""
CUTS = 4
"""On a server without TOP, how many logins a list may cost for headers of large messages."""


class Pop3Backend(Backend):
    """One maildrop. Requests take turns in it, but only while they talk to the server: what they fetch is spooled, so
    that a slow client does not delay the others."""

    protocol = Protocol.POP3
    capabilities = frozenset({Capability.CHANGES})
    not_supported_text = "POP3 has no {}: it lists, reads and deletes."

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: Credentials,
        account: str,
        timing: Timing = DEFAULT_TIMING,
        rows: RowCache | None = None,
    ) -> None:
        self.account = account
        self._tag = account_tag(account)
        self._inbox = make_id("f", self._tag, INBOX.encode())
        self._queue = MaildropQueue(endpoint, credentials, timing)
        self._listing = Listing(account, self._inbox, rows or RowCache(Protocol.POP3))
        self._sources = SourceCache(timing.keep)
        self._unsure: LRUCache[bytes, bool] = LRUCache(UNSURE)
        self._items: LRUCache[bytes, Item] = LRUCache(KEPT_ITEMS)

    async def list_folders(self) -> tuple[Folder, ...]:
        maildrop = await self._queue.run(Session.maildrop)
        inbox = Folder(
            id=self._inbox,
            name=INBOX,
            path=(INBOX,),
            role="inbox",
            total_messages=len(maildrop.sizes),
            is_subscribed=True,
            is_selectable=True,
        )
        return (inbox,)

    async def list_messages(self, folder: str, query: ListQuery) -> Page:
        self._require_inbox(folder)
        for asked, capability in (
            (query.filter, Capability.SEARCH),
            (query.sort, Capability.SORT),
            (query.with_thread, Capability.THREADS),
        ):
            if asked:
                raise self.not_supported(capability)
        cursor = None if query.cursor is None else read_cursor(query.cursor, self._tag)
        for last in (False,) * CUTS + (True,):
            page = await self._queue.run(partial(self._listing.page, cursor, query.limit, last=last))
            if page is not None:
                break
        assert page is not None
        return page

    async def get_sync_token(self, folder: str | None) -> bytes:
        if folder is not None:
            self._require_inbox(folder)
        return write_sync_token(await self._queue.run(Session.maildrop))

    async def list_changes(self, folder: str, since: bytes) -> Changes:
        self._require_inbox(folder)
        before = read_sync_token(since)
        maildrop = await self._queue.run(Session.maildrop)
        now = set(maildrop.uidls.values())
        created, destroyed = self._ids(now - before), self._ids(before - now)
        changes = FolderChanges(folder_id=self._inbox, created=created, destroyed=destroyed)
        return Changes(changes, write_sync_token(maildrop))

    async def list_all_changes(self, since: bytes) -> AccountChanges:
        inbox = await self.list_changes("inbox", since)
        return AccountChanges(inbox.token, [inbox.changes] if inbox.changes else [])

    def _ids(self, keys: Iterable[bytes]) -> tuple[str, ...]:
        return tuple(make_id("m", self._tag, key) for key in sorted(keys))

    async def get_messages(
        self, messages: Sequence[str], *, with_preview: bool = False, with_thread: bool = False
    ) -> tuple[MessageSummary, ...]:
        """Without previews, as in lists."""
        if with_thread:
            raise self.not_supported(Capability.THREADS)
        keys = self._keys(messages)
        rows = await self._queue.run(partial(self._listing.rows_at, tuple(keys.values()))) if keys else {}
        return tuple(rows[key] for key in keys.values() if key in rows)

    async def get_message(self, message: str, html: HtmlMode = HtmlMode.SAFE) -> Message:
        spool = (await self._source(message, MAX_PARSED)).spool
        return await parse_message(spool, id=message, folder_id=self._inbox, html=html)

    async def list_headers(self, message: str, names: Sequence[str] = ()) -> tuple[Header, ...]:
        key = self._key(message)
        source = self._sources.get(key)
        if source is not None:
            beginning = source.spool.read(0, HEADER_LIMIT)
            block = header_of(beginning)
        else:
            block, beginning = await self._queue.run(partial(_header, key))
        reading = partial(_list_headers, block, names, beginning)
        return await in_thread(reading, len(block) + (len(beginning) if is_foreign(block) else 0))

    async def list_ids(self, folder: str) -> Sequence[str]:
        self._require_inbox(folder)
        keys = await self._queue.run(inventory.list_keys)
        for key in keys[-NEWEST:]:
            self._items.pop(key, None)
        return [make_id("m", self._tag, key) for key in keys]

    async def get_items(self, messages: Sequence[str]) -> Sequence[Item]:
        keys = self._keys(messages)
        new = [key for key in dict.fromkeys(keys.values()) if key not in self._items]
        if new:
            for key, read in (await self._queue.run(partial(inventory.get_items, new))).items():
                self._items[key] = read._replace(id=make_id("m", self._tag, key))
        found = {message: self._items.get(key) for message, key in keys.items()}
        return [item for message in messages if (item := found.get(message))]

    async def read_sources(self, messages: Sequence[str]) -> dict[str, bytes]:
        keys = self._keys(messages)
        found = await self._queue.run(partial(inventory.read_sources, tuple(keys.values()))) if keys else {}
        return {message: found[key] for message, key in keys.items() if key in found}

    def _keys(self, messages: Sequence[str]) -> dict[str, bytes]:
        """By id, without what is not an id of this account."""
        keys: dict[str, bytes] = {}
        for message in messages:
            with suppress(NotFound):
                keys[message] = self._key(message)
        return keys

    async def open_part(self, message: str, part: str, *, encoded: bool = False, span: Span | None = None) -> Download:
        source = await self._source(message, MAX_PARSED)
        entity = await source.part(part)
        body = await source.body(entity, encoded=encoded)
        etag = _etag(message, part, "encoded" if encoded else "decoded")
        return _download(body, etag, entity.part.type, entity.part.name, span)

    async def open_source(self, message: str, *, span: Span | None = None) -> Download:
        """Byte for byte as the server sends it. POP3 adds a CRLF to a message that does not end with one."""
        spool = (await self._source(message, SOURCE_LIMIT)).spool
        return _download(Slice(spool, 0, spool.size), _etag(message), "message/rfc822", None, span)

    async def delete_messages(self, messages: Sequence[str]) -> tuple[Outcome, ...]:
        errors: dict[str, MailError] = {}
        keys: dict[str, bytes] = {}
        for message in messages:
            try:
                keys[message] = self._key(message)
            except NotFound as error:
                errors[message] = error
        if keys:
            errors |= await self._queue.run(partial(self._delete, keys))
        return tuple(Outcome(message, errors.get(message)) for message in messages)

    async def check(self) -> None:
        await self._queue.run(self._greet)

    async def aclose(self) -> None:
        self._sources.clear()
        await self._queue.aclose()

    def _require_inbox(self, folder: str) -> None:
        if folder not in ("inbox", self._inbox):
            raise NotFound("folder")

    def _key(self, message: str) -> bytes:
        return read_id("m", self._tag, message, "message")

    async def _greet(self, session: Session) -> None:
        """Nothing to send if the session was opened just now: it works."""
        self.warnings = await session.warnings()
        if session.reused:
            require_ok(await session.connection.ask("NOOP"))

    async def _source(self, message: str, limit: int) -> Source:
        key = self._key(message)
        source = self._sources.get(key)
        if source is not None:
            return source
        return await self._queue.run(partial(self._fetch, key, limit))

    async def _fetch(self, key: bytes, limit: int, session: Session) -> Source:
        source = self._sources.get(key)  # an earlier request may have fetched it meanwhile
        if source is None:
            number, *_ = await session.find(key)
            source = Source(await session.fetch(number, limit))
            self._sources.put(key, source)
        return source

    async def _delete(self, keys: dict[str, bytes], session: Session) -> dict[str, MailError]:
        """Returns which messages were not deleted, and why. Sends no command before every message is identified.

        If an unconfirmed deletion is requested again and the message is gone, it was deleted.
        """
        errors: dict[str, MailError] = {}
        numbers: dict[str, int] = {}
        for message, key in keys.items():
            try:
                numbers[message] = _only(await session.find(key))
            except NotFound as error:
                if not self._unsure.get(key):
                    errors[message] = error
            except UpstreamError as error:
                errors[message] = error
        if not numbers:
            return errors
        await session.confirm({number: keys[message] for message, number in numbers.items()})
        refused = await session.remove(numbers.values())
        for message, number in numbers.items():
            self._forget(keys[message], unsure=_is_unconfirmed(refused.get(number)))
        return errors | {message: refused[number] for message, number in numbers.items() if number in refused}

    def _forget(self, key: bytes, *, unsure: bool) -> None:
        self._sources.forget(key)
        self._listing.forget(key)
        if unsure:
            self._unsure[key] = True
        else:
            self._unsure.pop(key, None)


def _list_headers(block: bytes, names: Sequence[str], beginning: bytes) -> tuple[Header, ...]:
    return list_headers(block, names, text_charset(beginning) if is_foreign(block) else None)


async def _header(key: bytes, session: Session) -> tuple[bytes, bytes]:
    """The header, and the beginning of the message if that says in which charset text in the header is."""
    number, *_ = await session.find(key)
    block = (await session.blocks([number])).get(number) or await session.cut(number)
    if not block:
        raise UpstreamError("The mail server does not give this message's header.", protocol=PROTOCOL)
    beginning = (await session.beginnings([number])).get(number) if await hides_charset(block) else None
    return block, beginning or block


def _only(numbers: list[int]) -> int:
    """Raises UpstreamError if two messages have the same key: neither is deleted."""
    if len(numbers) > 1:
        detail = "The mail server cannot tell this message from another one. Nothing was deleted."
        raise UpstreamError(detail, protocol=PROTOCOL, code="ambiguousId")
    return numbers[0]


def _is_unconfirmed(error: MailError | None) -> bool:
    return isinstance(error, UpstreamError) and error.code == UNCONFIRMED


def _etag(*identity: str) -> str:
    """The octets behind an id never change."""
    return blake2s("\0".join(identity).encode(), digest_size=16).hexdigest()


def _download(body: Slice, etag: str, media_type: str, name: str | None, span: Span | None) -> Download:
    size = body.stop - body.start
    start, stop = span.within(size) if span is not None else (0, size)
    return Download(
        chunks=body.spool.chunks(body.start + start, body.start + stop),
        etag=etag,
        type=media_type,
        name=name,
        size=size,
        start=start,
        stop=stop,
    )
