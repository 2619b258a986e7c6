"""The guide's page and service worker in Chromium, with its own push service: subscribed, closed, and woken by mail."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpcore2
import httpx
import pytest
from playwright.async_api import Page, async_playwright

from service.app import create_app
from service.settings.push import PushSettings
from tests.api.conftest import settings_for
from tests.api.served import listening
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.markdown import of
from tests.push.conftest import SECRET, Balancer
from tests.push.test_deliveries import mail
from tests.servers.dovecot import PASSWORD
from tests.servers.gcm import GcmDouble
from tests.servers.process import HOST
from tests.servers.reporting import ReportingDovecot

pytestmark = pytest.mark.dovecot
WORKER, PAGE = of("docs/notifications.md", "js")
FILES = {
    "/": ("text/html", "<!doctype html><title>Mail</title>"),
    "/worker.js": ("text/javascript", WORKER),
    "/page.js": ("text/javascript", PAGE),
}
START = """async ([casella, token]) => {
  const { wakeMe } = await import('/page.js');
  window.refreshed = [];
  await wakeMe(casella, token, () => refreshed.push(1));
}"""
SHOWN = """async () => {
  const registration = await navigator.serviceWorker.ready;
  return (await registration.getNotifications()).map(({ title, body }) => [title, body]);
}"""


@asynccontextmanager
async def app_of_the_guide() -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        kind, text = FILES.get(path, ("text/plain", ""))
        octets = text.encode()
        head = f"HTTP/1.1 200 x\r\nContent-Type: {kind}\r\nConnection: close\r\nContent-Length: {len(octets)}\r\n\r\n"
        writer.write(head.encode() + octets)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}"


def lead_to(google: GcmDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Endpoints of Google's push service are on this machine, as far as this process can see."""
    resolve, connect = socket.getaddrinfo, httpcore2.AnyIOBackend.connect_tcp

    def resolved(host: Any, *more: Any, **names: Any) -> Any:
        is_google = isinstance(host, str) and host.rstrip(".").endswith(("google.com", "googleapis.com"))
        return resolve(HOST if is_google else host, *more, **names)

    async def connected(self: Any, host: str, port: int, *more: Any) -> Any:
        return await connect(self, host, google.port if port == 443 else port, *more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", connected)
    monkeypatch.setenv("SSL_CERT_FILE", str(google.certificate.ca_file))


async def shown(page: Page, title: str) -> list[str]:
    """The notification with this title, as soon as it is there."""
    async with asyncio.timeout(60):
        while True:
            for notification in await page.evaluate(SHOWN):
                if notification[0] == title:
                    return list(notification)
            await asyncio.sleep(0.05)


async def test_chromium_subscribes_and_shows_a_notification_when_mail_arrives(
    reporting: ReportingDovecot, hook_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own PushManager makes the keys, its own push service gets the pushes and decrypts them, and the page is closed."""
    user = reporting.user()
    async with GcmDouble() as google, app_of_the_guide() as origin, async_playwright() as playwright:
        lead_to(google, monkeypatch)
        push = PushSettings(dovecot={"secrets": SECRET}, networks="127.0.0.0/8")
        app = create_app(settings_for(reporting, allowed_origins=[origin]).model_copy(update={"push": push}))
        context = await playwright.chromium.launch_persistent_context(
            tmp_path,
            executable_path=CHROMIUM,
            args=[*(each for each in ARGUMENTS if each != "--disable-background-networking"), *google.arguments,
                  f"--host-resolver-rules=MAP * {HOST}:{google.port}, EXCLUDE {HOST}"],
            ignore_default_args=["--disable-background-networking"],
        )  # fmt: skip
        await context.grant_permissions(["notifications"], origin=origin)
        async with listening(app) as port, Balancer(hook_port, [port]):
            casella = f"http://{HOST}:{port}"
            async with httpx.AsyncClient(base_url=f"{casella}/v1", auth=(user, PASSWORD), timeout=30) as client:
                session = {"username": user, "password": PASSWORD}
                token = (await client.post("/sessions", json=session)).json()["token"]
                page = await context.new_page()
                await page.goto(origin)
                await page.evaluate(START, [casella, token])
                await page.wait_for_function("localStorage.subscription", timeout=60_000)
                [listed] = (await client.get("/accounts/me/subscriptions")).json()["items"]
                assert (listed["isVerified"], listed["alert"], listed["kind"]) == (True, True, "webpush")
                other = await context.new_page()
                await page.close()
                await asyncio.to_thread(reporting.deliver, user, mail(7))
                await other.goto(origin)
                assert await shown(other, "Ann Exämple") == ["Ann Exämple", "Lünch 7"]
                await other.evaluate(START, [casella, token])
                [renewed] = (await client.get("/accounts/me/subscriptions")).json()["items"]
                assert renewed["id"] == listed["id"]
                assert len(google.registered) >= 1
                await asyncio.to_thread(reporting.deliver, user, mail(8))
                await other.wait_for_function("refreshed.length > 0", timeout=60_000)
        await context.close()
    assert {fields["content-encoding"] for fields in google.pushed} == {"aes128gcm"}
