"""What happened since a mark, against what is there: random histories by another client, told by each way there is."""

import asyncio
import imaplib
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from random import Random

import pytest

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.adapters.imap.sync.token import MAX_OCTETS, SyncState, read_token, read_tokens, write_token, write_tokens
from service.mail.errors import NotSupported, StaleToken
from service.mail.model import Protocol
from service.mail.search.filter import ListQuery
from tests.adapters.imap.conftest import Scripted
from tests.contract.conftest import EXTENSIONS
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST
from tests.servers.proxy import passing

WAYS = {"qresync": (), "condstore": ("QRESYNC",), "plain": EXTENSIONS}
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "work")
State = dict[str, dict[str, frozenset[str]]]
"""Flags of each message of each folder."""


@asynccontextmanager
async def opened(dovecot: Dovecot, user: str, avoid: Collection[str] = ()) -> AsyncIterator[ImapBackend]:
    endpoint = Endpoint(HOST, dovecot.ports.imap, Security.NONE)
    mailbox = ImapBackend(endpoint, Credentials("dovecot", Protocol.IMAP, user, PASSWORD), avoid=avoid)
    try:
        yield mailbox
    finally:
        await mailbox.aclose()


async def rows(mailbox: ImapBackend, folder: str) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    cursor = None
    while True:
        page = await mailbox.list_messages(folder, ListQuery(50, cursor))
        found |= {row.id: frozenset(row.flags) for row in page.items}
        cursor = page.next_cursor
        if cursor is None:
            return found


async def whole(mailbox: ImapBackend) -> State:
    return {one.id: await rows(mailbox, one.id) for one in await mailbox.list_folders() if one.is_selectable}


class Phone:
    """Keeps lists in step by what it is told, as a client would."""

    def __init__(self, mailbox: ImapBackend) -> None:
        self._mailbox = mailbox
        self.state: State = {}
        self._mark = b""
        self.resyncs = 0

    async def begin(self) -> None:
        self._mark = await self._mailbox.get_sync_token(None)
        self.state = await whole(self._mailbox)

    async def catch_up(self) -> None:
        has_more = True
        while has_more:
            told = await self._mailbox.list_all_changes(self._mark)
            self._mark, has_more = told.token, told.has_more
            for folder in told.destroyed_folders:
                del self.state[folder]
            for folder in told.created_folders:
                self.state[folder] = await rows(self._mailbox, folder)
            for one in told.folders:
                if one.resync:
                    self.resyncs += 1
                    self.state[one.folder_id] = await rows(self._mailbox, one.folder_id)
                    continue
                mine = self.state[one.folder_id]
                assert not set(one.created) & mine.keys(), "told twice"
                assert set(one.updated) <= mine.keys()
                for gone in one.destroyed:
                    mine.pop(gone, None)
                there = await self._mailbox.get_messages([*one.created, *one.updated])
                mine |= {row.id: frozenset(row.flags) for row in there}


class Other:
    """Somebody else who uses the mailbox, by IMAP itself."""

    def __init__(self, client: imaplib.IMAP4, random: Random) -> None:
        self._client = client
        self._random = random
        self._folders = ["INBOX"]
        self._made = 0

    def act(self) -> None:
        acts = (
            self.append,
            self.append,
            self.flag,
            self.flag,
            self.expunge,
            self.move,
            self.create,
            self.rename,
            self.delete,
        )
        self._random.choice(acts)()

    def append(self) -> None:
        folder = self._random.choice(self._folders)
        self._client.append(folder, "", "", b"Subject: x\r\n\r\nx\r\n")

    def flag(self) -> None:
        if uid := self._some():
            change = self._random.choice(("+FLAGS", "-FLAGS"))
            self._client.uid("STORE", uid, change, f"({self._random.choice(FLAGS)})")

    def expunge(self) -> None:
        if uid := self._some():
            self._client.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
            self._client.uid("EXPUNGE", uid)

    def move(self) -> None:
        if uid := self._some():
            self._client.uid("MOVE", uid, self._random.choice(self._folders))

    def create(self) -> None:
        self._made += 1
        self._client.create(f"F{self._made}")
        self._folders.append(f"F{self._made}")

    def rename(self) -> None:
        if len(self._folders) > 1:
            self._client.select()  # Dovecot ends who has the folder selected
            old = self._folders.pop(self._random.randrange(1, len(self._folders)))
            self._made += 1
            self._client.rename(old, f"F{self._made}")
            self._folders.append(f"F{self._made}")

    def delete(self) -> None:
        if len(self._folders) > 3:
            self._client.select()
            self._client.delete(self._folders.pop(self._random.randrange(1, len(self._folders))))

    def _some(self) -> str:
        """A UID of a folder, selected."""
        self._client.select(self._random.choice(self._folders))
        _, [found] = self._client.uid("SEARCH", "ALL")
        uids = found.decode().split() if found else []
        return self._random.choice(uids) if uids else ""


