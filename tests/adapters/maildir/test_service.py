"""The API on mailboxes on disk, with settings from the environment."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import httpx
import pytest

from service.app import create_app
from service.settings.model import read_settings
from tests.adapters.maildir.conftest import USER
from tests.adapters.maildir.post import PASSWORD, Post
from tests.command import invoke
from tests.contract.letters import RICH, plain

INBOX = "/v1/accounts/me/folders/inbox/messages"


class Connect(Protocol):
    def __call__(self, password: str = PASSWORD) -> AbstractAsyncContextManager[httpx.AsyncClient]: ...


@pytest.fixture
def environment(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of an operator."""
    monkeypatch.setenv("CASELLA_SERVERS__HOME__MAILDIR__PATH", f"{post.folder}/{{user}}/Maildir")
    monkeypatch.setenv("CASELLA_SERVERS__HOME__MAILDIR__PASSWORDS", str(post.passwords))


@pytest.fixture
def connect(environment: None) -> Connect:
    @asynccontextmanager
    async def client(password: str = PASSWORD) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(read_settings(None))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://casella.example.org",
                auth=(USER, password),
            ) as http,
        ):
            yield http

    return client


async def test_a_mailbox_is_signed_in_to_and_read(post: Post, connect: Connect) -> None:
    post.deliver(USER, RICH, ["$seen"])
    async with connect() as http:
        assert (await http.get("/v1/servers")).json() == {
            "items": [{"name": "home", "domains": [], "protocols": ["maildir"]}]
        }
        session = await http.post("/v1/sessions", json={"username": USER, "password": PASSWORD})
        assert session.status_code == 201
        http.auth = httpx.Auth()
        http.headers["Authorization"] = f"Bearer {session.json()['token']}"
        account = (await http.get("/v1/accounts/me")).json()
        assert account["protocol"] == "maildir"
        assert account["capabilities"] == [
            "append",
            "changes",
            "flags",
            "folders",
            "import",
            "move",
            "search",
            "settings",
            "sort",
        ]
        [row] = (await http.get(INBOX)).json()["items"]
        source = await http.get(f"/v1/accounts/me/messages/{row['id']}/source")
        assert source.content == RICH
        quota = await http.get("/v1/accounts/me/quota")
        assert (quota.status_code, quota.json()["capability"]) == (501, "quota")
        assert quota.json()["detail"] == "A mailbox on disk has no quota."


async def test_a_wrong_password_is_refused_and_guessing_is_limited(connect: Connect) -> None:
    async with connect("wrong") as http:
        statuses = [(await http.get(INBOX)).status_code for _ in range(12)]
    assert set(statuses) == {401, 429}
    assert statuses[:10] == [401] * 10


async def test_logins_at_once_are_bounded(post: Post, environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-HTTP-30, R-HTTP-26: guesses from one address stop at its limit. Of logins from very many addresses a few are
    hashed at a time, a few more wait, and the others are answered when to try again."""
    users = [post.user(f"user{n}@example.org") for n in range(200)]
    monkeypatch.setenv("CASELLA_RATES__ADDRESS_FAILURES", "20/hour")
    app = create_app(read_settings(None))

    async def ask(user: str, password: str, address: str) -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://casella.example.org", timeout=60) as http:
            return await http.get("/v1/accounts/me", auth=(user, password))

    async with app.router.lifespan_context(app):
        answers = await asyncio.gather(*(ask(user, "wrong", "192.0.2.1") for user in users))
        assert Counter(answer.status_code for answer in answers) == {401: 20, 429: 180}
        many = [ask(user, PASSWORD, f"198.51.100.{n}") for n, user in enumerate(users)]
        answers = await asyncio.gather(*many)
        assert {answer.status_code for answer in answers} <= {200, 503}
        assert [answer.status_code for answer in answers].count(200) >= 50
        assert all(answer.headers["retry-after"] == "5" for answer in answers if answer.status_code == 503)
        assert len(app.state.service.accounts) == [answer.status_code for answer in answers].count(200)


async def test_an_unreadable_file_of_passwords_opens_nothing(post: Post, connect: Connect) -> None:
    """The service answers as if a mail server were unavailable; no request is treated as signed in."""
    post.deliver(USER, plain("x"))
    async with connect("wrong") as http:
        post.passwords.unlink()
        answer = await http.get(INBOX)
        assert answer.status_code == 503
        assert answer.json()["upstream"] == {"protocol": "maildir"}


def test_without_a_file_of_passwords_the_service_does_not_start(post: Post, environment: None) -> None:
    post.passwords.unlink()
    for command in (["serve"], ["check"]):
        ended = invoke(command)
        assert ended.exit_code == 2
        assert "CASELLA_SERVERS__HOME__MAILDIR__PASSWORDS: there is no such file" in ended.output


def test_a_check_names_the_server_and_its_users(post: Post, environment: None) -> None:
    ended = invoke(["check"])
    assert ended.exit_code == 0, ended.output
    assert f"home maildir {post.folder}/{{user}}/Maildir: ok" in ended.output
    assert "  users: 1" in ended.output
