"""The port: what the API asks of a mailbox, and what every adapter implements.

A few methods are abstract because every protocol has them. The others raise NotSupported by default, so an adapter has
no line about what it cannot do. Ids are opaque to all but the adapter that made them. All methods raise leaves of
``errors.MailError`` and nothing else. A cancelled method leaves no work behind.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from service.mail.changes import AccountChanges, Changes, Watch, WatchHealth
from service.mail.errors import (
    InUse,
    LoginRefused,
    MailError,
    NotFound,
    NotSupported,
    OverQuota,
    ServerBusy,
    TooManyRequests,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from service.mail.exchange import Correspondence, Download, FoundMessages, Outcome, PartRef, Source, Span
from service.mail.ids import read_thread_id
from service.mail.inventory import Appended, Item, NewMessage
from service.mail.model import (
    Capability,
    Flags,
    Folder,
    Grant,
    Header,
    HtmlMode,
    Message,
    MessageSummary,
    Page,
    Protocol,
    Quota,
)
from service.mail.search.filter import MAX_PAGE, Filter, ListQuery, Order, SortKey, names_thread

MAX_THREAD = 1000
MAX_ITEMS = 1000
_CONCERNS_ALL = (
    OverQuota, TooManyRequests, InUse, ServerBusy, UpstreamUnavailable, UpstreamTimeout, UpstreamProtocol, LoginRefused,
)  # fmt: skip
ROLES = ("inbox", "sent", "drafts", "trash", "junk", "archive", "all", "flagged")


class Backend(ABC):
    """One signed-in mailbox, shared by all requests of its account."""

    protocol: Protocol
    account: str
    """The account's id; see ``ids.account_id``."""
    capabilities: frozenset[Capability]
    """Learnt from the server at login."""
    warnings: tuple[str, ...] = ()
    """What a user of this mailbox should know about its server, such as ``ids-unstable``."""
    not_supported_text: ClassVar[str] = "This mailbox offers no {}."
    """The detail of a NotSupported error."""

    @abstractmethod
    async def list_folders(self) -> tuple[Folder, ...]:
        """Every folder with its counts. IMAP: one round trip with LIST-STATUS, else two. POP3: one."""

    async def get_folder(self, folder: str) -> Folder:
        """One folder by id or role. Raises NotFound("folder"). Costs as much as ``list_folders``."""
        for listed in await self.list_folders():
            if folder in {listed.id, listed.role}:
                return listed
        raise NotFound("folder")

    async def create_folder(self, name: str, parent: str | None = None) -> Folder:
        """A new folder, subscribed, at the root or in ``parent``. Raises AlreadyExists, and InvalidRequest if the
        server cannot have a folder of this name. Two round trips and those of ``list_folders``."""
        raise self.not_supported(Capability.FOLDERS)

    async def change_folder(
        self, folder: str, *, name: str | None = None, parent: str | None = None, is_subscribed: bool | None = None
    ) -> Folder:
        """Rename, move (with all its contents) or subscribe. An empty ``parent`` means the root; None leaves it. The
        ids of the folder and of its messages change with its name and parent."""
        raise self.not_supported(Capability.FOLDERS)

    async def delete_folder(self, folder: str) -> None:
        """Delete the folder and its messages. Raises AlreadyExists if it has subfolders."""
        raise self.not_supported(Capability.FOLDERS)

    async def list_grants(self, folder: str) -> tuple[Grant, ...]:
        """The rights that users have on the folder (RFC 4314, 3.3). One round trip."""
        raise self.not_supported(Capability.ACL)

    async def set_grant(self, folder: str, identifier: str, rights: str) -> Grant:
        """Give ``identifier`` exactly these rights; returns the rights that the server set. Two round trips."""
        raise self.not_supported(Capability.ACL)

    async def delete_grant(self, folder: str, identifier: str) -> None:
        """Take all rights from ``identifier``. One round trip."""
        raise self.not_supported(Capability.ACL)

    async def list_quotas(self) -> tuple[Quota, ...]:
        """The limits on this mailbox (RFC 9208, 4.3: of INBOX). One round trip."""
        raise self.not_supported(Capability.QUOTA)

    @abstractmethod
    async def list_messages(self, folder: str, query: ListQuery) -> Page:
        """A page, newest arrival first. ``folder`` is an id or a role. IMAP: two round trips on a warm connection
        (three with a filter). POP3: one login, then UIDL, LIST and the TOPs of the page, pipelined if the server can.

        Raises NotFound("folder"), StaleToken (the cursor is of a renumbered folder) and InvalidRequest (not a cursor of
        this list).
        """

    async def get_state(self, folder: str) -> str | None:
        """The ``Page.state`` that ``list_messages`` would have now; None if it cannot be learnt without the list. One
        round trip."""
        return None

    async def get_sync_token(self, folder: str | None) -> bytes:
        """A token for the present state of the folder (None: of the whole mailbox). IMAP: one or two round trips; three
        if the server does not report what vanished."""
        raise self.not_supported(Capability.CHANGES)

    def is_shown_at(self, token: bytes, folder: str, page: Page) -> bool:
        """Whether the folder's page stays as it is, flags included, for as long as the mailbox has this token, which
        is the last one that was read. False if that is not known."""
        return False

    async def list_changes(self, folder: str, since: bytes) -> Changes:
        """The changes of the folder's messages since a sync token of it. Raises StaleToken if they cannot be computed:
        the client lists the folder again. IMAP: one round trip if nothing changed and the server counts changes."""
        raise self.not_supported(Capability.CHANGES)

    async def list_all_changes(self, since: bytes) -> AccountChanges:
        """The changes in all folders since a sync token of the mailbox. A folder whose changes cannot be computed has
        ``resync``. IMAP: the round trips of ``list_folders``, and two for each folder that changed."""
        raise self.not_supported(Capability.CHANGES)

    def watch_health(self) -> WatchHealth | None:
        """The state of the watch; None while there are no listeners."""
        return None

    def watch(self) -> AbstractAsyncContextManager[Watch]:
        """Listens to the mailbox. All listeners share one connection."""
        raise self.not_supported(Capability.PUSH)

    async def search_messages(self, folders: Sequence[str] | None, query: ListQuery) -> Page:
        """A page over several folders (None: all), merged. Raises as ``list_messages``. A folder that cannot be
        searched is named in ``unsearched``."""
        raise self.not_supported(Capability.SEARCH)

    async def list_correspondents(
        self, folder: str, query: ListQuery, *, recipients: bool = False
    ) -> Sequence[Correspondence]:
        """The authors of the newest ``limit`` messages of the folder that match, or their recipients. ``limit``
        may be larger than that of a page. Raises as ``list_messages``. A mailbox may find fewer messages than match,
        if to find all takes long. IMAP: two or three round trips."""
        page = await self.list_messages(folder, replace(query, limit=min(query.limit, MAX_PAGE)))
        return [Correspondence(row.id, row.received_at, row.to if recipients else row.from_) for row in page.items]

    async def find_messages(self, folder: str, tree: Filter | None, limit: int) -> FoundMessages:
        """The ids of the messages of a folder that match (None: of all), newest first, at most ``limit``. IMAP: one
        round trip, unless something has to be read to decide."""
        raise self.not_supported(Capability.SEARCH)

    async def list_thread(self, thread: str) -> Page:
        """The messages of a conversation in all folders, oldest first, at most ``MAX_THREAD``. Raises
        NotFound("thread"). IMAP: as a search of all folders."""
        if Capability.THREADS not in self.capabilities:
            raise self.not_supported(Capability.THREADS)
        return await self.search_thread(thread, names_thread(read_thread_id(thread)))

    async def search_thread(self, thread: str, tree: Filter) -> Page:
        """As ``list_thread``, by a filter that holds for all of its messages and perhaps for others."""
        rows: list[MessageSummary] = []
        cursor, unsearched = None, dict[str, None]()
        while len(rows) < MAX_THREAD:
            page = await self.search_messages(
                None, ListQuery(MAX_PAGE, cursor, tree, (Order(SortKey.RECEIVED_AT),), with_thread=True)
            )
            rows += [row for row in page.items if row.thread_id == thread]
            unsearched |= dict.fromkeys(page.unsearched or ())
            cursor = page.next_cursor
            if cursor is None:
                break
        if not rows:  # a message that names none is known by its id
            named = await self.get_messages([read_thread_id(thread)], with_thread=True)
            rows = [row for row in named if row.thread_id == thread]
        if not rows:
            raise NotFound("thread")
        return Page(items=tuple(rows[:MAX_THREAD]), unsearched=tuple(unsearched) or None)

    @abstractmethod
    async def get_messages(
        self, messages: Sequence[str], *, with_preview: bool = False, with_thread: bool = False
    ) -> Sequence[MessageSummary]:
        """The rows of several messages, in the order of ``messages``; those that no longer exist are left out. IMAP:
        one round trip for each folder, and those of previews and thread ids. POP3: as a page of those."""

    @property
    def has_email_ids(self) -> bool:
        """Whether the mail server has permanent ids of messages, as far as is known."""
        return False

    async def get_email_ids(self, messages: Sequence[str]) -> Mapping[str, str]:
        """The permanent ids of messages: a message keeps it if it is moved, and shares it with its copies. Without
        those that no longer exist; empty if the mail server has no such ids. IMAP: one round trip for each folder."""
        return {}

    async def get_folder_ids(self) -> Mapping[str, str]:
        """The permanent ids of folders, by their ids: a folder keeps it if it is renamed. Empty if the mail server has
        no such ids. IMAP: one round trip."""
        return {}

    async def find_emails(self, email_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """The messages with these permanent ids, in all folders; none of those that do not exist. IMAP: the round trips
        of ``list_folders``, and one for each folder."""
        return {}

    @abstractmethod
    async def get_message(self, message: str, html: HtmlMode = HtmlMode.SAFE) -> Message:
        """The message with body and structure. IMAP: two round trips. POP3: one RETR."""

    @abstractmethod
    async def list_headers(self, message: str, names: Sequence[str] = ()) -> tuple[Header, ...]:
        """All header fields in order, or those of ``names`` (in any letter case). One round trip."""

    @abstractmethod
    async def open_part(self, message: str, part: str, *, encoded: bool = False, span: Span | None = None) -> Download:
        """The decoded octets of a part, or the stored ones if ``encoded``. When this returns, the message and the part
        exist and the first octets are here; the rest is streamed."""

    @abstractmethod
    async def open_source(self, message: str, *, span: Span | None = None) -> Download:
        """The message, byte for byte as stored. Returns as ``open_part`` does."""

    @abstractmethod
    async def delete_messages(self, messages: Sequence[str]) -> tuple[Outcome, ...]:
        """Permanently remove exactly these messages: by UID and UIDVALIDITY (IMAP), or by UIDL checked in the same
        session (POP3). Outcomes in the order of ``messages``; one without an error is a removal that the server
        confirmed."""

    async def get_flags(self, message: str) -> Flags:
        """The message's flags now. One round trip."""
        raise self.not_supported(Capability.FLAGS)

    async def set_flags(self, message: str, flags: Sequence[str], *, version: str | None = None) -> Flags:
        """Replace all flags; returns the flags afterwards. One round trip. Raises Changed if the message no longer has
        ``version``, NotSupported if the server counts no versions, and NotPermitted for a flag that the folder does not
        keep."""
        raise self.not_supported(Capability.FLAGS)

    async def change_flags(
        self, message: str, add: Sequence[str], remove: Sequence[str], *, version: str | None = None
    ) -> Flags:
        """Set some flags and clear others, leaving the rest; returns the flags afterwards. A round trip for each kind
        of change."""
        raise self.not_supported(Capability.FLAGS)

    async def change_many(
        self, messages: Sequence[str], add: Sequence[str], remove: Sequence[str]
    ) -> tuple[Outcome, ...]:
        """``change_flags`` on many messages. Outcomes in the order of ``messages``. One round trip for each folder and
        kind of change."""
        raise self.not_supported(Capability.FLAGS)

    async def append_message(
        self, folder: str, source: Source, flags: Sequence[str] = (), received_at: datetime | None = None
    ) -> str | None:
        """Append a message to the folder; returns its id, or None if the server does not report it and it cannot be
        found. Two round trips. Raises UpstreamError ``outcomeUnknown`` if the answer was lost and the folder does not
        show whether the message was appended."""
        raise self.not_supported(Capability.APPEND)

    async def append_assembled(
        self, folder: str, pieces: Sequence[bytes | PartRef], flags: Sequence[str] = ()
    ) -> str | None:
        """As ``append_message``, of a message that the mail server puts together from octets and from parts of the
        mailbox's own messages, as they are stored: those do not pass through here. One round trip, and one for each
        part. Raises NotSupported if it cannot, or does not find a part; then nothing was appended."""
        raise self.not_supported(Capability.APPEND)

    async def append_once(
        self, folder: str, source: Source, flags: Sequence[str] = (), received_at: datetime | None = None
    ) -> str | None:
        """``append_message``, unless the folder already has a message of the same octets: then returns its id. For
        requests that are sent again because their answer was lost, perhaps to another replica."""
        raise self.not_supported(Capability.APPEND)

    async def list_ids(self, folder: str) -> Sequence[str]:
        """The ids of all messages of the folder, oldest arrival first. One round trip, or two. Raises
        NotFound("folder")."""
        raise self.not_supported(Capability.IMPORT)

    async def get_items(self, messages: Sequence[str]) -> Sequence[Item]:
        """The inventory of these messages, by which another mailbox knows them too, in this order; those that no longer
        exist are left out. At most ``MAX_ITEMS``. IMAP: one round trip for each folder, and one for those without a
        Message-ID."""
        raise self.not_supported(Capability.IMPORT)

    async def read_sources(self, messages: Sequence[str]) -> Mapping[str, bytes]:
        """The octets of several small messages, as ``open_source`` has them. Those that no longer exist are left out.
        IMAP: one round trip for each folder."""
        return {message: octets for message in messages if (octets := await self._octets(message)) is not None}

    async def _octets(self, message: str) -> bytes | None:
        try:
            download = await self.open_source(message)
        except NotFound:
            return None
        return b"".join([chunk async for chunk in download.chunks])

    async def kept_flags(self, folder: str, flags: Collection[str]) -> frozenset[str]:
        """Those of the flags that a message appended to the folder keeps, as far as the mail server says. IMAP: one
        round trip."""
        return frozenset(flags)

    async def append_many(self, folder: str, messages: Sequence[NewMessage]) -> Sequence[Appended]:
        """Append messages in this order. After an error that concerns all of them, such as a full mailbox, the rest
        have the same error. Raises UpstreamFailure if the answer was lost: then ``list_ids`` shows what is there. IMAP:
        one round trip with MULTIAPPEND, else those of ``append_message`` for each."""
        outcomes: list[Appended] = []
        for message in messages:
            try:
                outcomes.append(Appended(await self.append_message(folder, *message)))
            except MailError as error:
                stops = isinstance(error, _CONCERNS_ALL)
                outcomes += [Appended(None, error)] * (len(messages) - len(outcomes) if stops else 1)
                if stops:
                    break
        return outcomes

    async def copy_messages(self, messages: Sequence[str], folder: str) -> tuple[Outcome, ...]:
        """Copy messages. Outcomes in the order of ``messages``. One command for each source folder."""
        raise self.not_supported(Capability.MOVE)

    async def move_messages(self, messages: Sequence[str], folder: str, *, once: bool = False) -> tuple[Outcome, ...]:
        """Move messages. Outcomes in the order of ``messages``. One command for each source folder with MOVE, three
        without it. At every moment each message is in at least one of the two folders.

        With ``once``, several processes may be asked for the same move at the same time, and each message is moved by
        one of them, if the mail server has the means. A message that another one has moved meanwhile is an outcome
        without error, if it is found in the target folder."""
        raise self.not_supported(Capability.MOVE)

    async def empty_folder(self, folder: str) -> int:
        """Permanently remove all messages that are in the folder now, and none that arrives meanwhile; returns their
        number. IMAP: four round trips, and three for each thousand messages."""
        raise self.not_supported(Capability.MOVE)

    async def get_settings(self) -> bytes | None:
        """The settings as they were last stored; None if there are none. IMAP: one round trip with METADATA, else four,
        and one if there are none."""
        raise self.not_supported(Capability.SETTINGS)

    async def set_settings(self, settings: bytes, *, version: str | None = None) -> None:
        """Store settings, at most ``MAX_SETTINGS`` octets without NUL, in place of those with this version (see
        ``settings_version``; None: in place of any). Raises Changed if there are others meanwhile: of several processes
        that replace the same settings at the same time, one does."""
        raise self.not_supported(Capability.SETTINGS)

    async def get_delivery_note(self) -> bytes | None:
        """The text that the mail server adds to its report of each delivery; None if there is none. Other programs may
        have written it. IMAP: one round trip, if the server has METADATA."""
        raise self.not_supported(Capability.PUSH)

    async def change_delivery_note(self, change: Callable[[bytes | None], bytes | None]) -> None:
        """Replace that note with the result of ``change``; None means no note. Of several processes one
        after the other does it, and what ``change`` raises is raised. IMAP: a second, and a few round trips."""
        raise self.not_supported(Capability.PUSH)

    @abstractmethod
    async def check(self) -> None:
        """Log in if no connection is open. Raises LoginRefused, UpstreamUnavailable and other errors of signing in."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close every connection. The mailbox is as it was."""

    def not_supported(self, capability: Capability) -> NotSupported:
        """The error of a call that this mailbox cannot answer, with the reason."""
        return NotSupported(capability, self.not_supported_text.format(capability))
