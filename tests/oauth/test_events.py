"""Common streams of accounts that were signed in by a grant."""

from contextlib import AsyncExitStack
from typing import Any

import httpx

from service.app import create_app
from tests.api.conftest import mail
from tests.api.served import listening
from tests.oauth.conftest import settings_for
from tests.servers.events import Stream
from tests.servers.issuer import Issuer, TokenDovecot
from tests.servers.process import HOST


async def test_a_ticket_opens_the_stream_of_a_grant_on_another_replica(
    issuer: Issuer, token_dovecot: TokenDovecot
) -> None:
    """R-HTTP-37, R-OPS-19: it holds the access token, and never the refresh token: no other replica may use that."""
    user = token_dovecot.user()
    settings = settings_for(issuer, token_dovecot)
    async with AsyncExitStack() as stack:
        apps = [create_app(settings) for _ in range(2)]
        ports = [await stack.enter_async_context(listening(app)) for app in apps]
        one, other = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://{HOST}:{port}", timeout=30))
            for port in ports
        ]
        session = await _made(one, "/v1/sessions", {"username": user, "refreshToken": issuer.grant(user)})
        ticket = (await _made(one, "/v1/events/tickets", {"tokens": [session["token"]]}))["ticket"]
        [listener] = apps[0].state.service.sessions.open_event_ticket(ticket)
        assert (bool(listener.sealed.access), listener.sealed.refresh) == (True, "")
        answer = await stack.enter_async_context(other.stream("GET", "/v1/events", params={"ticket": ticket}))
        stream = Stream(answer.aiter_lines())
        first = await stream.next()
        assert (first.name, first.data["accountId"]) == ("ping", session["account"]["id"]), first
        token_dovecot.append(user, mail("news"))
        assert len((await stream.next("change")).data["created"]) == 1


async def _made(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made
