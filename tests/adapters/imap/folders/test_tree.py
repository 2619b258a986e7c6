"""Folder lists in every form a server can send (R-IMAP-24), and what they cost."""

import time

import pytest

from service.adapters.shared.folder_names import decode_name, encode_name, guessed_role
from service.mail.errors import AlreadyExists, NotFound, UpstreamError
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
        assert folder.path == ("INBOX", "Work")


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
