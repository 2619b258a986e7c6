"""Gmail: labels, threads, its own search, and folders that show the same messages (X-GM-EXT-1)."""

import json
from typing import Any

import pytest

from service.adapters.imap.backend import ImapBackend
from service.mail.errors import NotFound
from service.mail.json_rows import JsonRows, page_json
from service.mail.model import EvaluatedBy, Folder
from service.mail.search.filter import Condition, Criterion, ListQuery
from service.mail.search.grammar.parser import parse_query
from tests.adapters.imap.providers.conftest import At, searches
from tests.servers.providers.gmail import ALL, Gmail, mailbox
from tests.servers.providers.mail import Letter, Mailbox
from tests.servers.scripted import ScriptedServer

LABELS = ["\\Important", "Übung", "work/project x"]


@pytest.fixture
def mail() -> Mailbox:
    """Three letters in the inbox, of which one has labels and one an attachment; one more was archived."""
    mail = mailbox()
    mail.deliver(Letter("Invoice for March", labels=["\\Inbox"], thread=77), "INBOX", ALL)
    mail.deliver(
        Letter("Due date", labels=["\\Inbox", *LABELS], thread=77), "INBOX", ALL, "[Gmail]/Important", "&ANw-bung"
    )
    mail.deliver(Letter("Übersicht", from_="bob@example.org", attachment="plan.pdf", labels=["\\Inbox"]), "INBOX", ALL)
    mail.deliver(Letter("Invoice of old", from_="bob@example.org"), ALL)
    return mail


async def listed(backend: ImapBackend, folder: str = "inbox", **query: Any) -> dict[str, Any]:
    """The rows of a folder by subject."""
    page = await backend.list_messages(folder, ListQuery(**query))
    return {row["subject"]: row for row in json.loads(page_json(page))["items"]}


async def folder_of(backend: ImapBackend, name: str) -> Folder:
    return next(folder for folder in await backend.list_folders() if folder.name == name)


async def test_rows_have_labels_in_the_same_round_trips(at: At, mail: Mailbox) -> None:
    """R-IMAP-73: all of a row comes in the one FETCH that it needs anyway, and so does the thread."""
    async with at(lambda: Gmail(mail)) as (server, backend):
        await backend.check()
        before = server.round_trips
        rows = await listed(backend, limit=3, with_thread=True)
        assert server.round_trips - before == 2  # SELECT, FETCH
        assert rows["Due date"]["labels"] == LABELS
        assert rows["Übersicht"]["labels"] == []
        assert rows["Due date"]["threadId"] == rows["Invoice for March"]["threadId"] != rows["Übersicht"]["threadId"]
        before = server.round_trips
        assert await listed(backend, limit=3, with_thread=True) == rows
        assert server.round_trips - before == 1


async def test_a_conversation_is_gmails_and_has_each_message_once(at: At, mail: Mailbox) -> None:
    """R-IMAP-73: though All Mail and labels show it again."""
    async with at(lambda: Gmail(mail)) as (server, backend):
        rows = await listed(backend, limit=3, with_thread=True)
        server.commands.clear()
        page = await backend.list_thread(rows["Due date"]["threadId"])
        assert sorted(row.subject or "" for row in page.items) == ["Due date", "Invoice for March"]
        searches = [command for command in server.commands if b"SEARCH" in command]
        assert searches
        assert all(b"X-GM-THRID" in command for command in searches)


async def test_labels_are_as_fresh_as_flags(at: At, mail: Mailbox) -> None:
    """R-IMAP-73: a row that is known shows the labels of the moment."""
    async with at(lambda: Gmail(mail)) as (_, backend):
        await listed(backend)
        letter = next(each for each in mail.folders["INBOX"].letters.values() if each.subject == "Due date")
        letter.labels = ["new"]
        mail.note(letter)
        page = await backend.list_messages("inbox", ListQuery())
        [message] = [row.id for row in page.items if row.subject == "Due date"]
        assert (await listed(backend))["Due date"]["labels"] == ["new"]
        assert (await backend.get_message(message)).labels == ("new",)
        rows = await backend.get_messages([message])
        assert isinstance(rows, JsonRows)
        assert rows[0].labels == ("new",)


