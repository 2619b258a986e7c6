"""Folder lists in every form a server can send (R-IMAP-24), and what they cost."""

import time

import pytest

from service.adapters.shared.folder_names import decode_name, encode_name, guessed_role
from service.mail.errors import AlreadyExists, InvalidRequest, NotFound, UpstreamError
from service.mail.search.filter import ListQuery
from tests.adapters.imap.conftest import Scripted, asked
from tests.servers.scripted import Close

OK = b"{tag} OK done\r\n"


def listed(*rows: bytes) -> bytes:
    return b"".join(b"* LIST " + row + b"\r\n" for row in rows) + OK


@pytest.mark.parametrize(
    ("row", "name", "path"),
    [
        (b'() "/" "a* b"', "a* b", ["a* b"]), (b'() "/" "100%"', "100%", ["100%"]), (b'() "/" "{5}"', "{5}", ["{5}"]),
        (b'() "/" "q\\"u\\\\o"', 'q"u\\o', ['q"u\\o']), (b'() NIL "a/b.c"', "a/b.c", ["a/b.c"]),
        (b'() "." "a.b"', "b", ["a", "b"]), (b'() "\\\\" "a\\\\b"', "b", ["a", "b"]),
        (b'() "/" {3}\r\na\rb', "a\ufffdb", ["a\ufffdb"]), (b'() "/" "&AOQ-rger"', "ärger", ["ärger"]),
        (b'() "/" "&broken"', "&broken", ["&broken"]), (b'() "/" "&2AA-"', None, None),
        (b'() "/" "\xc3\xa4rger"', "ärger", ["ärger"]), (b'() "/" "\xff\xfe"', "\ufffd\ufffd", ["\ufffd\ufffd"]),
        (b'() "/" ".."', "..", ["..", ]), (b'() "/" "a//b"', "b", ["a", "\ufffd", "b"]),
        (b'() "/" "x\xe2\x80\xaey"', "x\ufffdy", ["x\ufffdy"]),
    ],
)  # fmt: skip
async def test_an_odd_name_is_shown_cleaned_and_sent_back_exactly(
    scripted: Scripted, row: bytes, name: str | None, path: list[str] | None
) -> None:
    """R-IMAP-24: the id round-trips whatever is in the name."""
    async with scripted({"LIST": listed(row)}) as (server, mailbox):
        [_, folder] = await mailbox.list_folders()
        if name is not None:
            assert (folder.name, list(folder.path)) == (name, path)
        await mailbox.list_messages(folder.id, ListQuery())
        select = next(command for command in server.commands if command.startswith(b"SELECT"))
        wire = row.partition(b" ")[2].partition(b" ")[2]
        assert select.partition(b" ")[2] in {wire, wire.replace(b"{3}", b"{3+}"), _literal(wire)}


def _literal(wire: bytes) -> bytes:
    octets = wire[1:-1].replace(b"\\\\", b"\\").replace(b'\\"', b'"')
    return b"{%d+}\r\n%b" % (len(octets), octets)


async def test_inbox_is_there_once_in_any_spelling(scripted: Scripted) -> None:
    for rows in ((b'() "/" InBox',), (b'() "/" Other',), ()):
        async with scripted({"LIST": listed(*rows)}) as (_, mailbox):
            folders = await mailbox.list_folders()
            assert [folder.role for folder in folders].count("inbox") == 1
            assert folders[0].name == "INBOX"


async def test_names_that_look_the_same_stay_apart(scripted: Scripted) -> None:
    """R-IMAP-24: equal after decoding."""
    async with scripted({"LIST": listed(b'() "/" "&AOQ-"', b'() "/" "\xc3\xa4"')}) as (_, mailbox):
        folders = [folder for folder in await mailbox.list_folders() if folder.name == "ä"]
        assert len({folder.id for folder in folders}) == 2


