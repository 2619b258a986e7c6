"""Disks with odd, hostile and broken things on them."""

import os
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.adapters.maildir.backend import MaildirBackend
from service.mail.errors import MailError, NotFound, NotPermitted, OverQuota, TooLarge, UpstreamError
from service.mail.exchange import Span
from service.mail.ids import account_tag, make_id
from service.mail.model import MessageSummary
from service.mail.search.filter import Condition, Criterion, ListQuery, Order, SortKey
from tests.adapters.maildir.conftest import USER
from tests.adapters.maildir.post import Post
from tests.contract.conftest import read
from tests.contract.letters import RICH, large, plain
from tests.contract.test_writing import Octets

SECRET = plain("a secret of another user")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A Maildir beside the user's, with mail that the user may not see."""
    outside = tmp_path / "outside"
    for part in ("cur", "new", "tmp"):
        (outside / part).mkdir(parents=True)
    (outside / "cur" / "1.M1P1.x:2,S").write_bytes(SECRET)
    return outside


async def test_links_are_not_followed(post: Post, backend: MaildirBackend, secret: Path) -> None:
    inbox = post.maildir(USER)
    (inbox / "cur" / "2.M1P1.x:2,").symlink_to(secret / "cur" / "1.M1P1.x:2,S")
    (inbox / "new" / "3.M1P1.x").symlink_to(secret / "cur" / "1.M1P1.x:2,S")
    (inbox / ".Linked").symlink_to(secret)
    half = post.make(inbox / ".Half")
    (half / "cur").rmdir()
    (half / "cur").symlink_to(secret / "cur")
    folders = {folder.name: folder for folder in await backend.list_folders()}
    assert folders.keys() == {"INBOX", "Half"}
    assert folders["INBOX"].total_messages == 0
    assert not folders["Half"].is_selectable
    with pytest.raises(MailError):
        await backend.list_messages(folders["Half"].id, ListQuery())
    linked = make_id("f", account_tag(backend.account), b"Linked")
    for call in (
        backend.list_messages(linked, ListQuery()),
        backend.append_message(linked, Octets(plain("x"))),
        backend.delete_folder(linked),
    ):
        with pytest.raises(NotFound):
            await call
    message = make_id("m", account_tag(backend.account), b"1.M1P1.x/Linked")
    with pytest.raises(NotFound):
        await backend.open_source(message)
    assert [file.name for file in (secret / "cur").iterdir()] == ["1.M1P1.x:2,S"]


@pytest.mark.parametrize(
    "wire",
    [b"../outside", b"..", b".", b"", b"a/b", b"/etc", b"a\0b", b"a..b", b".a", b"a.", b"x" * 300, b"./cur", b"inbox"],
)
async def test_no_id_leads_elsewhere(post: Post, backend: MaildirBackend, secret: Path, wire: bytes) -> None:
    tag = account_tag(backend.account)
    folder = make_id("f", tag, wire)
    for call in (
        backend.list_messages(folder, ListQuery()),
        backend.get_folder(folder),
        backend.append_message(folder, Octets(plain("x"))),
        backend.delete_folder(folder),
        backend.create_folder("x", folder),
        backend.change_folder(folder, name="x"),
    ):
        with pytest.raises(NotFound):
            await call
    for name in (b"1.M1P1.x", b"../../../outside/cur/1.M1P1.x", b"1.M1P1.x:2,S"):
        message = make_id("m", tag, name + b"/" + wire)
        with pytest.raises(NotFound):
            await backend.open_source(message)
        (outcome,) = await backend.delete_messages([message])
        assert isinstance(outcome.error, NotFound)
    assert (secret / "cur" / "1.M1P1.x:2,S").exists()
    assert [folder.name for folder in await backend.list_folders()] == ["INBOX"]


