"""Outlook and Exchange: IMAP4rev1 with few extensions, no CHARSET but US-ASCII, no keywords, any answer 15 seconds late.

A keyword is taken by STORE with OK and dropped; SEARCH for one is a wrong argument.
"""

from collections.abc import Iterator

from tests.servers.providers import keys
from tests.servers.providers.arguments import Argument
from tests.servers.providers.mail import Folder, Letter, Mailbox
from tests.servers.providers.server import SYSTEM, Provider, Refused


def mailbox() -> Mailbox:
    """The folders of a new account."""
    return Mailbox(
        Folder("INBOX", "\\Marked \\HasNoChildren", uid_validity=14),
        Folder("Archive", uid_validity=15),
        Folder("Deleted Items", "\\HasNoChildren \\Trash", uid_validity=16),
        Folder("Junk Email", "\\HasNoChildren \\Junk", uid_validity=17),
    )


class Outlook(Provider):
    """``promises`` puts ``\\*`` into PERMANENTFLAGS, and keywords are dropped all the same."""

    offered = (
        b"IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT"
        b" CLIENTACCESSRULES CLIENTNETWORKPRESENCELOCATION BACKENDAUTHENTICATE CHILDREN IDLE NAMESPACE LITERAL+"
    )
    greets = b"* OK The Microsoft Exchange IMAP4 service is ready. [dGVzdA==]\r\n"
    permanent: tuple[str, ...] = (*SYSTEM, "$MDNSent")
    no_such_key = b"{tag} BAD Command Argument Error. 11"

    def __init__(self, mailbox: Mailbox, seconds: float = 0, *, promises: bool = False) -> None:
        super().__init__(mailbox, seconds)
        if promises:
            self.permanent = (*self.permanent, "\\*")

    def take_charset(self, charset: bytes) -> None:
        raise Refused("NO [BADCHARSET (US-ASCII)] The specified charset is not supported.")

    def own_key(self, key: bytes, rest: Iterator[Argument]) -> keys.Matches | None:
        if key in {b"KEYWORD", b"UNKEYWORD"}:
            raise keys.NoSuchKey
        return None

    def store(self, letter: Letter, item: bytes, words: set[str]) -> None:
        super().store(letter, item, {word for word in words if word in (*SYSTEM, "$MDNSent")})