async def test_ten_thousand_folders_are_listed_in_linear_time(scripted: Scripted) -> None:
    """R-IMAP-24, with counts in the same answer; five thousand deep as well."""
    rows = [b'() "/" "f%d"' % number for number in range(10_000)] + [b'() "/" "' + b"/".join([b"d"] * 400) + b'"']
    status = b"".join(b'* STATUS "f%d" (MESSAGES 1 UNSEEN 0)\r\n' % number for number in range(10_000))
    capabilities = b"IMAP4rev1 LIST-EXTENDED LIST-STATUS SPECIAL-USE"
    async with scripted({"LIST": status + listed(*rows)}, capabilities=capabilities) as (_, mailbox):
        await mailbox.check()
        began = time.process_time()
        folders = await mailbox.list_folders()
        assert len(folders) == 10_002
        assert time.process_time() - began < 10  # both ends of the wire are in this process


async def test_folders_of_others_are_told_apart_with_rights(scripted: Scripted) -> None:
    """RFC 2342 and RFC 4314; a server that lists them only by name is asked by name."""

    def listing(command: bytes) -> bytes:
        if b"#shared" in command:
            return listed(b'() "/" "#shared/news"')
        return listed(b'() "/" INBOX', b'() "/" "~bob/Team"') if command.startswith(b"LIST") else OK

    answers = {
        "NAMESPACE": b'* NAMESPACE (("" "/")) (("~" "/")) (("#shared/" "/"))\r\n' + OK,
        "LIST": listing, "LSUB": OK,
        "MYRIGHTS": lambda command: b"* MYRIGHTS " + command[9:] + b" lr\r\n" + OK,
    }  # fmt: skip
    async with scripted(answers, capabilities=b"IMAP4rev1 NAMESPACE ACL") as (_, mailbox):
        folders = {folder.path: folder for folder in await mailbox.list_folders()}
        assert (folders["~bob", "Team"].namespace, folders["~bob", "Team"].rights) == ("other", "lr")
        assert (folders["#shared", "news"].namespace, folders["#shared", "news"].rights) == ("shared", "lr")
        assert (folders["INBOX",].namespace, folders["INBOX",].rights) == (None, None)


async def test_a_personal_prefix_is_where_new_folders_go(scripted: Scripted) -> None:
    """As on Courier, where all lies below INBOX."""
    made = listed(b'() "." INBOX', b'() "." "INBOX.Work"')
    rows = iter([listed(b'() "." INBOX'), made])
    answers = {
        "NAMESPACE": b'* NAMESPACE (("INBOX." ".")) NIL NIL\r\n' + OK, "LIST": lambda _: next(rows, made),
        "LSUB": OK, "CREATE": OK, "SUBSCRIBE": OK,
    }  # fmt: skip
    async with scripted(answers, capabilities=b"IMAP4rev1 NAMESPACE") as (server, mailbox):
        folder = await mailbox.create_folder("Work")
        assert b'CREATE "INBOX.Work"' in server.commands
        assert (folder.path, folder.parent_id) == (("Work",), None)


PREFIXED = {"NAMESPACE": b'* NAMESPACE (("INBOX." ".")) NIL (("" "."))\r\n' + OK, "LSUB": OK}
"""Nearly Cyrus as it comes."""


async def test_a_prefix_of_all_folders_is_in_no_path(scripted: Scripted) -> None:
    """R-IMAP-63: what lies below INBOX on the wire is at the root; folders of others keep their names."""
    names = (b"INBOX", b"INBOX.Work", b"INBOX.Work.Inner", b"Archive", b"news.all", b"INBOX.INBOX", b"INBOX.inbox.x")
    answers = PREFIXED | {"LIST": listed(*(b'() "." "%b"' % name for name in names))}
    async with scripted(answers, capabilities=b"IMAP4rev1 NAMESPACE") as (_, mailbox):
        folders = {folder.path: folder for folder in await mailbox.list_folders()}
        assert folders.keys() == {
            ("INBOX",), ("Work",), ("Work", "Inner"), ("Archive",), ("news", "all"), ("INBOX", "INBOX"),
            ("INBOX", "inbox", "x"),
        }  # fmt: skip
        assert folders["Work",].parent_id is None
        assert folders["Work", "Inner"].parent_id == folders["Work",].id
        assert folders["Archive",].namespace == "shared"
        assert folders["Archive",].role is None
        assert folders["INBOX", "INBOX"].parent_id == folders["INBOX",].id


