"""The port: what the API asks of a mailbox, and what every adapter answers.

A handful of methods is abstract because every protocol has them; the others say by default that this mailbox lacks the
capability, so an adapter has no line about what it cannot do. Ids are opaque to everybody but the adapter that made
them. All methods raise leaves of ``errors.MailError`` and nothing else. A method that is cancelled leaves no work
behind it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from service.mail.errors import NotFound, NotSupported
from service.mail.model import Capability, Download, Folder, Header, HtmlForm, Message, Outcome, Page, Protocol, Span
from service.mail.query import ListQuery

ROLES = ("inbox", "sent", "drafts", "trash", "junk", "archive", "all", "flagged")


class Backend(ABC):
    """One signed-in mailbox, shared by all requests of its account."""

    protocol: Protocol
    account: str
    """The account's id; see ``ids.account_id``."""
    capabilities: frozenset[Capability]
    """Learnt from the server at login."""

    @abstractmethod
    async def list_folders(self) -> tuple[Folder, ...]:
        """Every folder with its counts. IMAP: one round trip with LIST-STATUS, else two. POP3: one."""

    async def get_folder(self, folder: str) -> Folder:
        """One folder by id or role; NotFound where there is none. Costs what ``list_folders`` does."""
        for found in await self.list_folders():
            if folder in {found.id, found.role}:
                return found
        raise NotFound("folder")

    @abstractmethod
    async def list_messages(self, folder: str, query: ListQuery) -> Page:
        """A page, newest arrival first. ``folder`` is an id or a role. IMAP: two round trips on a warm connection
        (three with a filter). POP3: one login, then UIDL+LIST and the page's TOPs, pipelined where offered.

        NotFound (folder), StaleToken (cursor of a renumbered folder), InvalidRequest (not a cursor of this list).
        """

    @abstractmethod
    async def get_message(self, message: str, html: HtmlForm = HtmlForm.SAFE) -> Message:
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

    async def get_flags(self, message: str) -> tuple[str, ...]:
        """The message's flags now. One round trip."""
        raise self.lacks(Capability.FLAGS)

    async def set_flags(self, message: str, flags: Sequence[str]) -> tuple[str, ...]:
        """Replace all flags; answers what is set afterwards. One round trip."""
        raise self.lacks(Capability.FLAGS)

    async def change_flags(self, message: str, add: Sequence[str], remove: Sequence[str]) -> tuple[str, ...]:
        """Set some and clear others, touching no other flag; answers what is set afterwards. A round trip each."""
        raise self.lacks(Capability.FLAGS)

    @abstractmethod
    async def check(self) -> None:
        """Log in if no connection is open: LoginRefused, UpstreamUnavailable and their kin tell here."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close every connection. The mailbox is as it was."""

    def lacks(self, capability: Capability) -> NotSupported:
        """The error for a call this mailbox cannot answer, with the reason."""
        why = {
            Protocol.POP3: f"POP3 has no {capability}: it lists, reads and deletes.",
            Protocol.IMAP: f"This IMAP server offers no {capability}.",
        }
        return NotSupported(capability, why[self.protocol])
