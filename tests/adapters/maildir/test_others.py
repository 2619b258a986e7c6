"""Changes by other programs while the service uses the same Maildir."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

import pytest

from service.adapters.maildir.backend import MaildirBackend
from service.adapters.maildir.disk.content import WINDOW
from service.adapters.maildir.sync_state import MAX_OCTETS
from service.mail.errors import Changed, InUse, NotFound, NotPermitted, StaleToken, UpstreamError
from service.mail.search.filter import Condition, Criterion, ListQuery
from tests.adapters.maildir.conftest import USER
from tests.adapters.maildir.post import Post
from tests.contract.conftest import read
from tests.contract.letters import plain
from tests.contract.test_writing import Octets


async def only(backend: MaildirBackend) -> str:
    """The id of the only message."""
    [row] = (await backend.list_messages("inbox", ListQuery())).items
    return row.id


def files(post: Post, folder: str = "") -> list[str]:
    """All names in ``new`` and ``cur``. Fails if a file is left in ``tmp``."""
    place = post.maildir(USER) / folder
    assert list((place / "tmp").iterdir()) == []
    return sorted(f"{part}/{file.name}" for part in ("new", "cur") for file in (place / part).iterdir())


async def test_a_message_keeps_its_id_when_another_client_renames_it(post: Post, backend: MaildirBackend) -> None:
    file = post.deliver(USER, plain("x"))
    message = await only(backend)
    seen = file.rename(post.maildir(USER) / "cur" / f"{file.name}:2,S")
    assert (await backend.get_flags(message)).flags == ("$seen",)
    assert await read(await backend.open_source(message)) == plain("x")
    seen.rename(seen.with_name(f"{file.name}:2,FS"))
    assert set((await backend.change_flags(message, ["$answered"], ["$seen"])).flags) == {"$flagged", "$answered"}
    assert files(post) == [f"cur/{file.name}:2,FR"]
    [row] = await backend.get_messages([message])
    assert set(row.flags) == {"$flagged", "$answered"}


async def test_letters_of_other_programs_stay(post: Post, backend: MaildirBackend) -> None:
    """R-IMAP-25: ``P`` (passed on), a keyword letter without a keyword, and what follows another comma."""
    file = post.deliver(USER, plain("x"))
    odd = file.rename(post.maildir(USER) / "cur" / f"{file.name}:2,PSz,more")
    message = await only(backend)
    assert (await backend.get_flags(message)).flags == ("$seen",)
    await backend.set_flags(message, ["$flagged"])
    assert files(post) == [f"cur/{file.name}:2,FPz,more"]
    assert not odd.exists()


async def test_flags_are_not_changed_if_the_caller_knew_other_ones(post: Post, backend: MaildirBackend) -> None:
    """R-CONC-02."""
    file = post.deliver(USER, plain("x"), ["$seen"])
    message = await only(backend)
    version = (await backend.get_flags(message)).version
    assert (await backend.get_message(message)).version == version
    renamed = file.rename(file.with_name(f"{file.name}F"))
    with pytest.raises(Changed):
        await backend.set_flags(message, [], version=version)
    assert renamed.exists()
    flags = await backend.set_flags(message, ["$draft"], version=(await backend.get_flags(message)).version)
    assert flags.flags == ("$draft",)


async def test_changes_of_flags_at_once_are_all_made(post: Post) -> None:
    """R-CONC-02: renaming the file under its old name fails, and is tried again with the new one."""
    post.deliver(USER, plain("x"))
    backends = [post.backend(USER) for _ in range(5)]
    message = await only(backends[0])
    flags = ["$seen", "$flagged", "$answered", "$draft", "$deleted"]
    for _ in range(10):
        await asyncio.gather(
            *(each.change_flags(message, [flag], []) for each, flag in zip(backends, flags, strict=True))
        )
        assert set((await backends[0].get_flags(message)).flags) == set(flags)
        await asyncio.gather(
            *(each.change_flags(message, [], [flag]) for each, flag in zip(backends, flags, strict=True))
        )
        assert (await backends[0].get_flags(message)).flags == ()


MARK_ALL = """
import os, sys
os.chdir(sys.argv[1])
while True:
    for name in sorted(os.listdir()):
        os.rename(name, name[:-1] if name.endswith("S") else name + "S")