@pytest.mark.dovecot
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("way", WAYS)
async def test_changes_applied_to_the_old_list_give_the_new_one(dovecot: Dovecot, way: str, seed: int) -> None:
    """R-CONC-07: always, whatever happened, and without listing again."""
    user, random = dovecot.user(), Random(seed)
    dovecot.seed(user, [(b"Subject: old\r\n\r\n%d\r\n" % n, ("$seen",) if n % 2 else (), None) for n in range(20)])
    async with opened(dovecot, user, WAYS[way]) as mailbox, opened(dovecot, user) as judge:
        phone = Phone(mailbox)
        await phone.begin()
        with dovecot.connect(user) as client:
            other = Other(client, random)
            for _ in range(15):
                for _ in range(random.randrange(6)):
                    other.act()
                await phone.catch_up()
                assert phone.state == await whole(judge)
        assert phone.resyncs == 0


@pytest.mark.dovecot
@pytest.mark.parametrize("way", WAYS)
async def test_a_folder_s_changes_are_told_and_then_no_more(dovecot: Dovecot, way: str) -> None:
    user = dovecot.user()
    dovecot.seed(user, [(b"Subject: %d\r\n\r\nx\r\n" % n, (), None) for n in range(4)])
    async with opened(dovecot, user, WAYS[way]) as mailbox:
        ids = list(await rows(mailbox, "inbox"))  # newest first
        mark = await mailbox.get_sync_token("inbox")
        assert not (await mailbox.list_changes("inbox", mark)).changes
        with dovecot.connect(user) as client:
            client.select()
            client.store("2", "+FLAGS", "(\\Seen)")
            client.store("1", "+FLAGS", "(\\Deleted)")
            client.expunge()
        dovecot.append(user, b"Subject: new\r\n\r\nx\r\n")
        found = await mailbox.list_changes("inbox", mark)
        [newest] = set(await rows(mailbox, "inbox")) - set(ids)
        assert (found.changes.created, found.changes.updated, found.changes.destroyed) == (
            (newest,),
            (ids[2],),
            (ids[3],),
        )
        again = await mailbox.list_changes("inbox", found.token)
        assert not again.changes
        with pytest.raises(StaleToken):
            await mailbox.list_changes("trash", found.token)


@pytest.mark.dovecot
async def test_many_changes_come_in_pages(dovecot: Dovecot) -> None:
    user = dovecot.user()
    dovecot.seed(user, [(b"Subject: x\r\n\r\nx\r\n", (), None) for _ in range(2500)])
    async with opened(dovecot, user) as mailbox:
        mark = await mailbox.get_sync_token("inbox")
        with dovecot.connect(user) as client:
            client.select()
            for low in range(1, 2500, 100):  # each command counts once
                client.store(f"{low}:{low + 99}", "+FLAGS", "(\\Seen)")
        told: set[str] = set()
        has_more, answers = True, 0
        while has_more:
            found = await mailbox.list_changes("inbox", mark)
            mark, has_more = found.token, found.has_more
            assert not told & set(found.changes.updated)
            told |= set(found.changes.updated)
            answers += 1
        assert (len(told), answers) == (2500, 3)


@pytest.mark.dovecot
async def test_a_renumbered_folder_has_to_be_listed_again(dovecot: Dovecot) -> None:
    """R-CONC-08: UIDVALIDITY."""
    user = dovecot.user()
    async with opened(dovecot, user) as mailbox:
        folder = await mailbox.create_folder("Again")
        mark, all_of_it = await mailbox.get_sync_token(folder.id), await mailbox.get_sync_token(None)
    with dovecot.connect(user) as client:
        client.delete("Again")
        client.create("Again")
    async with opened(dovecot, user) as mailbox:  # who has it selected is told of the old one by Dovecot, for a while
        with pytest.raises(StaleToken):
            await mailbox.list_changes(folder.id, mark)
        [told] = (await mailbox.list_all_changes(all_of_it)).folders
        assert (told.folder_id, told.resync) == (folder.id, True)


OK = b"{tag} OK done\r\n"


@pytest.mark.parametrize(
    ("numbers", "is_stale"),
    [
        (b"HIGHESTMODSEQ 5", True),
        (b"HIGHESTMODSEQ 0", True),
        (b"HIGHESTMODSEQ 50 UIDNEXT 3", True),
        (b"HIGHESTMODSEQ 10", False),
    ],
)
async def test_a_server_that_counts_anew_is_noticed(scripted: Scripted, numbers: bytes, is_stale: bool) -> None:
    """R-CONC-08: a count that went back tells nothing of what is gone."""
    told = [b"MESSAGES 3 UIDVALIDITY 7 UIDNEXT 4 HIGHESTMODSEQ 10", b"MESSAGES 3 UIDVALIDITY 7 UIDNEXT 4 " + numbers]

    def status(_: bytes) -> bytes:
        return b"* STATUS INBOX (" + (told.pop(0) if len(told) > 1 else told[0]) + b")\r\n" + OK

    select = b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [HIGHESTMODSEQ 10] x\r\n" + OK
    found = b"* SEARCH 1 2 3\r\n" + OK
    answers = {"STATUS": status, "SELECT": select, "UID SEARCH": found, "UID FETCH": OK}
    async with scripted(answers, capabilities=b"IMAP4rev1 CONDSTORE") as (_, mailbox):
        mark = await mailbox.get_sync_token("inbox")
        if is_stale:
            with pytest.raises(StaleToken):
                await mailbox.list_changes("inbox", mark)
        else:
            assert not (await mailbox.list_changes("inbox", mark)).changes


