"""The port on IMAP."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from service.accounts import Credentials
from service.adapters.imap import listing
from service.adapters.imap.arguments import flag_list
from service.adapters.imap.connection import Connection
from service.adapters.imap.content import Content
from service.adapters.imap.deletion import delete
from service.adapters.imap.flags import from_wire, to_wire
from service.adapters.imap.folders import Folders
from service.adapters.imap.framing import Limits
from service.adapters.imap.places import Ids, Place
from service.adapters.imap.pool import Pool
from service.adapters.imap.protocol import Timing
from service.adapters.imap.responses import fetch_rows
from service.mail.backend import Backend
from service.mail.errors import MailError, NotFound, StaleId, UpstreamUnavailable
from service.mail.model import Capability, Download, Folder, Header, HtmlForm, Message, Outcome, Page, Protocol, Span
from service.mail.query import ListQuery
from service.servers import Endpoint

T = TypeVar("T")


class ImapBackend(Backend):
    """One mailbox by IMAP. No connection is opened before the first call."""

    protocol = Protocol.IMAP
    capabilities = frozenset({Capability.FLAGS, Capability.SEARCH})

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: Credentials,
        account: str | None = None,
        *,
        connections: int = 4,
        timing: Timing | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.account = account or credentials.account
        self._ids = Ids(self.account)
        self._pool = Pool(lambda: Connection.open(endpoint, credentials, timing, limits), connections)
        self._folders = Folders(self._ids, self._anywhere)
        self._content = Content(self._ids, self._at)

    async def check(self) -> None:
        async with self._pool.connection():
            pass

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def list_folders(self) -> tuple[Folder, ...]:
        return await self._folders.list()

    async def list_messages(self, folder: str, query: ListQuery) -> Page:
        name = await self._folders.name(folder)
        return await self._in(name, lambda connection: listing.list_page(connection, self._ids, query))

    async def get_message(self, message: str, html: HtmlForm = HtmlForm.SAFE) -> Message:
        return await self._content.message(self._ids.place(message), html)

    async def list_headers(self, message: str, names: Sequence[str] = ()) -> tuple[Header, ...]:
        return await self._content.headers(self._ids.place(message), names)

    async def open_part(self, message: str, part: str, *, encoded: bool = False, span: Span | None = None) -> Download:
        return await self._content.part(self._ids.place(message), part, encoded=encoded, span=span)

    async def open_source(self, message: str, *, span: Span | None = None) -> Download:
        return await self._content.source(self._ids.place(message), span)

    async def get_flags(self, message: str) -> tuple[str, ...]:
        place = self._ids.place(message)
        return await self._at(place, lambda connection: _flags(connection, place, b"FETCH", b"(UID FLAGS)"))

    async def set_flags(self, message: str, flags: Sequence[str]) -> tuple[str, ...]:
        return await self._store(message, b"FLAGS", flags)

    async def change_flags(self, message: str, add: Sequence[str], remove: Sequence[str]) -> tuple[str, ...]:
        if not add and not remove:
            return await self.get_flags(message)
        flags: tuple[str, ...] = ()
        for change, names in ((b"+FLAGS", add), (b"-FLAGS", remove)):
            if names:
                flags = await self._store(message, change, names)
        return flags

    async def _store(self, message: str, change: bytes, flags: Sequence[str]) -> tuple[str, ...]:
        place = self._ids.place(message)
        words = flag_list(map(to_wire, flags))
        return await self._at(place, lambda connection: _flags(connection, place, b"STORE", change, words))

    async def delete_messages(self, messages: Sequence[str]) -> tuple[Outcome, ...]:
        outcomes: dict[str, Outcome] = {}
        by_folder: dict[tuple[bytes, int], dict[int, str]] = {}
        for message in messages:
            try:
                place = self._ids.place(message)
            except MailError as error:
                outcomes[message] = Outcome(message, error)
            else:
                by_folder.setdefault((place.folder, place.uid_validity), {})[place.uid] = message
        for (folder, validity), ids in by_folder.items():
            outcomes.update(await self._delete_in(folder, validity, ids))
        return tuple(outcomes[message] for message in messages)

    async def _delete_in(self, folder: bytes, validity: int, ids: dict[int, str]) -> dict[str, Outcome]:
        """Not tried again where the connection is lost: whether it was done is not known then, and is said so."""
        try:
            async with self._pool.selected(folder) as connection:
                _refuse_stale(connection, validity)
                errors = await delete(connection, ids)
        except MailError as error:
            return {message: Outcome(message, error) for message in ids.values()}
        return {message: Outcome(message, errors.get(uid)) for uid, message in ids.items()}

    async def _at(self, place: Place, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Work where a message is; StaleId where its folder was renumbered since."""

        async def checked(connection: Connection) -> T:
            _refuse_stale(connection, place.uid_validity)
            return await work(connection)

        try:
            return await self._in(place.folder, checked)
        except NotFound as error:
            raise (NotFound("message") if error.what == "folder" else error) from None

    async def _in(self, folder: bytes, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Work that may be done twice: a connection that died unnoticed is replaced once."""
        try:
            async with self._pool.selected(folder) as connection:
                return await work(connection)
        except UpstreamUnavailable:
            async with self._pool.selected(folder) as connection:
                return await work(connection)

    async def _anywhere(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """As ``_in``, for work that needs no folder."""
        try:
            async with self._pool.connection() as connection:
                return await work(connection)
        except UpstreamUnavailable:
            async with self._pool.connection() as connection:
                return await work(connection)


def _refuse_stale(connection: Connection, uid_validity: int) -> None:
    if connection.selected is None or connection.selected.uid_validity != uid_validity:
        raise StaleId


async def _flags(connection: Connection, place: Place, verb: bytes, *arguments: bytes) -> tuple[str, ...]:
    """The flags that a FETCH or STORE answers for the message; asked for where the server left them out."""
    answer = await connection.run(b"UID", verb, b"%d" % place.uid, *arguments)
    row = fetch_rows(answer.untagged).get(place.uid)
    if row is not None and b"FLAGS" in row:
        return from_wire(row[b"FLAGS"])
    if verb == b"FETCH":
        raise NotFound("message")
    return await _flags(connection, place, b"FETCH", b"(UID FLAGS)")