"""


@contextmanager
def marking_all(folder: Path) -> Iterator[None]:
    """Another client marks all messages as read, then as unread, as fast as it can."""
    client = subprocess.Popen([sys.executable, "-c", MARK_ALL, str(folder)])
    try:
        yield
    finally:
        client.kill()
        client.wait()


async def test_no_list_misses_a_message_that_is_being_renamed(post: Post, backend: MaildirBackend) -> None:
    """R-IMAP-06: a folder that is read while names change in it may show a file twice, or not at all."""
    cur = post.maildir(USER) / "cur"
    names = [f"{number}.M1P1.{'x' * 50}" for number in range(1500)]  # more than the kernel lists at once
    for name in names:
        (cur / f"{name}:2,").write_bytes(plain(name))
    with marking_all(cur):
        for _ in range(6):
            assert (await backend.get_folder("inbox")).total_messages == 1500
        page = await backend.list_messages("inbox", ListQuery(limit=3))
    assert page.total == 1500
    assert [row.subject for row in page.items] == names[:-4:-1]


async def test_a_message_that_another_client_deleted_is_gone(post: Post, backend: MaildirBackend) -> None:
    files_of = [post.deliver(USER, plain(number)) for number in range(3)]
    page = await backend.list_messages("inbox", ListQuery())
    mark = await backend.get_sync_token("inbox")
    files_of[1].unlink()
    gone = page.items[1].id
    with pytest.raises(NotFound):
        await backend.get_message(gone)
    [outcome] = await backend.delete_messages([gone])
    assert isinstance(outcome.error, NotFound)
    assert [row.subject for row in (await backend.list_messages("inbox", ListQuery())).items] == ["2", "0"]
    assert (await backend.list_changes("inbox", mark)).changes.destroyed == (gone,)


async def test_a_message_that_is_being_delivered_is_not_listed(post: Post, backend: MaildirBackend) -> None:
    (post.maildir(USER) / "tmp" / "1.M1P1.half").write_bytes(b"Subject: half")
    assert (await backend.list_messages("inbox", ListQuery())).total == 0


async def test_nothing_is_done_to_one_of_two_files_of_one_name(post: Post, backend: MaildirBackend) -> None:
    """R-CONC-01: the id does not say which of them is meant."""
    file = post.deliver(USER, plain("x"), ["$seen"])
    twin = file.parent.parent / "new" / file.name.partition(":")[0]
    twin.write_bytes(plain("another"))
    message = await only(backend)
    (deleted,) = await backend.delete_messages([message])
    (moved,) = await backend.move_messages([message], "inbox")
    for error in (deleted.error, moved.error):
        assert isinstance(error, UpstreamError)
        assert error.code == "ambiguousId"
    with pytest.raises(UpstreamError):
        await backend.set_flags(message, [])
    assert file.read_bytes() == plain("x")
    assert twin.read_bytes() == plain("another")


async def test_flags_of_another_client_are_a_change(post: Post, backend: MaildirBackend) -> None:
    file = post.deliver(USER, plain("x"))
    message, mark, whole = (
        await only(backend),
        await backend.get_sync_token("inbox"),
        await backend.get_sync_token(None),
    )
    file.rename(post.maildir(USER) / "cur" / f"{file.name}:2,S")
    post.make(post.maildir(USER) / ".New")
    assert (await backend.list_changes("inbox", mark)).changes.updated == (message,)
    changes = await backend.list_all_changes(whole)
    assert [folder.updated for folder in changes.folders] == [(message,)]
    assert changes.created_folders == [(await backend.list_folders())[1].id]
    with pytest.raises(StaleToken):
        await backend.list_changes("inbox", await backend.get_sync_token(None))


async def test_changes_of_more_messages_than_a_token_holds_are_listed_by_this_process(
    post: Post, backend: MaildirBackend
) -> None:
    """R-CONC-08: in another process, and after a few more tokens, the token is stale."""
    new = post.maildir(USER) / "new"
    for number in range(1000):
        (new / f"{number}.{token_hex(8)}.x").write_bytes(plain(number))
    mark = await backend.get_sync_token("inbox")
    assert len(mark) < MAX_OCTETS
    post.deliver(USER, plain("new"))
    changes = await backend.list_changes("inbox", mark)
    [created] = changes.changes.created
    assert (await backend.get_message(created)).subject == "new"
    assert changes.changes.destroyed == ()
    with pytest.raises(StaleToken):
        await post.backend(USER).list_changes("inbox", mark)


async def test_a_folder_that_another_client_removes_is_not_found(post: Post, backend: MaildirBackend) -> None:
    file = post.deliver(USER, plain("x"), folder=".Gone")
    folder = next(each.id for each in await backend.list_folders() if each.name == "Gone")
    [row] = (await backend.list_messages(folder, ListQuery())).items
    file.unlink()
    for part in ("cur", "new", "tmp"):
        (post.maildir(USER) / ".Gone" / part).rmdir()
    with pytest.raises(NotFound):
        await backend.list_messages(folder, ListQuery())
    (post.maildir(USER) / ".Gone").rmdir()
    with pytest.raises(NotFound) as missing:
        await backend.get_message(row.id)
    assert missing.value.what == "message"


async def test_keywords_wait_for_the_lock_of_another_program(post: Post, backend: MaildirBackend) -> None:
    """Dovecot's lock is respected, and no keyword is lost."""
    post.deliver(USER, plain("x"), ["theirs"])
    message, place = await only(backend), post.maildir(USER)
    lock = place / "dovecot-keywords.lock"
    lock.touch()
    with pytest.raises(InUse):
        await backend.change_flags(message, ["ours"], [])
    waiting = asyncio.create_task(backend.change_flags(message, ["ours"], []))
    await asyncio.sleep(0)
    lock.write_text("0 theirs\n1 more\n")
    lock.rename(place / "dovecot-keywords")
    assert set((await waiting).flags) == {"theirs", "ours"}
    assert (place / "dovecot-keywords").read_text() == "0 theirs\n1 more\n2 ours\n"


