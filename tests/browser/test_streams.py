"""Event streams of several accounts in a real browser, which opens six connections to a host over HTTP/1.1."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_urlsafe
from typing import Any, NamedTuple

import httpx
import pytest
from playwright.async_api import Browser
from playwright.async_api import Page as Tab

from tests.browser.sink import HOME, Page, Sink
from tests.deploy.haproxy import haproxy_http2
from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import PASSWORD, Dovecot

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.dovecot]
ACCOUNTS = 7
MAIL = b"Subject: news\r\n\r\nx\r\n"
_ONE_STREAM = """async ([url, tokens]) => {
  const made = await fetch(`${url}/v1/events/tickets`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ tokens }),
  });
  const { ticket, accounts } = await made.json();
  window.changed = new Set();
  const begun = new Set();
  window.stream = new EventSource(`${url}/v1/events?ticket=${ticket}`);
  stream.addEventListener('change', event => changed.add(JSON.parse(event.data).accountId));
  await new Promise(done => stream.addEventListener('ping', event => {
    begun.add(JSON.parse(event.data).accountId);
    if (begun.size === accounts.length) done();
  }));
}"""
_A_STREAM_EACH = """async ([url, tokens]) => {
  window.changed = new Set();
  window.readers = await Promise.all(tokens.map(async token => {
    const headers = { Authorization: `Bearer ${token}` };
    const response = await fetch(`${url}/v1/accounts/me/events`, { headers });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    await reader.read();
    (async () => { for (;;) if ((await reader.read()).value.includes('event: change')) changed.add(token); })();
    return reader;
  }));
}"""
_REQUESTS = """([url, tokens]) => Promise.all(tokens.map(token =>
  fetch(`${url}/v1/accounts/me`, { headers: { Authorization: `Bearer ${token}` } }).then(answer => answer.status)))"""


class App(NamedTuple):
    """A page of another origin, which trusts the proxy's certificate. ``protocols`` are those it has used."""

    page: Tab
    protocols: set[str]


@asynccontextmanager
async def app_in(browser: Browser, sink: Sink) -> AsyncIterator[App]:
    sink.pages = {"/": Page("<!doctype html><title>App</title>")}
    context = await browser.new_context(ignore_https_errors=True)
    try:
        page = await context.new_page()
        await page.goto(f"http://{HOME}/")
        protocols: set[str] = set()
        devtools = await context.new_cdp_session(page)

        def note(event: dict[str, Any]) -> None:
            if "/v1/" in event["response"]["url"]:  # the page's own icon has another origin
                protocols.add(event["response"]["protocol"])

        devtools.on("Network.responseReceived", note)
        await devtools.send("Network.enable")
        yield App(page, protocols)
    finally:
        await context.close()


async def sessions(replica: Replica, users: list[str]) -> list[str]:
    async with httpx.AsyncClient(base_url=replica.url, timeout=30) as client:
        made = [await client.post("/v1/sessions", json={"username": user, "password": PASSWORD}) for user in users]
    return [str(each.json()["token"]) for each in made]


def settings(dovecot: Dovecot) -> dict[str, str]:
    return environment(dovecot, secret_keys=token_urlsafe(32), drain_seconds=0, allowed_origins=f"http://{HOME}")


async def test_one_stream_serves_more_accounts_than_a_browser_has_connections(
    browser: Browser, sink: Sink, dovecot: Dovecot
) -> None:
    """Requests go through while the events of seven accounts are listened to."""
    users = [dovecot.user() for _ in range(ACCOUNTS)]
    async with Replica(settings(dovecot)) as replica, app_in(browser, sink) as app:
        page, tokens = app.page, await sessions(replica, users)
        await page.evaluate(_ONE_STREAM, [replica.url, tokens])
        assert await page.evaluate(_REQUESTS, [replica.url, tokens]) == [200] * ACCOUNTS
        assert app.protocols == {"http/1.1"}
        for user in users:
            dovecot.append(user, MAIL)
        await page.wait_for_function(f"changed.size === {ACCOUNTS}")


async def test_over_http_2_each_account_may_have_its_stream(browser: Browser, sink: Sink, dovecot: Dovecot) -> None:
    """R-OPS-19: behind Debian's haproxy, which takes HTTP/2 and passes on HTTP/1.1."""
    users = [dovecot.user() for _ in range(ACCOUNTS)]
    async with (
        Replica(settings(dovecot)) as replica,
        haproxy_http2(replica) as url,
        app_in(browser, sink) as app,
    ):
        page, tokens = app.page, await sessions(replica, users)
        await page.evaluate(_A_STREAM_EACH, [url, tokens])
        assert await page.evaluate(_REQUESTS, [url, tokens]) == [200] * ACCOUNTS
        assert app.protocols == {"h2"}
        for user in users:
            dovecot.append(user, MAIL)
        await page.wait_for_function(f"changed.size === {ACCOUNTS}")
