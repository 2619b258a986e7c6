"""Yahoo: no CHARSET in SEARCH, raw UTF-8 in answers, a limit of messages for one command (RFC 9738), thread ids (RFC
8474), and refusals that are over after a while."""

from collections.abc import Iterator

from tests.servers.providers.arguments import Argument
from tests.servers.providers.mail import Folder, Letter, Mailbox
from tests.servers.providers.server import DONE, Provider, Refused


def mailbox() -> Mailbox:
    """The folders of a new account."""
    return Mailbox(
        Folder("Inbox", uid_validity=1),
        Folder("Archive", "\\Archive \\HasNoChildren", uid_validity=2),
        Folder("Bulk", "\\Junk \\HasNoChildren", uid_validity=4),
    )


class Yahoo(Provider):
    """``limit`` is how many messages a command is carried out for."""

    greets = b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN ID MOVE] IMAP4rev1 Hello\r\n"
    no_such_key = b"{tag} BAD [CLIENTBUG] UID SEARCH Command arguments invalid"

    def __init__(self, mailbox: Mailbox, limit: int = 1000) -> None:
        super().__init__(mailbox)
        self.limit = limit
        self.offered = (
            b"IMAP4rev1 ID MOVE NAMESPACE XYMHIGHESTMODSEQ UIDPLUS LITERAL+ CHILDREN UNSELECT X-MSG-EXT OBJECTID IDLE"
            b" ENABLE UIDONLY LIST-EXTENDED LIST-STATUS SPECIAL-USE MESSAGELIMIT=%d PARTIAL APPENDLIMIT=41697280"
            % limit
        )

    def folder(self, name: Argument) -> Folder:
        return super().folder(b"Inbox" if isinstance(name, bytes) and name.upper() == b"INBOX" else name)

    def take_charset(self, charset: bytes) -> None:
        raise Refused("BAD [CLIENTBUG] UID SEARCH Command arguments invalid")

    def item(self, item: bytes, uid: int, letter: Letter) -> Iterator[bytes]:
        if item == b"THREADID":
            yield b"THREADID (T%d)" % (letter.thread or letter.number)
        else:
            yield from super().item(item, uid, letter)

    def done(self, uids: list[int]) -> list[int]:
        """The newest of these messages (RFC 9738, 3.1)."""
        done = uids[-self.limit :]
        self.status = b"{tag} OK [MESSAGELIMIT %d %d] done" % (self.limit, done[0]) if done != uids else DONE
        return done
