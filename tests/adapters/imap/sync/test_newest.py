"""Ranges of what may be gone end in a number: ``*`` is the highest UID that is still there (RFC 9051, 9: seq-number)."""

import re
from collections.abc import Callable

import pytest

from service.adapters.imap.backend import ImapBackend
from tests.adapters.imap.conftest import CAPABILITIES, Scripted

DONE = b"{tag} OK done\r\n"
INBOX = b'* LIST (\\HasNoChildren) "/" INBOX\r\n'


class Server:
    """As Cyrus: VANISHED has only what lies in the range of the command, in which ``*`` is the newest that is left."""

    def __init__(self) -> None:
        self.uids = [1, 2, 3]
        self.gone: list[int] = []
        self.modseq = 10

    def remove(self, *uids: int) -> None:
        self.uids = [uid for uid in self.uids if uid not in uids]
        self.gone += uids
        self.modseq += 1

    def status(self, _: bytes) -> bytes:
        return b"* STATUS INBOX (MESSAGES %d UIDNEXT 4 UIDVALIDITY 7 HIGHESTMODSEQ %d)\r\n%b" % (
            len(self.uids), self.modseq, DONE,
        )  # fmt: skip

    def select(self, _: bytes) -> bytes:
        return (
            b"* %d EXISTS\r\n* OK [UIDVALIDITY 7]\r\n* OK [UIDNEXT 4]\r\n* OK [HIGHESTMODSEQ %d]\r\n{tag} OK [READ-WRITE] x\r\n"
            % (len(self.uids), self.modseq)
        )

    def fetch(self, command: bytes) -> bytes:
        found = re.search(rb"FETCH (\d+):(\d+|\*)", command)
        assert found is not None
        newest = max(self.uids, default=0)
        last = newest if found[2] == b"*" else int(found[2])
        gone = [uid for uid in self.gone if int(found[1]) <= uid <= last]
        if b"VANISHED" in command and gone:
            return b"* VANISHED (EARLIER) " + b",".join(b"%d" % uid for uid in gone) + b"\r\n" + DONE
        return DONE

    def search(self, _: bytes) -> bytes:
        return b"* SEARCH " + b" ".join(b"%d" % uid for uid in self.uids) + b"\r\n" + DONE

    @property
    def answers(self) -> dict[str, bytes | Callable[[bytes], bytes]]:
        return {
            "STATUS": self.status, "SELECT": self.select, "UID FETCH": self.fetch, "FETCH": self.fetch,
            "UID SEARCH": self.search, "LIST": lambda command: INBOX + (b"" if b"RETURN" not in command else self.status(b"")[: -len(DONE)]) + DONE,
        }  # fmt: skip


async def changes(mailbox: ImapBackend, since: bytes, whole: bytes) -> tuple[set[str], set[str]]:
    folder = await mailbox.list_changes("inbox", since)
    account = await mailbox.list_all_changes(whole)
    return set(folder.changes.destroyed), {each for one in account.folders for each in one.destroyed}


@pytest.mark.parametrize("offered", [b" CONDSTORE QRESYNC ENABLE UNSELECT", b" CONDSTORE"])
@pytest.mark.parametrize("removed", [(3,), (2, 3), (1, 2, 3), (1,)])
async def test_the_removal_of_the_newest_is_told(scripted: Scripted, offered: bytes, removed: tuple[int, ...]) -> None:
    """R-IMAP-65: of some and of all messages, in a folder and in the whole mailbox."""
    imap = Server()
    async with scripted(
        imap.answers, capabilities=CAPABILITIES + b" SPECIAL-USE LIST-EXTENDED LIST-STATUS" + offered
    ) as (
        server,
        mailbox,
    ):
        since, whole = await mailbox.get_sync_token("inbox"), await mailbox.get_sync_token(None)
        imap.remove(*removed)
        of_folder, of_account = await changes(mailbox, since, whole)
        assert len(of_folder) == len(removed)
        assert of_account == of_folder
        counting = [command for command in server.commands if b"CHANGEDSINCE" in command]
        assert counting
        assert not any(b"*" in command for command in counting)
