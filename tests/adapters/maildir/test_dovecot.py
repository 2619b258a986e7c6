"""A real Dovecot on the same Maildir: each sees what the other wrote."""

import asyncio
import codecs
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from imaplib import IMAP4

import pytest

from service.accounts.credentials import Credentials
from service.accounts.servers import Disk, MailServer
from service.adapters.maildir.backend import MaildirBackend
from service.adapters.maildir.sign_in import SignIns
from service.mail.model import Protocol
from service.mail.search.filter import ListQuery
from tests.adapters.maildir.post import PASSWORD, QUICK
from tests.contract.conftest import PATIENCE, read
from tests.contract.letters import RICH, plain
from tests.contract.test_writing import Octets
from tests.servers.dovecot import Dovecot, append

pytestmark = pytest.mark.dovecot
MOMENT = datetime(2024, 2, 29, 12, 30, 15, tzinfo=UTC)


@dataclass
class Both:
    """A mailbox, and another client on it by IMAP."""

    backend: MaildirBackend
    client: IMAP4
    server: Dovecot
    user: str

    def fetch(self, folder: str, items: str = "(FLAGS)") -> str:
        """What Dovecot answers about the messages of a folder."""
        self.client.select(folder)
        kind, rows = self.client.fetch("1:*", items)
        assert kind == "OK"
        return " ".join(row.decode() for row in rows if isinstance(row, bytes))

    def folders(self, command: str) -> set[str]:
        """In a new session: an old one may list the folders that it saw first."""
        with self.server.connect(self.user) as client:
            _, rows = getattr(client, command)()
        return {row.decode().rpartition(' "/" ')[2].strip('"') for row in rows if row}


@pytest.fixture
def as_owner() -> Iterator[None]:
    """The service runs as the owner of the mail. If root runs the tests, that is the user ``nobody``."""
    if os.geteuid() != 0:
        yield
        return
    codecs.lookup("utf-16-be")  # the interpreter's files may be root's alone
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
async def both(dovecot: Dovecot, as_owner: None) -> AsyncIterator[Both]:
    user = dovecot.user()
    client = IMAP4(dovecot.host, dovecot.ports.imap, timeout=30)
    client.login(user, "secret")
    client.create("INBOX")
    home = dovecot.maildir(user).parent
    passwords = home / "passwd"
    append(client, plain("theirs"), (), None)
    passwords.write_text(f"{home.name}:{QUICK.hash(PASSWORD)}\n")
    server = MailServer("home", maildir=Disk(f"{home.parent}/{{user}}/Maildir", passwords))
    credentials = Credentials("home", Protocol.MAILDIR, home.name, PASSWORD)
    yield Both(MaildirBackend(SignIns().sign_in(server, credentials), credentials.account), client, dovecot, user)
    client.logout()


async def test_what_dovecot_wrote_is_read(both: Both) -> None:
    both.client.create("Work/&AMQ-rger")
    both.client.subscribe("Work/&AMQ-rger")
    both.client.append("Work/&AMQ-rger", r"(\Seen \Flagged project)", '"29-Feb-2024 12:30:15 +0000"', RICH)
    folders = {folder.path: folder for folder in await both.backend.list_folders()}
    folder = folders["Work", "Ärger"]
    assert folder.is_subscribed
    assert not folders["Work",].is_subscribed
    assert (folder.total_messages, folder.unread_messages) == (1, 0)
    [row] = (await both.backend.list_messages(folder.id, ListQuery())).items
    assert set(row.flags) == {"$seen", "$flagged", "project"}
    assert (row.subject, row.received_at) == ("Grüße aus Köln", MOMENT)
    assert await read(await both.backend.open_source(row.id)) == RICH
    both.client.select("Work/&AMQ-rger")
    both.client.store("1", "-FLAGS", r"(\Seen project)")
    both.client.store("1", "+FLAGS", "(other)")
    assert set((await both.backend.get_flags(row.id)).flags) == {"$flagged", "other"}
    both.client.store("1", "+FLAGS", r"(\Deleted)")
    both.client.expunge()
    assert (await both.backend.list_messages(folder.id, ListQuery())).total == 0