async def test_a_prefix_is_shown_if_the_rest_names_another_folder_of_the_user(scripted: Scripted) -> None:
    """R-IMAP-63: two folders never look the same."""
    answers = PREFIXED | {
        "NAMESPACE": b'* NAMESPACE (("Mail/" "/")) NIL NIL\r\n' + OK,
        "LIST": listed(b'() "/" INBOX', b'() "/" "Mail/Work"', b'() "/" Work', b'() "/" "Mail/Other"'),
    }
    async with scripted(answers, capabilities=b"IMAP4rev1 NAMESPACE") as (_, mailbox):
        paths = {folder.path for folder in await mailbox.list_folders()}
        assert paths == {("INBOX",), ("Mail", "Work"), ("Work",), ("Other",)}


@pytest.mark.parametrize("parent", ["", "inbox", None])
async def test_the_root_and_the_inbox_are_one_place_below_a_prefix(scripted: Scripted, parent: str | None) -> None:
    """R-IMAP-63: and no second folder there is called INBOX."""
    rows = [b'() "." INBOX', b'() "." "INBOX.Work"', b'() "." "INBOX.Work.Inner"']
    made = [*rows, b'() "." "INBOX.Inner"']
    lists = iter([listed(*rows)])
    answers = PREFIXED | {"LIST": lambda _: next(lists, listed(*made)), "CREATE": OK, "SUBSCRIBE": OK}
    async with scripted(answers, capabilities=b"IMAP4rev1 NAMESPACE") as (server, mailbox):
        folder = await mailbox.create_folder("Inner", parent)
        assert b'CREATE "INBOX.Inner"' in server.commands
        assert (folder.path, folder.parent_id) == (("Inner",), None)
        for name in ("INBOX", "Inbox", "Work"):
            with pytest.raises(AlreadyExists):
                await mailbox.create_folder(name, parent)


async def test_a_folder_moves_to_the_root_below_a_prefix(scripted: Scripted) -> None:
    """R-IMAP-63."""
    rows = [b'() "." INBOX', b'() "." "INBOX.Work"', b'() "." "INBOX.Work.Inner"']
    moved = [*rows[:2], b'() "." "INBOX.Inner"']
    lists = iter([listed(*rows), listed(*rows)])
    answers = PREFIXED | {"LIST": lambda _: next(lists, listed(*moved)), "RENAME": OK, "SUBSCRIBE": OK}
    async with scripted(answers, capabilities=b"IMAP4rev1 NAMESPACE") as (server, mailbox):
        inner = next(folder for folder in await mailbox.list_folders() if folder.name == "Inner")
        folder = await mailbox.change_folder(inner.id, parent="")
        assert b'RENAME "INBOX.Work.Inner" "INBOX.Inner"' in server.commands
        assert (folder.path, folder.parent_id) == (("Inner",), None)


async def test_a_folder_below_a_root_that_is_not_listed_keeps_its_place(scripted: Scripted) -> None:
    """R-IMAP-59: the root of public folders is often no folder."""
    rows = [b'() "/" INBOX', b'() "/" "Shared Folders/Archive"']
    lists = iter([listed(*rows), listed(*rows)])
    answers = {
        "NAMESPACE": b'* NAMESPACE (("" "/")) NIL (("Shared Folders/" "/"))\r\n' + OK, "LSUB": OK, "RENAME": OK,
        "LIST": lambda _: next(lists, listed(rows[0], b'() "/" "Shared Folders/Other"')),
    }  # fmt: skip
    async with scripted(answers, capabilities=b"IMAP4rev1 NAMESPACE") as (server, mailbox):
        public = next(folder for folder in await mailbox.list_folders() if folder.name == "Archive")
        assert (await mailbox.change_folder(public.id, name="Other")).path == ("Shared Folders", "Other")
        assert b'RENAME "Shared Folders/Archive" "Shared Folders/Other"' in server.commands