def test_a_mark_is_what_it_was_and_never_long() -> None:
    uids = frozenset(Random(1).sample(range(1, 100_000), 9_000))
    short = SyncState(7, 100, 5, 3, frozenset({1, 2, 9}), {"$seen work": frozenset({1}), "": frozenset({2, 9})})
    assert read_token(b"INBOX", write_token(b"INBOX", short)) == short
    long = SyncState(7, 100_001, 5, 9_000, uids)
    assert read_token(b"INBOX", write_token(b"INBOX", long)) == long.bare
    marks = {b"A": short, b"\xff": long}
    assert read_tokens(write_tokens(marks)) == {b"A": short, b"\xff": long.bare}
    assert len(write_tokens(marks)) <= MAX_OCTETS
    with pytest.raises(NotSupported):
        write_tokens({b"folder %d of many" % n: SyncState(Random(n).getrandbits(32), n, n, n) for n in range(2000)})
    for octets in (b"", b"x", write_tokens(marks)[:-4], write_token(b"Other", short)):
        with pytest.raises(StaleToken):
            read_token(b"INBOX", octets)


@pytest.mark.dovecot
async def test_listeners_that_the_same_news_woke_are_told_by_one_reading(dovecot: Dovecot) -> None:
    """R-OPS-19: a hundred at the same token cost as many round trips as one. Who asks after it has begun is read for
    anew, and so hears of what came meanwhile."""
    user = dovecot.user()
    async with passing(dovecot.ports.imap) as proxy:
        mailbox = ImapBackend(
            Endpoint(HOST, proxy.port, Security.NONE), Credentials("dovecot", Protocol.IMAP, user, PASSWORD)
        )
        try:
            token = await mailbox.get_sync_token(None)
            dovecot.append(user, b"Subject: first\r\n\r\nx\r\n")
            alone = await mailbox.list_all_changes(token)
            before = proxy.round_trips
            await mailbox.list_all_changes(token)
            one = proxy.round_trips - before
            told = await asyncio.gather(*(mailbox.list_all_changes(token) for _ in range(100)))
            assert proxy.round_trips - before == 2 * one
            assert {each.token for each in told} == {alone.token}
            assert [len(each.folders) for each in told] == [1] * 100
            early = asyncio.create_task(mailbox.list_all_changes(token))
            await asyncio.sleep(0.001)
            dovecot.append(user, b"Subject: second\r\n\r\nx\r\n")
            [late] = (await mailbox.list_all_changes(token)).folders
            assert len(late.created) == 2
            assert len((await early).folders[0].created) in {1, 2}
        finally:
            await mailbox.aclose()


@pytest.mark.parametrize("way", WAYS)
async def test_a_token_says_what_a_page_shows_if_the_server_counts_all_changes(dovecot: Dovecot, way: str) -> None:
    """And then it is another one after each change, also if it is read again and again in between."""
    user = dovecot.user()
    dovecot.seed(user, [(b"Subject: x\r\n\r\n", (), None)])
    async with opened(dovecot, user, WAYS[way]) as mailbox:
        await mailbox.get_sync_token(None)  # the first one looks for folders of others
        token = await mailbox.get_sync_token(None)
        inbox = next(folder.id for folder in await mailbox.list_folders() if folder.role == "inbox")
        page = await mailbox.list_messages(inbox, ListQuery())
        assert mailbox.is_shown_at(token, inbox, page) == (way == "qresync")
        assert not mailbox.is_shown_at(b"", inbox, page)
        await mailbox.change_flags(page.items[0].id, ["work"], [])
        assert not mailbox.is_shown_at(token, inbox, await mailbox.list_messages(inbox, ListQuery()))
        token = await mailbox.get_sync_token(None)
        seen = {token}
        for step in range(6):
            if step % 3 == 0:
                dovecot.append(user, b"Subject: y\r\n\r\n")
            elif step % 3 == 1:
                await mailbox.create_folder(f"New {step}")
            else:
                [row, *_] = (await mailbox.list_messages("inbox", ListQuery())).items
                await mailbox.change_flags(row.id, ["$flagged"], [])
            before, token = token, await mailbox.get_sync_token(None)
            assert token not in seen
            assert await mailbox.get_sync_token(None) == token
            assert not await mailbox.list_all_changes(token)
            assert await mailbox.list_all_changes(before)
            seen.add(token)