async def test_a_folder_keeps_26_keywords(post: Post, backend: MaildirBackend) -> None:
    post.deliver(USER, plain("x"))
    message = await only(backend)
    names = [f"k{number:02}" for number in range(26)]
    assert set((await backend.set_flags(message, names)).flags) == set(names)
    with pytest.raises(NotPermitted):
        await backend.change_flags(message, ["one-more"], [])
    assert set((await backend.get_flags(message)).flags) == set(names)


async def test_keywords_move_by_their_names(post: Post, backend: MaildirBackend) -> None:
    """A letter means another keyword in another folder."""
    post.deliver(USER, plain("there"), ["first"], folder=".Other")
    post.deliver(USER, plain("x"), ["second", "$seen"])
    other = next(each.id for each in await backend.list_folders() if each.name == "Other")
    [outcome] = await backend.move_messages([await only(backend)], other)
    assert outcome.new_id is not None
    assert set((await backend.get_flags(outcome.new_id)).flags) == {"second", "$seen"}
    assert files(post) == []


class Stuck(Octets):
    """Some octets, and then none: the sender hangs."""

    def __init__(self, octets: bytes) -> None:
        super().__init__(octets)
        self.begun = asyncio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.octets
        self.begun.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize("size", [10, 1 << 20])
async def test_a_cancelled_append_leaves_no_file(post: Post, backend: MaildirBackend, size: int) -> None:
    """R-OPS-10: before and after some of its octets are on the disk."""
    stuck = Stuck(b"x" * size)
    task = asyncio.create_task(backend.append_message("inbox", stuck))
    await stuck.begun.wait()
    [draft] = (post.maildir(USER) / "tmp").iterdir()
    assert draft.stat().st_size == (size if size >= WINDOW else 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files(post) == []


async def test_an_appended_message_is_a_file_as_other_programs_write_it(post: Post, backend: MaildirBackend) -> None:
    moment = datetime(2024, 2, 29, 12, 30, 15, tzinfo=UTC)
    await backend.append_message("inbox", Octets(plain("seen")), ["$seen", "$flagged"], moment)
    await backend.append_message("inbox", Octets(plain("new")))
    new, seen = sorted(files(post), reverse=True)
    assert new.startswith("new/")
    assert ":" not in new
    assert seen.startswith("cur/")
    assert seen.endswith(f",S={len(plain('seen'))}:2,FS")
    file = post.maildir(USER) / seen
    assert file.read_bytes() == plain("seen")
    assert file.stat().st_mtime == moment.timestamp()
    assert file.stat().st_mode & 0o777 == 0o600


async def test_an_emptied_folder_keeps_messages_that_arrive_meanwhile(post: Post, backend: MaildirBackend) -> None:
    for number in range(20):
        post.deliver(USER, plain(number))
    emptying = asyncio.create_task(backend.empty_folder("inbox"))
    while len(files(post)) == 20:
        await asyncio.sleep(0)
    post.deliver(USER, plain("late"))
    assert await emptying == 20
    [row] = (await backend.list_messages("inbox", ListQuery())).items
    assert row.subject == "late"


async def test_a_search_continues_if_a_message_is_deleted(post: Post, backend: MaildirBackend) -> None:
    ours = [post.deliver(USER, plain(number, body=f"needle {number}")) for number in range(120)]
    searching = asyncio.create_task(
        backend.list_messages("inbox", ListQuery(limit=200, filter=Condition(Criterion.BODY, "needle")))
    )
    await asyncio.sleep(0)
    ours[0].unlink()
    page = await searching
    assert {str(number) for number in range(1, 120)} <= {row.subject for row in page.items}
    assert page.unsearched is None
