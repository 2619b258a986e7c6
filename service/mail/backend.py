"""The port: what the API asks of a mailbox, and what every adapter answers.

A handful of methods is abstract because every protocol has them; the others say by default that this mailbox lacks the
capability, so an adapter has no line about what it cannot do. Ids are opaque to everybody but the adapter that made
them. All methods raise leaves of ``errors.MailError`` and nothing else. A method that is cancelled leaves no work
behind it.
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
    """How a user is told of a capability that is not there."""

    @abstractmethod
    async def list_folders(self) -> tuple[Folder, ...]:
        """Every folder with its counts. IMAP: one round trip with LIST-STATUS, else two. POP3: one."""

    async def get_folder(self, folder: str) -> Folder:
        """One folder by id or role; NotFound where there is none. Costs what ``list_folders`` does."""
        for found in await self.list_folders():
            if folder in {found.id, found.role}:
                return found
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
        """Remove the folder with its messages. AlreadyExists where it has folders in it: those go first."""
        raise self.not_supported(Capability.FOLDERS)

    async def list_grants(self, folder: str) -> tuple[Grant, ...]:
        """Who may do what with the folder (RFC 4314, 3.3). One round trip."""
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
        (three with a filter). POP3: one login, then UIDL+LIST and the page's TOPs, pipelined where offered.

        NotFound (folder), StaleToken (cursor of a renumbered folder), InvalidRequest (not a cursor of this list).
        """

    async def get_state(self, folder: str) -> str | None:
        """What ``list_messages`` would have as ``Page.state`` now, without the list; None where that is not known
        without it. One round trip."""
        return None

    async def get_mark(self, folder: str | None) -> bytes:
        """Up to where a folder (None: the mailbox) has been told by now. IMAP: a round trip or two; three where the
        server does not say what vanishes."""
        raise self.not_supported(Capability.CHANGES)

    async def list_changes(self, folder: str, since: bytes) -> Changes:
        """What happened to the folder's messages since a mark of it. StaleToken where that cannot be told: list it
        again. IMAP: one round trip where nothing happened and the server counts changes."""
        raise self.not_supported(Capability.CHANGES)

    async def list_all_changes(self, since: bytes) -> AccountChanges:
        """What happened in all folders since a mark of the mailbox. A folder whose changes cannot be told has
        ``resync``. IMAP: those of ``list_folders``, and two for each folder in which something happened."""
        raise self.not_supported(Capability.CHANGES)

    def watch_health(self) -> WatchHealth | None:
        """How the watch fares; None while nobody listens."""
        return None

    def watch(self) -> AbstractAsyncContextManager[Watch]:
        """Listens to the mailbox. All who do share one connection."""
        raise self.not_supported(Capability.PUSH)

    async def search_messages(self, folders: Sequence[str] | None, query: ListQuery) -> Page:
        """A page over several folders (None: all), merged. Errors as ``list_messages``. A folder that cannot be
        searched is named in ``unsearched``."""
        raise self.not_supported(Capability.SEARCH)

    @abstractmethod
    async def get_messages(self, messages: Sequence[str]) -> Sequence[MessageSummary]:
        """Several rows, in order of asking; what is no longer there is left out. IMAP: one round trip a folder. POP3:
        as a page of those."""

    @abstractmethod
    async def get_message(self, message: str, html: HtmlMode = HtmlMode.SAFE) -> Message:
        """The message with body and structure. IMAP: two round trips. POP3: one RETR."""

    @abstractmethod
    async def list_headers(self, message: str, names: Sequence[str] = ()) -> tuple[Header, ...]:
        """All header fields in order, or those of ``names`` (letter case aside). One round trip."""

    @abstractmethod
    async def open_part(self, message: str, part: str, *, encoded: bool = False, span: Span | None = None) -> Download:
        """The decoded octets of a part, or the stored ones where ``encoded``. Awaited before streaming starts: once it
        returns, the message and the part exist and the first octets are here."""

    @abstractmethod
    async def open_source(self, message: str, *, span: Span | None = None) -> Download:
        """The message, byte for byte as stored. Awaited as ``open_part``."""

    @abstractmethod
    async def delete_messages(self, messages: Sequence[str]) -> tuple[Outcome, ...]:
        """Remove for good, in order of asking, exactly these: by UID and UIDVALIDITY (IMAP) or UIDL checked in the same
        session (POP3). An Outcome without error is a removal the server confirmed."""

    async def get_flags(self, message: str) -> Flags:
        """The message's flags now. One round trip."""
        raise self.not_supported(Capability.FLAGS)

    async def set_flags(self, message: str, flags: Sequence[str], *, version: str | None = None) -> Flags:
        """Replace all flags; answers what is set afterwards. One round trip. With ``version`` only while the message
        has it, else Changed; NotSupported where the server keeps no versions. NotPermitted for a flag that the folder
        does not keep."""
        raise self.not_supported(Capability.FLAGS)

    async def change_flags(
        self, message: str, add: Sequence[str], remove: Sequence[str], *, version: str | None = None
    ) -> Flags:
        """Set some and clear others, touching no other flag; answers what is set afterwards. A round trip each."""
        raise self.not_supported(Capability.FLAGS)

    async def change_many(
        self, messages: Sequence[str], add: Sequence[str], remove: Sequence[str]
    ) -> tuple[Outcome, ...]:
        """``change_flags`` on many, in order of asking: a round trip a folder."""
        raise self.not_supported(Capability.FLAGS)

    async def append_message(
        self, folder: str, source: Source, flags: Sequence[str] = (), received_at: datetime | None = None
    ) -> str | None:
        """Put a message into the folder; answers its id, None where the server does not tell and it cannot be found.
        Two round trips. UpstreamError with the code ``outcomeUnknown`` where the answer was lost and the
        folder does not tell either."""
        raise self.not_supported(Capability.APPEND)

    async def append_once(
        self, folder: str, source: Source, flags: Sequence[str] = (), received_at: datetime | None = None
    ) -> str | None:
        """``append_message``, unless the folder already has a message of the same octets: then its id. For requests
        that are sent again because their answer was lost, whoever got them first."""
        raise self.not_supported(Capability.APPEND)

    async def copy_messages(self, messages: Sequence[str], folder: str) -> tuple[Outcome, ...]:
        """Copy, in order of asking: a command for each folder they come from."""
        raise self.not_supported(Capability.MOVE)

    async def move_messages(self, messages: Sequence[str], folder: str) -> tuple[Outcome, ...]:
        """Move, in order of asking: a command for each folder they come from with MOVE, three without it. At every
        moment each message is in at least one of the two."""
        raise self.not_supported(Capability.MOVE)

    async def empty_folder(self, folder: str) -> int:
        """Remove for good all messages that are in the folder now, and none that arrives meanwhile; answers how many.
        IMAP: four round trips, and three for each thousand messages."""
        raise self.not_supported(Capability.MOVE)

    @abstractmethod
    async def check(self) -> None:
        """Log in if no connection is open: LoginRefused, UpstreamUnavailable and their kin tell here."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close every connection. The mailbox is as it was."""

    def not_supported(self, capability: Capability) -> NotSupported:
        """The error for a call this mailbox cannot answer, with the reason."""
        return NotSupported(capability, self.not_supported_text.format(capability))