async def test_namespaces_are_asked_for_once_on_a_connection(scripted: Scripted) -> None:
    """R-IMAP-63."""
    async with scripted(PREFIXED | {"LIST": listed(b'() "." "INBOX.Work"')}, capabilities=b"IMAP4rev1 NAMESPACE") as (
        server,
        mailbox,
    ):
        for _ in range(3):
            assert {folder.path for folder in await mailbox.list_folders()} == {("INBOX",), ("Work",)}
        assert asked(server).count("NAMESPACE") == 1


async def test_a_server_without_codes_is_asked_what_there_is(scripted: Scripted) -> None:
    """R-IMAP-19: NO without a code."""
    answers = {
        "LIST": lambda command: listed(b'() "/" "Work"') if b'"Work"' in command else listed(),
        "CREATE": b"{tag} NO cannot\r\n", "DELETE": b"{tag} NO cannot\r\n",
    }  # fmt: skip
    async with scripted(answers) as (_, mailbox):
        with pytest.raises(AlreadyExists):
            await mailbox.create_folder("Work")
        with pytest.raises(UpstreamError):
            await mailbox.create_folder("Other")


async def test_a_name_that_cannot_even_be_listed_cannot_be_had(scripted: Scripted) -> None:
    """R-IMAP-60: Courier, of characters that its modified UTF-7 does not have."""
    no = b"{tag} NO Error in IMAP command received by server.\r\n"
    answers = {"CREATE": no, "LIST": lambda command: no if b"&2DzfiQ-" in command else listed()}
    async with scripted(answers) as (_, mailbox):
        with pytest.raises(InvalidRequest):
            await mailbox.create_folder("🎉")


async def test_a_name_that_is_refused_in_words_is_not_listed(scripted: Scripted) -> None:
    """R-IMAP-60: Cyrus 3.6 closes the connection if it is to list ``{5}``."""
    answers = {"CREATE": b"{tag} NO Invalid mailbox name\r\n", "LIST": lambda c: [Close()] if b"{5}" in c else listed()}
    async with scripted(answers) as (_, mailbox):
        with pytest.raises(InvalidRequest):
            await mailbox.create_folder("{5}")


async def test_a_folder_is_made_once_though_the_answer_is_lost(scripted: Scripted) -> None:
    """R-CONC-06."""
    async with scripted({"CREATE": [Close()]}) as (server, mailbox):
        with pytest.raises(UpstreamError) as caught:
            await mailbox.create_folder("Work")
        assert caught.value.code == "outcomeUnknown"
        assert asked(server).count("CREATE") == 1


async def test_a_stranger_s_role_is_not_one_s_own(scripted: Scripted) -> None:
    answers = {
        "NAMESPACE": b'* NAMESPACE (("" "/")) (("~" "/")) NIL\r\n' + OK,
        "LIST": listed(b'() "/" INBOX', b'(\\Sent) "/" "~bob/Sent"'), "LSUB": OK,
    }  # fmt: skip
    async with scripted(answers, capabilities=b"IMAP4rev1 NAMESPACE") as (_, mailbox):
        with pytest.raises(NotFound):
            await mailbox.list_messages("sent", ListQuery())


@pytest.mark.parametrize(
    ("path", "role"),
    [
        (("Gesendete Objekte",), "sent"), (("INBOX", "Papierkorb"), "trash"), (("[Gmail]", "Corbeille"), "trash"),
        (("Черновики",), "drafts"), (("迷惑メール",), "junk"), (("Éléments envoyés",), "sent"), (("ARŞİV",), None),
        (("Archiv",), "archive"), (("Work", "Sent"), None), (("INBOX",), None), (("已发送",), "sent"),
    ],
)  # fmt: skip
def test_a_well_known_name_has_its_role(path: tuple[str, ...], role: str | None) -> None:
    assert guessed_role(path) == role


@pytest.mark.parametrize("name", ["Ärger & 会議", "&", "&-", "🎉", "a&b&c", "~", "+ö+", "x" * 200])
def test_names_are_written_as_they_are_read(name: str) -> None:
    assert decode_name(encode_name(name)) == name
