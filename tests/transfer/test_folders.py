"""Folders find their place by role, then by name, whatever separates names; views come last."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.mail.backend import Backend
from service.mail.model import Protocol
from service.transfer.burst import run_burst
from service.transfer.model import Job, Options, Report
from service.transfer.targets import safe_name
from tests.adapters.maildir.post import Post
from tests.memory import MemoryBackend
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST
from tests.transfer.checker import contents, digest

pytestmark = pytest.mark.dovecot
OTHER_NAMES = """\
namespace inbox {
  separator = .
  prefix = INBOX.
  mailbox Drafts {
    special_use = \\Drafts
  }
  mailbox "Sent Messages" {
    auto = subscribe
    special_use = \\Sent
  }
  mailbox Sent {
    auto = no
    special_use = \\Important
  }
  mailbox Alles {
    auto = subscribe
    special_use = \\All
  }
}
namespace shared {
  separator = .
  prefix = Shared.%%u.
}
"""


@pytest.fixture(scope="module")
def other() -> Iterator[Dovecot]:
    """A server with other names: ``INBOX.`` before each folder, dots between, and a folder that shows all mail."""
    with Dovecot(settings=OTHER_NAMES) as server:
        yield server


def opened(server: Dovecot, user: str) -> ImapBackend:
    credentials = Credentials("x", Protocol.IMAP, user, PASSWORD)
    return ImapBackend(Endpoint(HOST, server.ports.imap, Security.NONE, server="x"), credentials)


async def imported(source: Backend, destination: Backend, options: Options | None = None) -> Report:
    try:
        return await run_burst(source, destination, Job(options or Options()), 30)
    finally:
        await source.aclose()
        await destination.aclose()


def mail(number: int) -> bytes:
    return b"Message-ID: <%d@example.org>\r\n\r\n%d\r\n" % (number, number)


def numbers(server: Dovecot, user: str) -> dict[str, set[int]]:
    """Which messages are in which folder; folders without any are left out."""
    known = {digest(mail(number)): number for number in range(100)}
    found = contents(server, user)
    return {name: {known[seen.octets] for seen in rows} for name, rows in found.items() if rows}


async def test_roles_come_before_names_and_separators_are_translated(other: Dovecot, dovecot: Dovecot) -> None:
    old, new = other.user(), dovecot.user()
    for number, folder in enumerate(("INBOX", "Sent Messages", "Work/Clients/Ümläut", "Work")):
        other.seed(old, [(mail(number), (), None)], folder)
    await imported(opened(other, old), opened(dovecot, new))
    assert numbers(dovecot, new) == {"INBOX": {0}, "Sent": {1}, "Work/Clients/Ümläut": {2}, "Work": {3}}


async def test_the_way_back_finds_the_same_folders(other: Dovecot, dovecot: Dovecot) -> None:
    old, new = dovecot.user(), other.user()
    for number, folder in enumerate(("INBOX", "Sent", "Work/Clients", "会議/東京", "Sent/2024")):
        dovecot.seed(old, [(mail(number), (), None)], folder)
    await imported(opened(dovecot, old), opened(other, new))
    assert numbers(other, new) == {
        "INBOX": {0},
        "INBOX.Sent Messages": {1},
        "INBOX.Work.Clients": {2},
        "INBOX.会議.東京": {3},
        "INBOX.Sent Messages.2024": {4},
    }


async def test_all_mail_comes_last_and_only_what_is_nowhere_else(other: Dovecot, dovecot: Dovecot) -> None:
    """Labels of Gmail: each message is in All Mail too."""
    old, new = other.user(), dovecot.user()
    other.seed(old, [(mail(number), ("$seen",), None) for number in range(2)], "INBOX")
    other.seed(old, [(mail(2), (), None)], "Label")
    with other.connect(old) as client:  # copies have the same time of arrival
        client.select("INBOX")
        client.copy("1:2", '"INBOX.Alles"')
        client.select('"INBOX.Label"')
        client.copy("1", '"INBOX.Alles"')
    other.append(old, mail(9), folder="INBOX.Alles")
    dry = await imported(opened(other, old), opened(dovecot, new), Options(is_dry=True))
    assert (dry.progress.left, dry.progress.octets) == (4, 4 * len(mail(0)))  # as many as it copies
    report = await imported(opened(other, old), opened(dovecot, new))
    assert numbers(dovecot, new) == {"INBOX": {0, 1}, "Label": {2}, "Alles": {9}}
    assert report.folders[0].name == "INBOX"
    assert report.progress.copied == 4
    again = await imported(opened(other, old), opened(dovecot, new))
    assert again.progress.copied == 0


async def test_all_mail_gets_nothing_that_earlier_bursts_copied_under_another_name(tmp_path: Path) -> None:
    source, post = MemoryBackend(), Post(tmp_path)
    label, everything = await source.create_folder("a.b"), await source.create_folder("All")
    source._box(everything.id).role = "all"
    source.deliver(mail(1), folder=label.id)
    await source.copy_messages(await source.list_ids(label.id), everything.id)
    destination, job, is_done = post.backend(post.user("ann")), Job(Options()), False
    while not is_done:
        report = await run_burst(source, destination, job, 0)
        job, is_done = Job.of(job.claims()), report.is_done
    assert (report.progress.copied, report.progress.skipped) == (1, 1)
    assert {folder.name for folder in await destination.list_folders() if folder.total_messages} == {"a_b"}


async def test_empty_folders_come_too_and_an_import_may_be_of_some_folders_into_one(dovecot: Dovecot) -> None:
    old, new, one = dovecot.user(), dovecot.user(), dovecot.user()
    dovecot.seed(old, [], "Empty/Below")
    dovecot.seed(old, [(mail(1), (), None)], "A")
    dovecot.seed(old, [(mail(1), (), None), (mail(2), (), None)], "B")
    await imported(opened(dovecot, old), opened(dovecot, new))
    assert "Empty/Below" in contents(dovecot, new)
    source = opened(dovecot, old)
    folders = tuple(folder.id for folder in await source.list_folders() if folder.name in {"A", "B"})
    report = await imported(source, opened(dovecot, one), Options(folders, "archive"))
    assert report.progress.copied == 3
    assert contents(dovecot, one)["Archive"].total() == 3
    assert [folder.name for folder in report.folders] == ["A", "B"]


async def test_a_name_that_the_destination_cannot_have_is_written_without_signs(tmp_path: Path) -> None:
    source = MemoryBackend()
    folder = await source.create_folder("Work. 50% / ~x"[:9])
    source.deliver(mail(1), folder=folder.id)
    destination = Post(tmp_path).backend(Post(tmp_path).user("ann"))
    assert (await imported(source, destination)).failed == ()
    assert (await imported(source, destination)).progress.copied == 0
    assert safe_name("a/b.c%*") == "a_b_c__"


async def test_a_folder_that_can_only_contain_folders_is_passed_over(dovecot: Dovecot) -> None:
    old, new = dovecot.user(), dovecot.user()
    dovecot.seed(old, [(mail(1), (), None)], "Only/Below")
    maildir = dovecot.maildir(old) / ".Only"
    assert not maildir.exists()  # Dovecot lists it as \\NoSelect
    report = await imported(opened(dovecot, old), opened(dovecot, new))
    assert report.is_done
    assert numbers(dovecot, new) == {"Only/Below": {1}}
