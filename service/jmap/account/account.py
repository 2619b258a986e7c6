"""What the method calls of one request share: the mailbox, its folders and state as of now, the records created so
far."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from fastapi import Request

from service.accounts.credentials import Credentials
from service.jmap.account.uploads import Uploads, is_uploads
from service.jmap.core.arguments import Arguments
from service.jmap.core.dispatch import Also
from service.jmap.core.errors import MethodError
from service.jmap.core.limits import MAX_OPENED, MAX_PARSED, MAX_RESPONSE
from service.jmap.core.request import Call
from service.jmap.core.turns import Budget
from service.jmap.host import Host
from service.jmap.index import AccountIndex
from service.mail.backend import Backend
from service.mail.errors import NotFound, NotSupported, StaleToken
from service.mail.model import Folder, Page
from service.mail.search.filter import ListQuery
from service.mail.submission.model import Identity
from service.submission.outbox import Outbox

EXTRAS = frozenset({"preview", "threadId"})
"""Properties of rows that are read only on request."""
_COUNTS = b"counts "
"""Begins the state of a mailbox that has no tokens: it only shows that the numbers of messages changed."""


class Account:
    """The signed-in account. ``created`` maps creation ids to ids, as the request and its calls made them."""

    def __init__(
        self, host: Host, request: Request, credentials: Credentials, backend: Backend, created: Mapping[str, str]
    ) -> None:
        self.host, self.backend = host, backend
        self.created = dict(created)
        self.also: list[Also] = []
        self.index: AccountIndex = host.index.of(backend)
        self.uploads = Uploads(backend, host.limits.max_upload)
        self.rows: dict[str, dict[str, Any]] = {}
        """Rows of messages that this request has read, to be used again by its next call. They have ``extras``."""
        self.extras: frozenset[str] = frozenset()
        self._request, self._credentials = request, credentials
        self._folders: dict[str, Folder] | None = None
        self._token: bytes | None = None
        self.response = Budget(MAX_RESPONSE, "The response would have")
        self.fields = Budget(MAX_PARSED, "The header fields to be read, once for each form, have")
        self.sources = Budget(MAX_OPENED, "The messages and blobs to be read have")

    def expect(self, calls: Iterable[Call]) -> None:
        """Look which of the properties that cost more are asked for by calls to come, so that rows are read once."""
        asked = {
            name
            for call in calls
            if call.name == "Email/get" and isinstance(names := call.arguments.get("properties"), list)
            for name in names
            if isinstance(name, str)
        }
        self.extras = frozenset(asked) & EXTRAS

    @property
    def id(self) -> str:
        return self.backend.account

    async def count(self) -> None:
        """Count a method call. Raises TooManyRequests."""
        await self.host.count(self._credentials)

    @property
    def username(self) -> str:
        return self._credentials.username

    async def identities(self) -> Sequence[Identity]:
        """The addresses that the user sends from, the default one first, as of the last minute."""
        return await self.host.identities(self._request, self._credentials, self.backend)

    def forget_identities(self) -> None:
        """They were just changed."""
        self.host.forget_identities(self.id)

    def sending(self) -> Outbox:
        """Raises NotSupported if the account cannot send."""
        return self.host.sending(self._request, self._credentials, self.backend)

    def require(self, arguments: Arguments) -> None:
        """Raises accountNotFound for any other account."""
        if arguments.required_text("accountId") != self.id:
            raise MethodError("accountNotFound")

    def resolve(self, record: str) -> str:
        """The id of a record that a creation id with # may stand for."""
        return self.created.get(record[1:], record) if record.startswith("#") else record

    async def folders(self) -> dict[str, Folder]:
        """The folders by Mailbox id, without our own. One or two round trips for a request, and after it has changed
        something."""
        if self._folders is None:
            await self.token()
            ids = await self.index.mailboxes()
            listed = await self.backend.list_folders()
            self._folders = {ids.get(folder.id, folder.id): folder for folder in listed if not is_uploads(folder)}
        return self._folders

    async def mailbox_id(self, folder: str) -> str:
        """The Mailbox id of a folder."""
        return (await self.index.mailboxes()).get(folder, folder)

    async def folder_id(self, mailbox: str) -> str:
        """The folder's id. Raises NotFound("folder")."""
        known = next((folder for folder, each in (await self.index.mailboxes()).items() if each == mailbox), None)
        if known is not None:
            return known
        listed = (await self.folders()).get(mailbox)
        if listed is None:
            raise NotFound("folder")
        return listed.id

    async def state(self) -> str:
        """The state of all Emails and Threads."""
        token = await self.token()
        return self.host.states.sign(self.id, token)

    async def token(self) -> bytes:
        """The present sync token. What changed since the last request is known afterwards."""
        if self._token is None:
            try:
                self._token = await self.index.follow()
            except NotSupported:
                self._token = await self._counted()
        return self._token

    async def page(self, folder: str, query: ListQuery) -> Page:
        """A page of a folder; without a round trip if it was read before, and nothing has changed since."""
        token = await self.token()
        kept = self.host.pages.at(token, self.id, folder, query)
        if kept is not None:
            return kept
        page = await self.backend.list_messages(folder, query)
        if query.filter is None and self.backend.is_shown_at(token, folder, page):
            self.host.pages.keep(token, self.id, folder, query, page)
        return page

    def open_state(self, state: str) -> bytes:
        """The sync token of a state. Raises StaleToken for anything else."""
        token = self.host.states.open(self.id, state)
        if token.startswith(_COUNTS):
            raise StaleToken("This mailbox cannot tell what changed.")
        return token

    async def require_state(self, expected: str | None, present: str) -> None:
        """Raises stateMismatch if the client expects another state."""
        if expected is not None and expected != present:
            raise MethodError("stateMismatch")

    def has_changed(self) -> None:
        """This request has written: what was read before may no longer hold."""
        self._folders = self._token = None
        self.rows.clear()

    async def _counted(self) -> bytes:
        folders = await self.backend.list_folders()
        counts = [(each.id, each.total_messages, each.unread_messages) for each in folders]
        return _COUNTS + blake2b(repr(counts).encode(), digest_size=16).digest()