async def test_a_new_label_is_a_change_of_the_message(at: At, mail: Mailbox) -> None:
    """R-IMAP-73: by Gmail's count of changes, so that clients in step hear of it; and the list has another state."""
    async with at(lambda: Gmail(mail)) as (_, backend):
        page = await backend.list_messages("inbox", ListQuery())
        token = await backend.get_sync_token("inbox")
        letter = next(each for each in mail.folders["INBOX"].letters.values() if each.subject == "Due date")
        letter.labels.append("new")
        mail.note(letter)
        changes = (await backend.list_changes("inbox", token)).changes
        assert changes.updated == tuple(row.id for row in page.items if row.subject == "Due date")
        assert (await backend.list_messages("inbox", ListQuery())).state != page.state


async def test_a_server_that_announces_labels_and_has_none_is_read_without(at: At, mail: Mailbox) -> None:
    """R-IMAP-22: it is asked once more at most, and no row is lost."""

    class Liar(Gmail):
        def item(self, item: bytes, uid: int, letter: Letter) -> Any:
            return super().item(b"NONE" if item.startswith(b"X-GM-") else item, uid, letter)

    async with at(lambda: Liar(mail)) as (server, backend):
        rows = await listed(backend)
        assert sorted(rows) == ["Due date", "Invoice for March", "Übersicht"]
        assert all("labels" not in row for row in rows.values())
        server.commands.clear()
        assert len(await listed(backend)) == 3
        assert not any(b"X-GM-" in command for command in server.commands)


async def test_gmails_root_is_never_selected_counted_or_searched(at: At, mail: Mailbox) -> None:
    """R-IMAP-75."""
    async with at(lambda: Gmail(mail)) as (server, backend):
        root = await folder_of(backend, "[Gmail]")
        assert (root.is_selectable, root.total_messages, root.role) == (False, None, None)
        roles = {folder.role: folder.path[-1] for folder in await backend.list_folders() if folder.role}
        assert roles["all"] == "All Mail"
        assert roles["junk"] == "Spam"
        for folders in (None, [root.id], ["inbox", root.id]):
            page = await backend.search_messages(folders, ListQuery(filter=parse_query("invoice")))
            assert page.unsearched is None
            assert bool(page.items) is (folders != [root.id])
        for ask in (backend.get_state, backend.get_sync_token, lambda each: backend.list_messages(each, ListQuery())):
            with pytest.raises(NotFound):
                await ask(root.id)
        named = [command for command in server.commands if b'"[Gmail]"' in command]
        assert named == []


async def test_a_message_with_labels_is_found_once_and_where_it_lies(at: At, mail: Mailbox) -> None:
    """R-IMAP-76: not in All Mail, Starred or Important if another folder has it."""
    async with at(lambda: Gmail(mail)) as (server, backend):
        page = await backend.search_messages(None, ListQuery())
        folders = {folder.id: folder.path[-1] for folder in await backend.list_folders()}
        found = sorted((str(row.subject), folders[row.folder_id]) for row in page.items)
        assert found == [
            ("Due date", "INBOX"), ("Invoice for March", "INBOX"), ("Invoice of old", "All Mail"),
            ("Übersicht", "INBOX"),
        ]  # fmt: skip
        assert page.total == 4
        selected = dict.fromkeys(command for command in server.commands if command.startswith(b"SELECT"))
        assert b"All Mail" in list(selected)[-1]
        again = await backend.search_messages(None, ListQuery())  # of rows that are known by now
        assert [row.id for row in again.items] == [row.id for row in page.items]
        first = await backend.search_messages(None, ListQuery(limit=3))
        rest = await backend.search_messages(None, ListQuery(limit=3, cursor=first.next_cursor))
        assert [row.id for row in (*first.items, *rest.items)] == [row.id for row in page.items]


