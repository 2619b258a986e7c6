"""A mail server ends a login because its access token has ended: the request goes on with a fresh one."""

import time
from collections.abc import Sequence
from typing import Any

import pytest

from service.app import create_app
from service.settings.model import Settings
from tests.oauth.conftest import ME, Device, Replica
from tests.servers.issuer import CLIENT, SECRET, Issuer
from tests.servers.process import HOST
from tests.servers.scripted import Answers, Close, Imap, Script, ScriptedServer, Send, Step

CAPABILITIES = b"IMAP4rev1 UIDPLUS LITERAL+ SASL-IR AUTH=XOAUTH2 MOVE"
ENDINGS: dict[str, Sequence[Step]] = {
    "BYE": [Send(b"* BYE Session invalidated - AccessTokenExpired\r\n"), Close()],
    "BYE with a code": [Send(b"* BYE [EXPIRED] the token has ended\r\n"), Close()],
    "NO with a code": [Send(b"{tag} NO [EXPIRED] the token has ended\r\n")],
    "NO in words": [Send(b"{tag} NO Session invalidated - AccessTokenExpired\r\n")],
    "BAD in words": [Send(b"{tag} BAD access token expired\r\n")],
}


def settings(issuer: Issuer, port: int) -> Settings:
    home = {"oauth": "fake", "imap": {"host": HOST, "port": port, "security": "none"}}
    client = {"issuer": issuer.url, "client_id": CLIENT, "client_secret": SECRET}
    return Settings(servers={"home": home}, default_server="home", oauth={"fake": client}, secret_keys="A" * 43)


async def flags(script: "Script | object", issuer: Issuer) -> tuple[int, list[bytes]]:
    """What a request for a folder's messages gets, and the tokens of the logins."""
    async with ScriptedServer(script) as server:  # type: ignore[arg-type]
        app = create_app(settings(issuer, server.port))
        async with app.router.lifespan_context(app), Replica(app) as replica:
            device = await Device.signed_in(replica, "ann@example.org", refreshToken=issuer.grant("ann@example.org"))
            response = await device.get(replica, f"{ME}/folders/inbox/messages")
            assert response.status_code == 200, response.text
        logins = [command.split(b" ")[2] for command in server.commands if command.startswith(b"AUTHENTICATE")]
    return device.renewals, logins


@pytest.mark.parametrize("ending", ENDINGS)
async def test_within_a_request(issuer: Issuer, ending: str) -> None:
    """The first connection ends with the SELECT of the request; the second one does what was asked."""

    def script(number: int) -> Script:
        return [Imap(capabilities=CAPABILITIES, answers={"SELECT": ENDINGS[ending]} if number == 0 else {})]

    renewals, logins = await flags(script, issuer)
    assert renewals == 0  # the token was not refused at the second login
    assert len(logins) == 2


@pytest.mark.parametrize("ending", ENDINGS)
async def test_and_the_next_login_refuses_the_token(issuer: Issuer, ending: str) -> None:
    def script(number: int) -> Script:
        refused = [Send(b"+ eyJzdGF0dXMiOiI0MDEifQ==\r\n"), Send(b"{tag} NO [AUTHENTICATIONFAILED] expired\r\n")]
        each: list[Answers] = [{"SELECT": ENDINGS[ending]}, {"AUTHENTICATE": refused}, {}]
        return [Imap(capabilities=CAPABILITIES, answers=each[number])]

    renewals, logins = await flags(script, issuer)
    assert renewals == 1
    assert logins[0] == logins[1] != logins[2]


async def test_an_idle_connection_whose_token_has_ended_is_not_used(issuer: Issuer) -> None:
    """The server would end it in the middle of the next command."""
    issuer.seconds = 1
    async with ScriptedServer([Imap(capabilities=CAPABILITIES)]) as server:
        app = create_app(settings(issuer, server.port))
        async with app.router.lifespan_context(app), Replica(app) as replica:
            device = await Device.signed_in(replica, "ann@example.org", refreshToken=issuer.grant("ann@example.org"))
            deadline = time.monotonic() + 20
            while len({command for command in server.commands if command.startswith(b"AUTHENTICATE")}) < 2:
                assert (await device.get(replica, f"{ME}/folders/inbox/messages")).status_code == 200
                assert time.monotonic() < deadline


async def test_a_server_that_refuses_each_token_is_asked_twice(issuer: Issuer) -> None:
    """Once with the token, once with a fresh one."""
    refused = b"{tag} NO [AUTHENTICATIONFAILED] no\r\n"
    async with ScriptedServer([Imap(capabilities=CAPABILITIES, answers={"AUTHENTICATE": refused})]) as server:
        app = create_app(settings(issuer, server.port))
        async with app.router.lifespan_context(app), Replica(app) as replica:
            body = {"username": "ann@example.org", "refreshToken": issuer.grant("ann@example.org")}
            response = await replica.post("/v1/sessions", json=body)
        assert (response.status_code, response.json()["type"]) == (401, "/problems/login-refused")
        assert server.verbs.count("AUTHENTICATE") == 2
    assert issuer.asked["refresh_token"] == 2


WRITES: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "APPEND": (
        "POST",
        f"{ME}/folders/inbox/messages",
        {"content": b"Subject: x\r\n\r\n", "media": "message/rfc822"},
        201,
    ),
    "CREATE": ("POST", f"{ME}/folders", {"json": {"name": "new"}}, 201),
}
FOLDERS = b'* LIST () "/" INBOX\r\n* LIST () "/" new\r\n{tag} OK done\r\n'


@pytest.mark.parametrize("verb", WRITES)
async def test_a_write_that_was_refused_is_done_once(issuer: Issuer, verb: str) -> None:
    method, path, more, expected = WRITES[verb]
    done: list[bytes] = []

    def do(command: bytes) -> bytes:
        done.append(command)
        return b"{tag} OK [APPENDUID 1 1] done\r\n"

    def script(number: int) -> Script:
        refused = b"{tag} NO [EXPIRED] the token has ended\r\n"
        answers: Answers = {
            verb: do if number else refused,
            "LIST": lambda _: FOLDERS if done else b"{tag} OK done\r\n",
        }
        return [Imap(capabilities=CAPABILITIES, answers=answers)]

    async with ScriptedServer(script) as server:
        app = create_app(settings(issuer, server.port))
        async with app.router.lifespan_context(app), Replica(app) as replica:
            device = await Device.signed_in(replica, "ann@example.org", refreshToken=issuer.grant("ann@example.org"))
            response = await device.request(replica, method, path, **more)
        assert response.status_code == expected, response.text
        assert server.verbs.count(verb) == 2
    assert len(done) == 1
