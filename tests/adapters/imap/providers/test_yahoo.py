"""Yahoo: a SEARCH without charsets, raw UTF-8, a thousand messages at a time, refusals that pass."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from service.adapters.imap.backend import ImapBackend
from service.mail.errors import TooManyRequests, UpstreamUnavailable
from service.mail.json_rows import page_json
from service.mail.model import EvaluatedBy
from service.mail.search.filter import ListQuery, Order, SortKey
from service.mail.search.grammar.parser import parse_query
from tests.adapters.imap.providers.conftest import TIMING, At, searches
from tests.servers.providers.mail import Folder, Letter, Mailbox
from tests.servers.providers.yahoo import Yahoo, mailbox

LIMIT = 3


@pytest.fixture
def mail() -> Mailbox:
    """Eight letters in the inbox."""
    mail = mailbox()
    for subject in ["Übersicht", "two", "three", "four", "five", "six", "seven", "Grüße"]:
        mail.deliver(Letter(subject, thread=5), "Inbox")
    return mail


async def ids(backend: ImapBackend, **query: Any) -> list[str]:
    return [row.id for row in (await backend.list_messages("inbox", ListQuery(**query))).items]


async def test_text_beyond_ascii_is_searched_here_after_one_refusal(at: At, mail: Mailbox) -> None:
    """R-IMAP-80: Yahoo calls a charset an invalid argument (CLIENTBUG), not BADCHARSET."""
    async with at(lambda: Yahoo(mail)) as (server, backend):
        for _ in range(2):
            page = await backend.list_messages("inbox", ListQuery(filter=parse_query("grüße")))
            assert ([row.subject for row in page.items], page.evaluated_by) == (["Grüße"], EvaluatedBy.LOCAL)
        assert sum("CHARSET" in search for search in searches(server)) == 1
        page = await backend.list_messages("inbox", ListQuery(filter=parse_query("subject:seven")))
        assert (page.total, page.evaluated_by) == (1, EvaluatedBy.SERVER)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (b"NO [UNAVAILABLE] SEARCH Server error - Please try again later", UpstreamUnavailable),
        (b"NO [SERVERBUG] UID SEARCH Server error - Please try again later", UpstreamUnavailable),
        (b"NO [LIMIT] UID SEARCH Rate limit hit.", TooManyRequests),
        (b"BAD Request is throttled. Suggested Backoff Time: 2000 milliseconds", TooManyRequests),
    ],
)
async def test_a_refusal_that_passes_is_no_word_about_charsets(
    at: At, mail: Mailbox, status: bytes, error: type[Exception]
) -> None:
    """R-IMAP-81: the request may be repeated, and the server is asked again."""
    refusals = [status] * 9  # more than are repeated without being asked to

    class Busy(Yahoo):
        def answers_to(self, verb: str, command: bytes) -> list[bytes]:
            is_refused = verb == "UID SEARCH" and refusals
            return [b"{tag} " + refusals.pop()] if is_refused else super().answers_to(verb, command)

        def take_charset(self, charset: bytes) -> None:
            """Today it knows all of them."""

    async with at(lambda: Busy(mail)) as (_, backend):
        query = ListQuery(filter=parse_query("subject:grüße"))
        with pytest.raises(error):
            await backend.list_messages("inbox", query)
        refusals.clear()
        page = await backend.list_messages("inbox", query)
        assert (page.total, page.evaluated_by) == (1, EvaluatedBy.SERVER)


async def test_names_and_subjects_in_raw_utf8_are_read(at: At, mail: Mailbox) -> None:
    """R-IMAP-80: in rows and in names of folders; and ``Inbox`` is the inbox."""
    async with at(lambda: Yahoo(mail)) as (_, backend):
        page = await backend.list_messages("inbox", ListQuery(limit=1, with_thread=True))
        [row] = json.loads(page_json(page))["items"]
        assert row["subject"] == "Grüße"
        assert "labels" not in row
        mail.folders["Fotos für Anna"] = Folder("Fotos für Anna", uid_validity=9)
        mail.deliver(Letter("Bilder"), "Fotos für Anna")
        [folder] = [each for each in await backend.list_folders() if each.role is None]
        assert (folder.name, folder.total_messages) == ("Fotos für Anna", 1)
        assert [row.subject for row in (await backend.list_messages(folder.id, ListQuery())).items] == ["Bilder"]
        del mail.folders["Fotos für Anna"]
        roles = {folder.role: folder.total_messages for folder in await backend.list_folders()}
        assert roles == {"inbox": 8, "archive": 0, "junk": 0}


async def test_a_limit_of_messages_hides_none(at: At, mail: Mailbox) -> None:
    """R-IMAP-79: the rest is asked for, by lists, searches, sorts and threads."""
    async with at(lambda: Yahoo(mail, LIMIT)) as (server, backend):
        assert len(await ids(backend)) == 8
        assert len(await ids(backend)) == 8
        assert len(await ids(backend, filter=parse_query("is:unread"))) == 8
        assert len(await ids(backend, filter=parse_query("subject:two or from:bob or subject:übersicht"))) == 2
        assert len(await ids(backend, sort=(Order(SortKey.SUBJECT),))) == 8
        page = await backend.list_messages("inbox", ListQuery(filter=parse_query("subject:two")))
        assert (page.total, page.evaluated_by) == (1, EvaluatedBy.SERVER)
        assert (await backend.search_messages(None, ListQuery())).total == 8
        assert server.connections == 1


async def test_a_page_within_the_limit_costs_no_more(at: At, mail: Mailbox) -> None:
    """R-IMAP-79."""
    trips = []
    for limit in (1000, LIMIT):
        async with at(lambda limit=limit: Yahoo(mail, limit)) as (server, backend):
            await ids(backend, limit=LIMIT)
            before = server.round_trips
            await ids(backend, limit=LIMIT)
            trips.append(server.round_trips - before)
    assert trips == [1, 1]


async def test_changes_know_the_messages_beyond_the_limit(at: At, mail: Mailbox) -> None:
    """R-IMAP-79: none of them seems to be removed."""
    async with at(lambda: Yahoo(mail, LIMIT)) as (_, backend):
        listed = await ids(backend)
        token = await backend.get_sync_token("inbox")
        letters = mail.folders["Inbox"].letters
        del letters[1]
        letters[2].flags.add("\\Seen")
        mail.deliver(Letter("nine"), "Inbox")
        changes = (await backend.list_changes("inbox", token)).changes
        assert changes.destroyed == (listed[-1],)
        assert changes.updated == (listed[-2],)
        assert len(changes.created) == 1


@pytest.mark.parametrize("action", ["flag", "move", "delete", "empty"])
async def test_writes_reach_every_message(at: At, mail: Mailbox, action: str) -> None:
    """R-IMAP-79: OK for a part is not OK for all."""
    async with at(lambda: Yahoo(mail, LIMIT)) as (_, backend):
        listed = await ids(backend)
        if action == "empty":
            assert await backend.empty_folder("inbox") == 8
        else:
            outcomes = await _write(backend, action, listed)
            assert [outcome.error for outcome in outcomes] == [None] * 8
        left = mail.folders["Inbox"].letters.values()
        assert [letter.flags for letter in left] == ([{"\\Seen"}] * 8 if action == "flag" else [])
        assert len(mail.folders["Archive"].letters) == (8 if action == "move" else 0)


async def _write(backend: ImapBackend, action: str, listed: Sequence[str]) -> Any:
    match action:
        case "flag":
            return await backend.change_many(listed, ["$seen"], [])
        case "move":
            return await backend.move_messages(listed, "archive")
    return await backend.delete_messages(listed)


async def test_a_limit_that_makes_no_progress_is_an_error(at: At, mail: Mailbox) -> None:
    """R-IMAP-79: a server that says the same again and again is not asked without end."""

    class Stuck(Yahoo):
        def done(self, uids: list[int]) -> list[int]:
            self.status = b"{tag} OK [MESSAGELIMIT 3 9] done"
            return uids[-3:]

    async with at(lambda: Stuck(mail, LIMIT)) as (server, backend):
        with pytest.raises(Exception, match="too few messages"):
            await backend.list_messages("inbox", ListQuery(filter=parse_query("is:unread")))
        assert len(server.commands) < 20


async def test_parts_have_the_bounds_of_one_answer(at: At, mail: Mailbox) -> None:
    """R-IMAP-79: a server that carries every command out for one message has no more time than for one answer."""
    timing = replace(TIMING, command=0.3)
    folder = mail.folders["Inbox"]
    for number in range(3000):
        folder.add(Letter(f"letter {number}"))
    async with at(lambda: Yahoo(mail, 1), timing=timing) as (_, backend):
        async with asyncio.timeout(5):
            with pytest.raises(Exception, match="too few messages"):
                await backend.list_messages("inbox", ListQuery(filter=parse_query("is:unread")))


async def test_threads_are_those_of_the_server(at: At, mail: Mailbox) -> None:
    """RFC 8474: THREADID."""
    async with at(lambda: Yahoo(mail)) as (_, backend):
        page = await backend.list_messages("inbox", ListQuery(with_thread=True))
        assert len({row.thread_id for row in page.items}) == 1