ODD = [
    b"no number at all", b"1", b".hidden", b"5.x:1,experimental", b"6.x:2,", b"7.x:2,S:2,F", b"8.\xff\xfe\xc3:2,S",
    b"9.line\nbreak:2,F", b"10." + b"x" * 240, b"99999999999999999999999.M1:2,", b"11.x:", b":2,S", b"12.x:2,\xff", b"a..b",
]  # fmt: skip


async def test_files_with_odd_names_are_messages_like_others(post: Post, backend: MaildirBackend) -> None:
    for number, name in enumerate(ODD):
        (post.maildir(USER) / "cur" / os.fsdecode(name)).write_bytes(plain(number))
    shown = {str(number) for number, name in enumerate(ODD) if not name.startswith(b".")}
    rows: list[MessageSummary] = []
    cursor = None
    while True:
        page = await backend.list_messages("inbox", ListQuery(3, cursor))
        rows += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert {row.subject for row in rows} == shown
    assert len(rows) == len(shown)
    mark = await backend.get_sync_token("inbox")
    for row in rows:
        assert await read(await backend.open_source(row.id)) == plain(row.subject)
        flags = (await backend.change_flags(row.id, ["$answered"], [])).flags
        assert "$answered" in flags
        assert (await backend.get_flags(row.id)).flags == flags
    assert set((await backend.list_changes("inbox", mark)).changes.updated) == {row.id for row in rows}
    outcomes = await backend.delete_messages([row.id for row in rows])
    assert [outcome.error for outcome in outcomes] == [None] * len(rows)
    assert [file.name for file in (post.maildir(USER) / "cur").iterdir()] == [".hidden"]


async def test_only_plain_files_are_messages(post: Post, backend: MaildirBackend) -> None:
    """Opening a named pipe would block for ever."""
    cur = post.maildir(USER) / "cur"
    os.mkfifo(cur / "1.M1P1.pipe:2,S")
    (cur / "2.M1P1.folder:2,S").mkdir()
    post.deliver(USER, plain("x"))
    [row] = (await backend.list_messages("inbox", ListQuery())).items
    assert row.subject == "x"


async def test_a_huge_message_is_listed_and_read_in_pieces(post: Post, backend: MaildirBackend) -> None:
    """R-OPS-07: of five gigabytes only the first octets are read."""
    file = post.deliver(USER, plain("huge"))
    os.truncate(file, 5 << 30)
    [row] = (await backend.list_messages("inbox", ListQuery(with_preview=True))).items
    assert (row.subject, row.size, row.has_attachment) == ("huge", 5 << 30, None)
    with pytest.raises(TooLarge):
        await backend.get_message(row.id)
    with pytest.raises(TooLarge):
        await backend.open_part(row.id, "1")
    assert (await backend.list_headers(row.id, ["subject"]))[0].value == "huge"
    assert await read(await backend.open_source(row.id, span=Span((5 << 30) - 3, None))) == b"\0\0\0"
    start = await backend.open_source(row.id)
    assert (await anext(start.chunks)).startswith(plain("huge"))
    await start.chunks.aclose()
    page = await backend.list_messages("inbox", ListQuery(filter=Condition(Criterion.BODY, "letter huge")))
    assert page.total == 1


async def test_a_message_cut_while_it_is_read_is_an_error(post: Post, backend: MaildirBackend) -> None:
    """The download does not end as if the message were shorter."""
    file = post.deliver(USER, plain("x") + b"x" * 2_000_000)
    [row] = (await backend.list_messages("inbox", ListQuery())).items
    download = await backend.open_source(row.id)
    await anext(download.chunks)
    os.truncate(file, 1000)
    with pytest.raises(UpstreamError):
        [chunk async for chunk in download.chunks]


