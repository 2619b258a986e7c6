"""The page's notifications in Chromium, with its own push service: switched on, closed, woken by mail, clicked."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import BrowserContext, Page, async_playwright, expect

from service.app import create_app
from service.settings.push import PushSettings
from tests.api.conftest import settings_for
from tests.api.served import listening
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.browser.page.test_accessible import findings
from tests.browser.page.visitor import Visitor
from tests.push.conftest import SECRET, Balancer
from tests.push.test_browser import lead_to
from tests.push.test_deliveries import mail
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.gcm import GcmDouble
from tests.servers.process import HOST
from tests.servers.reporting import ReportingDovecot

pytestmark = [pytest.mark.dovecot]
ANN = "Ann Exämple"
SHOWN = """async () => {
  const registration = await navigator.serviceWorker.getRegistration('/app/');
  return (await registration.getNotifications()).map(({ title, body }) => [title, body]);
}"""
CLICK = """async (body) => {
  const shown = await registration.getNotifications();
  const notification = shown.find((one) => one.body.startsWith(body));
  dispatchEvent(new NotificationEvent('notificationclick', { notification }));
}"""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SWITCH, NAMED = "Notifications of new mail on this device", "Show sender and subject in notifications"


async def shown(page: Page, title: str, body: str) -> None:
    """Returns as soon as there is such a notification."""
    async with asyncio.timeout(60):
        while [title, body] not in (found := await page.evaluate(SHOWN)):
            assert len(found) < 10
            await asyncio.sleep(0.05)


@asynccontextmanager
async def chromium(google: GcmDouble, folder: Path) -> AsyncIterator[BrowserContext]:
    """No private window: those have no push."""
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            folder,
            executable_path=CHROMIUM,
            locale="en",
            args=[*(each for each in ARGUMENTS if each != "--disable-background-networking"), *google.arguments,
                  f"--host-resolver-rules=MAP * {HOST}:{google.port}, EXCLUDE {HOST}"],
            ignore_default_args=["--disable-background-networking"],
        )  # fmt: skip
        yield context
        await context.close()


async def open_settings(page: Page) -> None:
    await page.get_by_role("button", name="Account:").click()
    await page.get_by_role("button", name="Settings").click()
    await expect(page.get_by_label("Language")).to_be_visible()


async def switch_on(page: Page) -> None:
    await open_settings(page)
    await page.get_by_role("switch", name=SWITCH).check()
    await expect(page.get_by_role("switch", name=NAMED)).to_be_checked()
    await expect(page.get_by_role("switch", name=SWITCH)).to_be_enabled()
    await expect(page.locator(".hint")).to_be_empty(timeout=60_000)


async def test_new_mail_is_shown_while_the_page_is_closed_and_a_click_opens_it(
    reporting: ReportingDovecot, hook_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For two accounts, with sender and subject and without; what opens the page renews, and a sign-out ends it."""
    first, second = reporting.user("first"), reporting.user("second")
    async with GcmDouble() as google:
        lead_to(google, monkeypatch)
        push = PushSettings(dovecot={"secrets": SECRET}, networks="127.0.0.0/8")
        app = create_app(settings_for(reporting).model_copy(update={"push": push}))
        async with listening(app) as port, Balancer(hook_port, [port]), chromium(google, tmp_path) as context:
            origin = f"http://{HOST}:{port}"
            await context.grant_permissions(["notifications"], origin=origin)
            visitor = Visitor(await context.new_page(), context, f"{origin}/app/")
            page = visitor.page
            await visitor.sign_in(first)
            await switch_on(page)
            [before] = await subscriptions(page, origin, first)
            assert (before["isVerified"], before["alert"], before["kind"]) == (True, True, "webpush")
            await visitor.choose("Add account")
            await visitor.identify(second)
            await switch_on(page)
            await page.get_by_role("switch", name=NAMED).uncheck()
            await expect(page.get_by_role("switch", name=NAMED)).to_be_enabled()
            await expect(page.locator(".hint")).to_be_empty(timeout=60_000)
            assert len([one for one in google.registered.values() if one.app]) == 1  # both accounts share it

            other = await context.new_page()
            await other.goto(f"{origin}/v1/servers")
            await page.close()
            await asyncio.to_thread(reporting.deliver, first, mail(7))
            await shown(other, ANN, f"Lünch 7\n{first}")
            await asyncio.to_thread(reporting.deliver, second, mail(8))
            await shown(other, "New mail", second)

            [worker] = context.service_workers
            await worker.evaluate(CLICK, "Lünch 7")  # a click that is made here opens no window: the next one is ours
            await shown_no_more(other, ANN)
            page = await context.new_page()
            async with page.expect_response(lambda answer: f"/subscriptions/{before['id']}" in answer.url) as renewed:
                await page.goto(f"{origin}/app/")
            assert (await renewed.value).status == 200
            await expect(page.locator(".conversation h1")).to_have_text("Lünch 7")
            [after] = await subscriptions(page, origin, first)
            assert after["id"] == before["id"]

            await worker.evaluate(CLICK, second)
            await expect(page.get_by_role("button", name=f"Account: {second}")).to_be_visible()
            await expect(page.locator(".row", has_text="Lünch 8")).to_be_visible()
            async with page.expect_response(lambda answer: answer.url.endswith("/sessions/current")):
                await sign_out(page)
            await expect(page.get_by_role("button", name=f"Account: {first}")).to_be_visible()
            assert await subscriptions(page, origin, second) == []
            await open_settings(page)
            async with page.expect_response(lambda answer: answer.request.method == "DELETE"):
                await page.get_by_role("switch", name=SWITCH).uncheck()
            await expect(page.get_by_role("switch", name=NAMED)).to_have_count(0)
            assert await subscriptions(page, origin, first) == []
    assert {fields["content-encoding"] for fields in google.pushed} == {"aes128gcm"}