async def test_a_message_that_only_a_view_has_is_found_there(at: At, mail: Mailbox) -> None:
    """R-IMAP-76: Important comes after a label of the user."""
    async with at(lambda: Gmail(mail)) as (_, backend):
        folders = {folder.path[-1]: folder.id for folder in await backend.list_folders()}
        names = {folder: name for name, folder in folders.items()}
        asked = [folders["All Mail"], folders["Important"], folders["Übung"]]
        page = await backend.search_messages(asked, ListQuery(filter=parse_query("subject:due")))
        assert [names[row.folder_id] for row in page.items] == ["Übung"]
        page = await backend.search_messages(asked[:2], ListQuery(filter=parse_query("subject:due")))
        assert [names[row.folder_id] for row in page.items] == ["Important"]


@pytest.mark.parametrize(
    ("q", "asked", "found"),
    [
        ("from:anna", 'X-GM-RAW "in:anywhere from:\\"anna\\""', 2),
        ("from:bob@example.org", 'X-GM-RAW "in:anywhere from:\\"bob@example.org\\""', 1),
        ('subject:"due date"', 'X-GM-RAW "in:anywhere subject:\\"due date\\""', 1),
        ("invoice -from:bob", 'X-GM-RAW "in:anywhere \\"invoice\\" -from:\\"bob\\""', 1),
        ("subject:(invoice or due)", 'X-GM-RAW "in:anywhere {subject:\\"invoice\\" subject:\\"due\\"}"', 2),
        ("-(invoice from:anna)", 'X-GM-RAW "in:anywhere {-\\"invoice\\" -from:\\"anna\\"}"', 2),
        ("from:anna is:unread", 'X-GM-RAW "in:anywhere from:\\"anna\\"" UNSEEN', 2),
        ("subject:Übersicht", 'CHARSET UTF-8 X-GM-RAW {32+}\r\nin:anywhere subject:"Übersicht"', 1),
        ("subject:a/b", 'SUBJECT "a/b"', 0),  # Gmail ignores signs
        ("from:anna.", 'FROM "anna."', 2),
        ("to:user", 'TO "user"', 3),  # Gmail's also means Cc and Bcc
        ("body:morning", 'BODY "morning"', 3),
        ("from:anna or is:flagged", 'OR (FROM "anna") FLAGGED', 2),
        ("after:2026-01-31 larger:1K", 'SINCE 31-Jan-2026 LARGER 1023', 0),
    ],
)  # fmt: skip
async def test_what_means_the_same_is_asked_in_gmails_syntax(
    at: At, mail: Mailbox, q: str, asked: str, found: int
) -> None:
    """R-IMAP-74: one SEARCH, which the server alone decides; what Gmail reads otherwise stays a usual key."""
    async with at(lambda: Gmail(mail)) as (server, backend):
        page = await backend.list_messages("inbox", ListQuery(filter=parse_query(q)))
        assert searches(server) == [asked]
        assert (page.total, page.evaluated_by) == (found, EvaluatedBy.SERVER)


@pytest.mark.parametrize(
    ("q", "asked", "found"),
    [
        ("has:attachment", ["has:attachment"], ["Übersicht"]),
        ("from:bob has:attachment", ['from:\\"bob\\" has:attachment'], ["Übersicht"]),
        ("from:anna has:attachment", ['from:\\"anna\\" has:attachment'], []),
        ("from:anna -has:attachment", ['from:\\"anna\\"', "has:attachment"], ["Due date", "Invoice for March"]),
    ],
)
async def test_attachments_are_narrowed_by_gmail_and_decided_by_structure(
    at: At, mail: Mailbox, q: str, asked: list[str], found: list[str]
) -> None:
    """R-IMAP-74: only messages that may have one are read, and the answer says who decided."""
    mail.folders["INBOX"].letters[1].attachment = ""
    async with at(lambda: Gmail(mail)) as (server, backend):
        page = await backend.list_messages("inbox", ListQuery(filter=parse_query(q)))
        assert sorted(str(row.subject) for row in page.items) == found
        queries = [each.removeprefix('X-GM-RAW "in:anywhere ')[:-1] for each in searches(server) if "RAW" in each]
        assert queries == asked
        assert page.evaluated_by is (EvaluatedBy.MIXED if found else EvaluatedBy.SERVER)
        described = [command for command in server.commands if b"BODYSTRUCTURE" in command]
        assert len(described) == min(1, len(found))