async def test_empty_and_broken_messages_have_rows(post: Post, backend: MaildirBackend) -> None:
    """R-MIME-03."""
    for octets in (b"", b"\n", b"\0" * 1000, b"\xff" * 1000, RICH[:300], RICH.replace(b"\r\n", b"\n")):
        post.deliver(USER, octets)
    page = await backend.list_messages("inbox", ListQuery(with_preview=True, sort=(Order(SortKey.SUBJECT),)))
    assert page.total == len(page.items) == 6
    for row in page.items:
        assert (await backend.get_message(row.id)).size == row.size


async def test_a_deleted_folder_takes_its_content_with_it_and_nothing_else(
    post: Post, backend: MaildirBackend, secret: Path
) -> None:
    place = post.make(post.maildir(USER) / ".Old")
    (place / "cur" / "link").symlink_to(secret / "cur")
    (place / "elsewhere").symlink_to(secret)
    (place / "dovecot.index").touch()
    await backend.delete_folder((await backend.list_folders())[1].id)
    assert (secret / "cur" / "1.M1P1.x:2,S").read_bytes() == SECRET
    names = {each.name for each in post.maildir(USER).iterdir()}
    assert names == {"cur", "new", "tmp", "subscriptions"}


async def test_folders_with_odd_names_are_listed_or_ignored(post: Post, backend: MaildirBackend) -> None:
    """R-IMAP-24."""
    inbox = post.maildir(USER)
    for name in (".A.B.C", ".&AOQ-", ".&broken", ".INBOX", "..x", ".a..b", "plain", ".e.", ".Trash", ".INBOX.Sub"):
        post.make(inbox / name)
    post.make(inbox / os.fsdecode(b".\xff\xfe"))
    (inbox / ".file").touch()
    folders = await backend.list_folders()
    by_path = {folder.path: folder for folder in folders}
    assert {("INBOX",), ("A", "B", "C"), ("A", "B"), ("A",), ("ä",), ("&broken",), ("Trash",), ("INBOX", "Sub")} <= (
        by_path.keys()
    )
    assert len(folders) == 9
    assert not by_path["A", "B"].is_selectable
    assert by_path["A", "B", "C"].parent_id == by_path["A", "B"].id
    assert by_path["INBOX", "Sub"].parent_id == by_path["INBOX",].id
    assert by_path["Trash",].role == "trash"
    with pytest.raises(NotFound):
        await backend.list_messages(by_path["A", "B"].id, ListQuery())
    for folder in folders:
        assert (await backend.get_folder(folder.id)) == folder


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder of a user without rights. If root runs the tests, this one runs as that user: root may read everything."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if os.geteuid() != 0:
            yield place
            return
        os.chown(place, 65534, 65534)
        os.seteuid(65534)
        try:
            yield place
        finally:
            os.seteuid(0)


async def test_a_message_that_may_not_be_read_has_a_row_and_an_error(as_nobody: Path) -> None:
    post = Post(as_nobody)
    post.user(USER)
    backend = post.backend(USER)
    locked = post.deliver(USER, plain("locked"), ["$seen"])
    post.deliver(USER, plain("open"))
    locked.chmod(0)
    rows = (await backend.list_messages("inbox", ListQuery())).items
    assert [(row.subject, row.flags) for row in rows] == [("open", ()), (None, ("$seen",))]
    with pytest.raises(NotPermitted):
        await backend.open_source(rows[1].id)
    assert (await backend.get_flags(rows[1].id)).flags == ("$seen",)
    post.maildir(USER).joinpath("cur").chmod(0o500)
    with pytest.raises(NotPermitted):
        await backend.set_flags(rows[1].id, [])
    post.maildir(USER).joinpath("cur").chmod(0o700)


async def test_a_message_that_does_not_fit_is_an_error_and_leaves_no_file(post: Post, backend: MaildirBackend) -> None:
    """R-IMAP-26: the kernel refuses octets beyond its limit of a file's size, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, before[1]))
    try:
        with pytest.raises(OverQuota):
            await backend.append_message("inbox", Octets(large(200_000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [file for part in ("tmp", "new", "cur") for file in (post.maildir(USER) / part).iterdir()] == []