async def test_a_mailbox_whose_server_reports_nothing_has_no_switch(
    dovecot: Dovecot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service sends pushes, but not for this account. It may be asked: 501."""
    async with GcmDouble() as google:
        lead_to(google, monkeypatch)
        push = PushSettings(dovecot={"secrets": SECRET}, networks="127.0.0.0/8")
        app = create_app(settings_for(dovecot).model_copy(update={"push": push}))
        async with listening(app) as port, chromium(google, tmp_path) as context:
            page = await context.new_page()
            visitor = Visitor(page, context, f"http://{HOST}:{port}/app/")
            await visitor.sign_in(dovecot.user())
            async with page.expect_response(lambda answer: answer.url.endswith("/subscriptions")) as asked:
                await open_settings(page)
            assert (await asked.value).status == 501
            await expect(page.get_by_role("switch")).not_to_have_count(0)
            await expect(page.get_by_role("switch", name=SWITCH)).to_have_count(0)


async def found_by_axe(visitor: Visitor) -> list[object]:
    found: list[object] = []
    for scheme in SCHEMES:
        await visitor.page.emulate_media(color_scheme=scheme)
        await expect(visitor.page.locator("html")).to_have_attribute("data-theme", scheme)
        found += await findings(visitor)
    return found


@pytest.mark.sdks
async def test_axe_finds_nothing_in_the_switches(
    reporting: ReportingDovecot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Off, on, and while the browser blocks notifications."""
    async with GcmDouble() as google:
        lead_to(google, monkeypatch)
        push = PushSettings(dovecot={"secrets": SECRET}, networks="127.0.0.0/8")
        app = create_app(settings_for(reporting).model_copy(update={"push": push}))
        async with listening(app) as port, chromium(google, tmp_path) as context:
            origin = f"http://{HOST}:{port}"
            await context.grant_permissions(["notifications"], origin=origin)
            visitor = Visitor(await context.new_page(), context, f"{origin}/app/")
            page = visitor.page
            await visitor.sign_in(reporting.user())
            await open_settings(page)
            await expect(page.get_by_role("switch", name=SWITCH)).to_be_visible()
            assert await found_by_axe(visitor) == []
            await page.get_by_role("switch", name=SWITCH).check()
            await expect(page.get_by_role("switch", name=SWITCH)).to_be_enabled()
            assert await found_by_axe(visitor) == []
            devtools = await context.new_cdp_session(page)
            refused = {"permission": {"name": "notifications"}, "setting": "denied", "origin": origin}
            await devtools.send("Browser.setPermission", refused)
            await page.reload()
            await expect(page.get_by_text("Your browser blocks notifications")).to_be_visible()
            await expect(page.get_by_role("switch", name=SWITCH)).to_be_disabled()
            assert await found_by_axe(visitor) == []


async def sign_out(page: Page) -> None:
    await page.get_by_role("button", name="Account:").click()
    await page.get_by_role("button", name="Sign out").click()


async def shown_no_more(page: Page, title: str) -> None:
    async with asyncio.timeout(30):
        while any(found[0] == title for found in await page.evaluate(SHOWN)):
            await asyncio.sleep(0.02)


async def subscriptions(page: Page, origin: str, user: str) -> list[dict[str, object]]:
    headers = {"Authorization": basic(user)}
    answer = await page.request.get(f"{origin}/v1/accounts/me/subscriptions", headers=headers)
    return list((await answer.json())["items"])


def basic(user: str) -> str:
    return f"Basic {b64encode(f'{user}:{PASSWORD}'.encode()).decode()}"
