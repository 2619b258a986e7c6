"""Searches over real servers find what a straightforward evaluation over the same messages finds."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from secrets import token_urlsafe
from typing import Any

import httpx
import pytest

from service.app import create_app
from service.mail.search.filter import Condition, Criterion, Filter, Logic, Operator
from service.mail.search.grammar.parser import parse_query
from service.settings.model import Settings
from tests.contract.conftest import EXTENSIONS, make_backend
from tests.search.mail import Kept, find, make_mail
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.mailutils import Mailutils
from tests.servers.process import HOST

MAIL = make_mail()
QUERIES = (
    "invoice", "from:anna", "from:MÜLLER", "to:bob@example.com", "cc:tanaka", "subject:rechnung", 'subject:"due date"',
    "subject:übersicht", "subject:会議", "Встреча", "body:köln", "body:会議", "body:fox", "from:жанна or from:田中",
    "-from:anna", "has:attachment", "-has:attachment is:unread", "is:flagged is:answered", "is:flagged or is:answered",
    "-(is:flagged or is:answered)", "not (is:read has:attachment)", "keyword:work", "-keyword:work -keyword:todo",
    "keyword:$forwarded or has:attachment", "after:2026-01-20 before:2026-02-01", "on:2026-01-15",
    "since:2026-01-15T12:30:00Z", "before:2026-01-20T13:00:00+01:00", "sentSince:2026-01-20", "sentBefore:2026-01-10",
    "larger:3000", "smaller:1K", "larger:2K smaller:4K has:attachment", "header:X-Mailer", "header:X-Mailer:mutt",
    "-header:X-Mailer", 'subject:"a \\"quoted\\" subject"', "subject:(lunch or newsletter) from:(bob or özgür)",
    "(from:anna is:unread) or (from:bob has:attachment) or body:apples", "-(from:anna or -(has:attachment or is:flagged))",
    "café", "subject:100", "nobody-wrote-this", "is:unread -is:flagged (invoice or grüße) -to:anna after:2026-01-05",
)  # fmt: skip
THREADS = (
    Condition(Criterion.ALL_IN_THREAD, "$flagged"),
    Condition(Criterion.SOME_IN_THREAD, "$flagged"),
    Operator(
        Logic.AND,
        (Condition(Criterion.NONE_IN_THREAD, "work"), Condition(Criterion.HAS_ATTACHMENT, value=True)),
    ),
)


SERVERS = ("dovecot", "plain", "mailutils")
"""``plain`` is Dovecot as a server without extensions; mailutils has few of its own (R-IMAP-23)."""
on_every_server = pytest.mark.parametrize("server", SERVERS)
MAILUTILS = re.compile(r"keyword:|\$|after:|before:|on:|since:|larger|smaller|is:answered|due date")
"""What GNU mailutils keeps no record of (keywords, the date of receipt), or counts otherwise (sizes)."""


@pytest.fixture(scope="session")
def dovecot_user(dovecot: Dovecot) -> str:
    user = dovecot.user("search")
    dovecot.seed(user, [(kept.source, kept.flags, kept.received_at) for kept in MAIL])
    return user


@pytest.fixture(scope="session")
def mailutils_user(mailutils: Mailutils) -> str:
    user = mailutils.user()
    mailutils.seed(user, [(kept.source, kept.flags, kept.received_at) for kept in MAIL])
    return user


@pytest.fixture
async def client(server: str, request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    if server == "mailutils":
        port = request.getfixturevalue("mailutils").ports.imap
        user = request.getfixturevalue("mailutils_user")
    else:
        port, user = request.getfixturevalue("dovecot").ports.imap, request.getfixturevalue("dovecot_user")
    home = {"imap": {"host": HOST, "port": port, "security": "none"}}
    app = create_app(Settings(servers={"home": home}, default_server="home", secret_keys=token_urlsafe(32)))
    if server == "plain":
        _without_extensions(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://casella.example.org",
            auth=(user, PASSWORD),
            timeout=60,
        ) as http,
    ):
        yield http


def _without_extensions(app: Any) -> None:
    service = app.state.service

    def plain(credentials: Any) -> Any:
        endpoint = service.servers.named(credentials.server).endpoint(credentials.protocol)
        return make_backend(credentials.protocol, endpoint, credentials.username, credentials.secret, EXTENSIONS)

    app.state.service = replace(service, accounts=type(service.accounts)(plain))


def number_of(row: dict[str, Any]) -> int:
    return int(re.findall(r"\d+", row["messageId"])[0])


async def walk(
    client: httpx.AsyncClient, method: str, url: str, asked: dict[str, Any]
) -> tuple[list[int], dict[str, Any]]:
    """All pages of it: the numbers found, and the last page."""
    found: list[int] = []
    while True:
        answer = await (client.get(url, params=asked) if method == "GET" else client.post(url, json=asked))
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += map(number_of, page["items"])
        if "nextCursor" not in page:
            assert page["total"] == len(found)
            return found, page
        asked = {**asked, "cursor": page["nextCursor"]}


@on_every_server
@pytest.mark.parametrize("query", QUERIES)
async def test_a_query_finds_what_it_should(client: httpx.AsyncClient, server: str, query: str) -> None:
    """R-IMAP-23 for the searches of a server without extensions."""
    if server == "mailutils" and MAILUTILS.search(query):
        return
    wanted = find(MAIL, parse_query(query))
    found, page = await walk(client, "GET", "/v1/accounts/me/folders/inbox/messages", {"q": query, "limit": 50})
    assert set(found) == wanted
    assert len(found) == len(wanted)
    assert found == sorted(found, reverse=True)
    assert page["evaluatedBy"] in {"server", "local", "mixed"}
    everywhere, page = await walk(client, "POST", "/v1/accounts/me/search", {"q": query, "limit": 40})
    assert set(everywhere) == wanted
    assert everywhere == found or server == "mailutils"  # which takes the date of receipt from the header
    assert "unsearched" not in page


@pytest.mark.parametrize("server", ["dovecot", "plain"])
@pytest.mark.parametrize("tree", THREADS, ids=["all", "some", "none"])
async def test_conversations_are_searched(client: httpx.AsyncClient, tree: Filter) -> None:
    found, _ = await walk(client, "POST", "/v1/accounts/me/search", {"filter": as_json(tree), "folders": ["inbox"]})
    assert set(found) == find(MAIL, tree)


def as_json(tree: Filter) -> dict[str, Any]:
    if isinstance(tree, Condition):
        return {str(tree.criterion): tree.value}
    return {"operator": str(tree.logic), "conditions": [as_json(one) for one in tree.conditions]}


@pytest.mark.parametrize("server", ["dovecot"])
async def test_the_doors_lead_to_the_same(client: httpx.AsyncClient) -> None:
    inbox = "/v1/accounts/me/folders/inbox/messages"
    by_query, _ = await walk(client, "GET", inbox, {"q": "from:anna has:attachment -is:read larger:2K", "limit": 7})
    by_criteria, _ = await walk(
        client, "GET", inbox, {"from": "anna", "hasAttachment": "true", "unread": "true", "minSize": "2048"}
    )
    tree = {"from": "anna", "hasAttachment": True, "minSize": 2048, "notKeyword": "$seen"}
    by_filter, _ = await walk(client, "POST", "/v1/accounts/me/search", {"filter": tree})
    assert by_query == by_criteria == by_filter
    assert by_query


@pytest.mark.parametrize("server", ["dovecot"])
async def test_an_error_points_at_its_column(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/accounts/me/folders/inbox/messages", params={"q": 'invoice before:soon "x'})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["column"] == 16
    assert "Column 16" in answer.json()["detail"]


def test_the_mailbox_has_what_the_queries_need() -> None:
    sizes = [len(find(MAIL, parse_query(query))) for query in QUERIES]
    assert sum(size == 0 for size in sizes) <= 2
    assert len(QUERIES) >= 40
    assert all(isinstance(kept, Kept) and len(kept.source) < 20_000 for kept in MAIL)
