"""Mailboxes that are watched with a grant: the app and the watchers of all replicas share its newest state, since the
issuer accepts each refresh token once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.api.deps import Service, with_grant
from service.push.model import Change, SignInAgain
from service.settings.model import Settings
from tests.oauth.conftest import Device, Replica, settings_for
from tests.push.watch.site import KEYS, QUICK, Recorder, Site, running, subscription_of, until
from tests.servers.issuer import Issuer, TokenDovecot

MAIL = b"From: Ann <ann@example.org>\r\nSubject: hello\r\n\r\nworld\r\n"


@pytest.fixture
def settings(issuer: Issuer, token_dovecot: TokenDovecot, tmp_path: Path) -> Settings:
    store = {"url": f"sqlite:///{tmp_path / 'casella.db'}", **QUICK}
    return settings_for(issuer, token_dovecot, secret_keys=KEYS[:1], store=store)


@asynccontextmanager
async def replica(settings: Settings, recorder: Recorder) -> AsyncIterator[tuple[Site, Replica]]:
    async with running(settings, recorder) as site, Replica(site.app) as client:
        yield site, client


async def test_a_watch_outlives_its_tokens_and_so_does_the_session(
    issuer: Issuer, token_dovecot: TokenDovecot, settings: Settings
) -> None:
    """Each restart finds an access token that has ended. Refresh tokens that the watchers got are in the store, and a
    replica that gets the app's older one finds the newer state there."""
    user, recorder, phone = token_dovecot.user(), Recorder(), subscription_of()
    issuer.seconds = 1
    async with replica(settings, recorder) as (site, client):
        device = await Device.signed_in(client, user, refreshToken=issuer.grant(user))
        service: Service = site.app.state.service
        credentials = with_grant(service, service.sessions.open(device.token), device.token)
        await site.watching.keeper(credentials).keep(phone)
        await until(lambda: site.is_watched(credentials))
        first = credentials.grant
    assert first is not None
    for number in range(3):
        token_dovecot.append(user, MAIL)
        issuer.forget_access(user)
        async with replica(settings, recorder) as (_, client):
            assert isinstance((await recorder.next(phone, number)).notice, Change)
    issuer.forget_access(user)
    async with replica(settings, recorder) as (_, client):
        assert (await device.get(client)).status_code == 200
        assert device.renewals
    assert issuer.asked["invalid_grant"] == 0
    assert issuer.asked["refresh_token"] >= 4


async def test_two_replicas_refresh_one_grant(issuer: Issuer, token_dovecot: TokenDovecot, settings: Settings) -> None:
    """While one watches, the app sends its requests to the other."""
    user, recorder, phone = token_dovecot.user(), Recorder(), subscription_of()
    issuer.seconds = 2
    async with replica(settings, recorder) as (one, client), replica(settings, Recorder()) as (_, other):
        device = await Device.signed_in(client, user, refreshToken=issuer.grant(user))
        service: Service = one.app.state.service
        credentials = with_grant(service, service.sessions.open(device.token), device.token)
        await one.watching.keeper(credentials).keep(phone)
        assert credentials.grant is not None
        for _ in range(4):
            issuer.forget_access(user)
            present = await credentials.grant.access_token()
            await credentials.grant.replacement(present)  # as the watch does when the mail server refuses the token
            assert (await device.get(other)).status_code == 200
    assert issuer.asked["invalid_grant"] == 0


async def test_a_grant_that_is_withdrawn_ends_the_watch(
    issuer: Issuer, token_dovecot: TokenDovecot, settings: Settings
) -> None:
    user, recorder, phone = token_dovecot.user(), Recorder(), subscription_of()
    async with replica(settings, recorder) as (site, client):
        device = await Device.signed_in(client, user, refreshToken=issuer.grant(user))
        service: Service = site.app.state.service
        credentials = with_grant(service, service.sessions.open(device.token), device.token)
        await site.watching.keeper(credentials).keep(phone)
        await until(lambda: site.is_watched(credentials))
    issuer.withdraw(user)
    issuer.forget_access(user)
    async with replica(settings, recorder) as (site, _):
        assert isinstance((await recorder.next(phone)).notice, SignInAgain)
        await until(lambda: not site.watching._worker._watches)