async def test_conditions_on_threads_use_gmails_threads(at: At, mail: Mailbox) -> None:
    """R-IMAP-73: no header is read, though Gmail has no THREAD."""
    mail.folders["INBOX"].letters[1].flags.add("\\Flagged")
    async with at(lambda: Gmail(mail)) as (server, backend):
        query = ListQuery(filter=Condition(Criterion.SOME_IN_THREAD, "$flagged"))
        page = await backend.list_messages("inbox", query)
        assert sorted(str(row.subject) for row in page.items) == ["Due date", "Invoice for March"]
        assert not any(b"REFERENCES" in command for command in server.commands)


async def test_spam_is_searched_too(at: At, mail: Mailbox) -> None:
    """R-IMAP-74: Gmail leaves spam out of a search that does not name it."""
    mail.deliver(Letter("Win a prize"), "[Gmail]/Spam")
    async with at(lambda: Gmail(mail)) as (_, backend):
        page = await backend.list_messages("junk", ListQuery(filter=parse_query("subject:prize")))
        assert page.total == 1


async def test_a_refused_raw_search_is_asked_by_usual_keys_from_then_on(at: At, mail: Mailbox) -> None:
    """R-IMAP-22, R-IMAP-74."""

    class Stubborn(Gmail):
        def own_key(self, key: bytes, rest: Any) -> None:
            return None

    async with at(lambda: Stubborn(mail)) as (server, backend):
        for _ in range(2):
            page = await backend.list_messages("inbox", ListQuery(filter=parse_query("subject:invoice")))
            assert (page.total, page.evaluated_by) == (1, EvaluatedBy.SERVER)
        asked = [search.partition(" ")[0] for search in searches(server)]
        assert asked == ["X-GM-RAW", "X-GM-RAW", "SUBJECT", "SUBJECT"]  # once with RETURN, which is not to blame
        assert server.commands[-2].startswith(b"UID SEARCH RETURN")


async def test_the_client_names_itself_and_nothing_more(at: At, mail: Mailbox) -> None:
    """R-IMAP-45: RFC 2971, once for each connection, with its first command."""
    async with at(lambda: Gmail(mail), connections=1) as (server, backend):
        await listed(backend)
        await listed(backend)
        introductions = [command for command in server.commands if command.startswith(b"ID")]
        assert len(introductions) == 1
        assert introductions[0].count(b'"') == 8
        assert b"user" not in introductions[0]
        assert server.host.encode() not in introductions[0]


async def test_moving_needs_nothing_special(at: At, mail: Mailbox) -> None:
    """The new id names the message in its new folder."""
    async with at(lambda: Gmail(mail)) as (_, backend):
        page = await backend.list_messages("inbox", ListQuery())
        [outcome] = await backend.move_messages([page.items[0].id], "junk")
        assert outcome.error is None
        assert outcome.new_id is not None
        assert (await backend.get_message(outcome.new_id)).subject == page.items[0].subject


def test_the_server_itself_is_as_described(mail: Mailbox) -> None:
    """The fake: labels quoted or in modified UTF-7, without that of the selected folder."""
    gmail = Gmail(mail)
    gmail.answers_to("SELECT", b"SELECT INBOX")
    [row, done] = gmail.answers_to("UID FETCH", b"UID FETCH 2 (UID X-GM-LABELS)")
    assert row == b'* 2 FETCH (X-GM-LABELS ("\\\\Important" &ANw-bung "work/project x") UID 2)'
    assert done == b"{tag} OK done"
    assert ScriptedServer.host