async def test_dovecot_sees_what_was_written(both: Both) -> None:
    backend = both.backend
    parent = await backend.create_folder("Büro & mehr")
    folder = await backend.create_folder("Inner", parent.id)
    new = await backend.append_message(folder.id, Octets(RICH), ["$seen", "project"], MOMENT)
    assert new is not None
    name = "B&APw-ro &- mehr/Inner"
    assert {name, "B&APw-ro &- mehr"} <= both.folders("list")
    assert {name, "B&APw-ro &- mehr"} <= both.folders("lsub")
    rows = both.fetch(f'"{name}"', "(FLAGS INTERNALDATE RFC822.SIZE)")
    assert r"\Seen" in rows
    assert "project" in rows
    assert "29-Feb-2024 12:30:15 +0000" in rows
    assert f"RFC822.SIZE {len(RICH)}" in rows
    _, parts = both.client.fetch("1", "(BODY.PEEK[])")
    assert [part[1] for part in parts if isinstance(part, tuple)] == [RICH]
    await backend.change_flags(new, ["$answered", "later"], ["$seen", "project"])
    both.client.noop()
    rows = both.fetch(f'"{name}"')
    assert r"\Answered" in rows
    assert "later" in rows
    assert r"\Seen" not in rows
    assert "project" not in rows
    await backend.change_folder(parent.id, name="Renamed")
    async with asyncio.timeout(PATIENCE):
        while "Renamed/Inner" not in both.folders("list") & both.folders("lsub"):
            await asyncio.sleep(0.05)
    assert name not in both.folders("list") | both.folders("lsub")


async def test_messages_move_between_both(both: Both) -> None:
    backend = both.backend
    folder = await backend.create_folder("Other")
    both.client.select("INBOX")
    both.client.store("1", "+FLAGS", r"(\Flagged project)")
    [row] = (await backend.list_messages("inbox", ListQuery())).items
    [copied] = await backend.copy_messages([row.id], folder.id)
    [moved] = await backend.move_messages([row.id], folder.id)
    assert copied.error is moved.error is None
    rows = both.fetch("Other")
    assert rows.count("project") == rows.count(r"\Flagged") == 2
    both.client.select("INBOX")
    assert both.client.search(None, "ALL")[1] == [b""]
    await backend.delete_messages([str(moved.new_id)])
    assert both.fetch("Other").count("project") == 1
    await backend.empty_folder(folder.id)
    await backend.delete_folder(folder.id)
    async with asyncio.timeout(PATIENCE):
        while "Other" in both.folders("list") | both.folders("lsub"):
            await asyncio.sleep(0.05)


async def test_both_write_at_once(both: Both) -> None:
    """R-CONC-02: flags of one message, keywords of one file, deliveries to one folder; nothing is lost."""
    [row] = (await both.backend.list_messages("inbox", ListQuery())).items
    both.client.select("INBOX")

    def theirs() -> None:
        for number in range(8):
            assert both.client.store("1", "+FLAGS", f"(theirs{number})")[0] == "OK"
            append(both.client, plain(f"theirs {number}"), (), None)

    async def ours() -> None:
        for number in range(8):
            await both.backend.change_flags(row.id, [f"ours{number}"], [])
            await both.backend.append_message("inbox", Octets(plain(f"ours {number}")))

    await asyncio.gather(asyncio.to_thread(theirs), ours())
    page = await both.backend.list_messages("inbox", ListQuery())
    assert {f"{who} {number}" for who in ("ours", "theirs") for number in range(8)} | {"theirs"} == {
        row.subject for row in page.items
    }
    both.client.noop()
    assert both.client.select("INBOX")[1] == [b"17"]
