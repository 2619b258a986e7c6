"""Standing fetches between mailboxes that are signed in to with grants. The issuer accepts each refresh token once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from service.app import create_app
from service.settings.model import Settings
from tests.fetches.site import mail, subjects
from tests.oauth.conftest import ME, Device, Replica, settings_for
from tests.push.watch.site import KEYS, QUICK
from tests.servers.issuer import Issuer, TokenDovecot

FETCHES = f"{ME}/fetches"


@pytest.fixture
def settings(issuer: Issuer, token_dovecot: TokenDovecot, tmp_path: Path) -> Settings:
    store = {"url": f"sqlite:///{tmp_path / 'casella.db'}", **QUICK}
    return settings_for(issuer, token_dovecot, secret_keys=KEYS[:1], store=store)


@asynccontextmanager
async def replica(settings: Settings) -> AsyncIterator[Replica]:
    app = create_app(settings)
    async with app.router.lifespan_context(app), Replica(app) as client:
        yield client


async def created(client: Replica, device: Device, issuer: Issuer, old: str) -> dict[str, Any]:
    """A fetch by POP3, with a grant of its own."""
    source = {"username": old, "refreshToken": issuer.grant(old), "protocol": "pop3"}
    answer = await device.request(client, "POST", FETCHES, json={"from": source})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def run(client: Replica, device: Device, seen: str | None) -> dict[str, Any]:
    """The fetch after another run."""
    async with client.app.state.fetching._tools.store.database.begin() as connection:
        await connection.execute(text("update casella_work set due_at = 0 where kind = 'fetch'"))
    async with asyncio.timeout(60):
        while True:
            [fetch] = (await device.get(client, FETCHES)).json()["items"]
            if fetch["state"] != "running" and fetch.get("lastRunAt") != seen:
                return dict(fetch)
            await asyncio.sleep(0.05)


async def test_a_fetch_outlives_the_tokens_of_both_sides_and_so_does_the_session(
    issuer: Issuer, token_dovecot: TokenDovecot, settings: Settings
) -> None:
    """Each restart finds access tokens that have ended. What the fetch gets in their place is in the store, where a
    replica that gets the app's older session token finds it."""
    user, old = token_dovecot.user(), token_dovecot.user()
    async with replica(settings) as client:
        device = await Device.signed_in(client, user, refreshToken=issuer.grant(user))
        fetch = await created(client, device, issuer, old)
        fetch = await run(client, device, None)
    for number in range(3):
        token_dovecot.append(old, mail(number))
        for each in (user, old):
            issuer.forget_access(each)
        async with replica(settings) as client:
            fetch = await run(client, device, fetch["lastRunAt"])
            assert (fetch["copied"], fetch["state"]) == (number + 1, "waiting"), fetch
    assert issuer.asked["invalid_grant"] == 0
    assert issuer.asked["refresh_token"] >= 4
    assert subjects(token_dovecot, user) == ["number 0", "number 1", "number 2"]


async def test_a_grant_that_is_withdrawn_stops_the_fetch(
    issuer: Issuer, token_dovecot: TokenDovecot, settings: Settings
) -> None:
    user, old = token_dovecot.user(), token_dovecot.user()
    async with replica(settings) as client:
        device = await Device.signed_in(client, user, refreshToken=issuer.grant(user))
        await created(client, device, issuer, old)
        fetch = await run(client, device, None)
    issuer.withdraw(old)
    issuer.forget_access(old)
    async with replica(settings) as client:
        fetch = await run(client, device, fetch["lastRunAt"])
    assert fetch["state"] == "stopped"
    assert fetch["problem"]["type"] == "/problems/consent-required"
