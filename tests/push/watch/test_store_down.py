"""A store that is away stops nothing else, and nothing is lost."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
import structlog

from service.mail.errors import StoreUnavailable
from service.store import bell, database
from tests.push.watch.site import Recorder, Site, credentials_of, running, settings_of, subscription_of, until
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.postgres import Postgres

pytestmark = pytest.mark.dovecot
MAIL = b"From: Ann <ann@example.org>\r\nSubject: hello\r\n\r\nworld\r\n"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    """A PostgreSQL that the test may stop."""
    monkeypatch.setattr(database, "RETRY_AFTER", 1)
    monkeypatch.setattr(bell, "_AGAIN_SECONDS", 0.2)
    with Postgres() as started:
        yield started


async def requests_work(site: Site, user: str) -> None:
    transport = httpx.ASGITransport(site.app)
    auth = httpx.BasicAuth(user, PASSWORD)
    async with httpx.AsyncClient(transport=transport, base_url="http://casella.example.org", auth=auth) as client:
        for path in ("/readyz", "/healthz", "/v1/accounts/me/folders/inbox/messages"):
            assert (await client.get(path)).status_code == 200


async def test_requests_and_pushes_go_on_while_it_is_away(dovecot: Dovecot, server: Postgres) -> None:
    """R-OPS-43: what needs it is refused until later; it is logged once. Mailboxes are watched as long as no other
    replica can have taken them."""
    credentials = credentials_of(dovecot.user())
    settings = settings_of(dovecot, server.url(), store={"heartbeat_seconds": 0.2, "dead_seconds": 60})
    with structlog.testing.capture_logs() as logs:
        async with running(settings) as site:
            phone = await site.subscribe(credentials)
            server.stop()
            await requests_work(site, credentials.username)
            for attempt in (site.watching.keeper(credentials).all(), site.watching.keeper(credentials).remove("x")):
                with pytest.raises(StoreUnavailable) as refused:
                    await attempt
                assert refused.value.retry_after
            dovecot.append(credentials.username, MAIL)
            await site.recorder.next(phone)
            server.start()
            await until(lambda: any(each["event"] == "the store answers again" for each in logs))
            dovecot.append(credentials.username, MAIL)
            await site.recorder.next(phone, 1)
    assert [each["event"] for each in logs if each["log_level"] == "warning"].count("the store fails") == 1


async def test_what_came_while_it_was_away_is_told_later(dovecot: Dovecot, server: Postgres) -> None:
    """R-OPS-43: when others might have taken the mailbox, pushes wait. The watch stays, and needs no new login."""
    credentials = credentials_of(dovecot.user())
    async with running(settings_of(dovecot, server.url())) as site:
        phone = await site.subscribe(credentials)
        [(watch, _)] = site.watching._worker._watches.values()
        server.stop()
        await until(lambda: not site.tools.lease.is_sure)
        dovecot.append(credentials.username, MAIL)
        with pytest.raises(TimeoutError):
            await site.recorder.next(phone, seconds=1)
        await requests_work(site, credentials.username)
        server.start()
        await site.recorder.next(phone)
        assert [each for each, _ in site.watching._worker._watches.values()] == [watch]


async def test_a_service_starts_while_it_is_away(dovecot: Dovecot, server: Postgres) -> None:
    """R-OPS-43: the tables are made when it comes."""
    url, credentials, phone = server.url(), credentials_of(dovecot.user()), subscription_of()
    server.stop()
    async with running(settings_of(dovecot, url), Recorder()) as site:
        await requests_work(site, credentials.username)
        with pytest.raises(StoreUnavailable):
            await site.watching.keeper(credentials).keep(phone)
        server.start()
        async with asyncio.timeout(20):
            while True:
                try:
                    await site.watching.keeper(credentials).keep(phone)
                    break
                except StoreUnavailable:
                    await asyncio.sleep(0.1)
        await until(lambda: site.is_watched(credentials))
        dovecot.append(credentials.username, MAIL)
        await site.recorder.next(phone)
