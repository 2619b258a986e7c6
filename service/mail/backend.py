"""The port: the methods by which the API uses a mailbox, and which every adapter implements.

A few methods are abstract because every protocol has them. The others raise NotSupported by default, so an adapter has
no code for what it cannot do. Only the adapter that made an id can read it. All methods raise leaves of
``errors.MailError`` and nothing else. A cancelled method leaves no work behind.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import ClassVar

from service.mail.changes import AccountChanges, Changes, Watch, WatchHealth
from service.mail.errors import NotFound, NotSupported
from service.mail.model import (
    Capability,
    Download,
    Flags,
    Folder,
    Grant,
    Header,
    HtmlMode,
    Message,
    MessageSummary,
    Outcome,
    Page,
    Protocol,
    Quota,
    Source,
    Span,
)
from service.mail.search.filter import ListQuery

ROLES = ("inbox", "sent", "drafts", "trash", "junk", "archive", "all", "flagged")


class Backend(ABC):
    """One signed-in mailbox, shared by all requests of its account."""

    protocol: Protocol
    account: str
    """The account's id; see ``ids.account_id``."""
    capabilities: frozenset[Capability]
    """Learnt from the server at login."""
    warnings: tuple[str, ...] = ()
    """What a user of this mailbox should know of its server, such as ``ids-unstable``."""
    not_supported_text: ClassVar[str] = "This mailbox offers no {}."
    """The error text for a capability that the mailbox lacks."""

    @abstractmethod
    async def list_folders(self) -> tuple[Folder, ...]:
        """Every folder with its counts. IMAP: one round trip with LIST-STATUS, else two. POP3: one."""

    async def get_folder(self, folder: str) -> Folder:
        """One folder by id or role; raises NotFound. Costs as much as ``list_folders``."""
        for each in await self.list_folders():
            if folder in {each.id, each.role}:
                return each
        raise NotFound("folder")

    async def create_folder(self, name: str, parent: str | None = None) -> Folder:
        """A new folder, subscribed, at the root or in ``parent``. AlreadyExists, InvalidRequest (a name the server's
        hierarchy cannot hold). Two round trips and those of ``list_folders``."""
        raise self.not_supported(Capability.FOLDERS)

    async def change_folder(
        self, folder: str, *, name: str | None = None, parent: str | None = None, is_subscribed: bool | None = None
    ) -> Folder:
        """Rename, move (with all that is in it) or subscribe; ``parent`` empty means the root, None leaves it. Its id
        changes with name and parent; ids of messages in it do too."""
        raise self.not_supported(Capability.FOLDERS)

    async def delete_folder(self, folder: str) -> None:
        """Delete the folder and its messages. Raises AlreadyExists if it has subfolders."""
        raise self.not_supported(Capability.FOLDERS)

    async def list_grants(self, folder: str) -> tuple[Grant, ...]:
        """The rights that users have in the folder (RFC 4314, 3.3). One round trip."""
        raise self.not_supported(Capability.ACL)

    async def set_grant(self, folder: str, identifier: str, rights: str) -> Grant:
        """Give exactly these rights; answers what the server made of them. Two round trips."""
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
        (three with a filter). POP3: one login, then UIDL+LIST and the page's TOPs, pipelined if the server offers it.

        Raises NotFound (folder), StaleToken (cursor of a renumbered folder), InvalidRequest (not a cursor of this
        list).
        """

    async def get_state(self, folder: str) -> str | None:
        """The ``Page.state`` of ``list_messages`` now, without the list. None if only the list has it. One round
        trip."""
        return None

    async def get_sync_token(self, folder: str | None) -> bytes:
        """A token for the present state of the folder (None: of the whole mailbox). IMAP: one or two round trips; three
        if the server does not report what vanishes."""
        raise self.not_supported(Capability.CHANGES)

    async def list_changes(self, folder: str, since: bytes) -> Changes:
        """The changes of the folder's messages since a token for it. Raises StaleToken if they are unknown: list the
        folder again. IMAP: one round trip if nothing changed and the server counts changes."""
        raise self.not_supported(Capability.CHANGES)

    async def list_all_changes(self, since: bytes) -> AccountChanges:
        """The changes of all folders since a token for the mailbox. A folder whose changes are unknown has ``resync``.
        IMAP: the round trips of ``list_folders``, and two for each folder that changed."""
        raise self.not_supported(Capability.CHANGES)

    def watch_health(self) -> WatchHealth | None:
        """The health of the watch; None while no client listens."""
        return None

    def watch(self) -> AbstractAsyncContextManager[Watch]:
        """Listens to the mailbox. All listeners share one connection."""
        raise self.not_supported(Capability.PUSH)

    async def search_messages(self, folders: Sequence[str] | None, query: ListQuery) -> Page:
        """A page of the merged list of several folders (None: all). Raises the errors of ``list_messages``. Folders
        that cannot be searched are in ``unsearched``."""
        raise self.not_supported(Capability.SEARCH)

    @abstractmethod
    async def get_messages(self, messages: Sequence[str]) -> Sequence[MessageSummary]:
        """The rows of these messages, in the order given; messages that no longer exist are left out. IMAP: one round
        trip for each folder. POP3: as a page of them."""

    @abstractmethod
    async def get_message(self, message: str, html: HtmlMode = HtmlMode.SAFE) -> Message:
        """The message with body and structure. IMAP: two round trips. POP3: one RETR."""

    @abstractmethod
    async def list_headers(self, message: str, names: Sequence[str] = ()) -> tuple[Header, ...]:
        """All header fields in order, or those of ``names`` (letter case aside). One round trip."""

    @abstractmethod
    async def open_part(self, message: str, part: str, *, encoded: bool = False, span: Span | None = None) -> Download:
        """The decoded octets of a part, or the stored ones if ``encoded``. When it returns, the message and the part
        exist and the first octets have arrived: no error of these comes after streaming has begun."""

    @abstractmethod
    async def open_source(self, message: str, *, span: Span | None = None) -> Download:
        """The message, byte for byte as stored. Returns when the first octets have arrived, as ``open_part``."""

    @abstractmethod
    async def delete_messages(self, messages: Sequence[str]) -> tuple[Outcome, ...]:
        """Delete exactly these messages, permanently: by UID and UIDVALIDITY (IMAP), or by unique-ids checked in the
        same session (POP3). Outcomes are in the order given; one without error is a deletion that the server
        confirmed."""

    async def get_flags(self, message: str) -> Flags:
        """The message's flags now. One round trip."""
        raise self.not_supported(Capability.FLAGS)

    async def set_flags(self, message: str, flags: Sequence[str], *, version: str | None = None) -> Flags:
        """Replace all flags; returns those set afterwards. One round trip. If the message no longer has ``version``,
        raises Changed; NotSupported if the server has no versions; NotPermitted for a flag that the folder does not
        keep."""
        raise self.not_supported(Capability.FLAGS)

    async def change_flags(
        self, message: str, add: Sequence[str], remove: Sequence[str], *, version: str | None = None
    ) -> Flags:
        """Set some flags and clear others, and leave the rest; returns those set afterwards. A round trip each."""
        raise self.not_supported(Capability.FLAGS)

    async def change_many(
        self, messages: Sequence[str], add: Sequence[str], remove: Sequence[str]
    ) -> tuple[Outcome, ...]:
        """``change_flags`` on many messages, in the order given: a round trip for each folder."""
        raise self.not_supported(Capability.FLAGS)

    async def append_message(
        self, folder: str, source: Source, flags: Sequence[str] = (), received_at: datetime | None = None
    ) -> str | None:
        """Add a message to the folder. Returns its id; None if the server does not say it and the message cannot be
        found. Two round trips. Raises UpstreamError with the code ``outcomeUnknown`` if the answer was lost and the
        folder does not show whether the message was added."""
        raise self.not_supported(Capability.APPEND)

    async def append_once(
        self, folder: str, source: Source, flags: Sequence[str] = (), received_at: datetime | None = None
    ) -> str | None:
        """``append_message``, unless the folder has a message of the same octets already: then its id. For requests
        that are repeated because their answer was lost, perhaps on another replica."""
        raise self.not_supported(Capability.APPEND)

    async def copy_messages(self, messages: Sequence[str], folder: str) -> tuple[Outcome, ...]:
        """Copy, with outcomes in the order given: one command for each source folder."""
        raise self.not_supported(Capability.MOVE)

    async def move_messages(self, messages: Sequence[str], folder: str) -> tuple[Outcome, ...]:
        """Move, with outcomes in the order given: one command for each source folder with MOVE, three without it. At
        every moment each message is in at least one of the two folders."""
        raise self.not_supported(Capability.MOVE)

    async def empty_folder(self, folder: str) -> int:
        """Delete permanently all messages that are in the folder now, and none that arrives meanwhile. Returns how
        many. IMAP: four round trips, and three for each thousand messages."""
        raise self.not_supported(Capability.MOVE)

    @abstractmethod
    async def check(self) -> None:
        """Log in if no connection is open. Raises LoginRefused, UpstreamUnavailable and the other errors of a login."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close every connection. Changes nothing in the mailbox."""

    def not_supported(self, capability: Capability) -> NotSupported:
        """The error for a call this mailbox cannot answer, with the reason."""
        return NotSupported(capability, self.not_supported_text.format(capability))
