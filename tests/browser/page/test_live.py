"""News, lost links and other accounts."""

import json
import signal
from base64 import b64encode
from secrets import token_urlsafe

import pytest
from playwright.async_api import Browser, expect

from tests.browser.page.conftest import settings
from tests.browser.page.mails import NEWEST, mail, many
from tests.browser.page.visitor import PHONE, visiting
from tests.deploy.replica import Replica
from tests.servers.dovecot import PASSWORD
from tests.servers.submission import SendingDovecot

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.dovecot]


async def test_what_happens_elsewhere_shows_at_once(browser: Browser, url: str, post: SendingDovecot) -> None:
    user = post.user()
    post.seed(user, many(3))
    async with visiting(browser, url) as visitor:
        async with visitor.page.expect_response(lambda answer: "/v1/events?" in answer.url):
            await visitor.sign_in(user)
        await expect(visitor.rows()).to_have_count(3)
        post.append(user, mail("Just now"), received_at=None)
        await expect(visitor.rows().first).to_contain_text("Just now")
        await expect(visitor.page.get_by_label("1 unread")).to_be_visible()
        with post.connect(user) as client:
            client.select("INBOX")
            client.store("4", "+FLAGS", r"(\Seen \Flagged)")
            client.store("1", "+FLAGS", r"(\Deleted)")
            client.expunge()
        await expect(visitor.rows()).to_have_count(3)
        await expect(visitor.row("Just now").get_by_role("button", name="Remove star")).to_be_visible()


async def test_what_was_seen_can_be_read_offline(browser: Browser, url: str, post: SendingDovecot) -> None:
    user = post.user()
    post.seed(user, many(3))
    async with visiting(browser, url, PHONE) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        await visitor.open("Message 1")
        await expect(page.locator(".plain")).to_have_text("Text of 1.")
        await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        await visitor.context.set_offline(True)
        await page.reload()
        await expect(page.locator(".plain")).to_have_text("Text of 1.")
        await page.get_by_role("button", name="Back to the list").click()
        await expect(visitor.rows()).to_have_count(3)
        await expect(page.locator(".stale")).to_contain_text("You are offline.")
        await visitor.context.set_offline(False)
        await expect(page.locator(".stale")).to_have_count(0)
        await visitor.open("Message 2")
        await expect(page.locator(".plain")).to_have_text("Text of 2.")


async def test_a_service_that_is_gone_and_back_on_another_replica(browser: Browser, post: SendingDovecot) -> None:
    """The same page goes on: the list is right afterwards, and nobody signs in again."""
    user, own = post.user(), settings(post) | {"CASELLA_SECRET_KEYS": token_urlsafe(32)}
    post.seed(user, many(3))
    async with Replica(own) as replica, visiting(browser, replica.url) as visitor:
        await visitor.sign_in(user)
        await expect(visitor.rows()).to_have_count(3)
        await visitor.open("Message 0")
        replica.send(signal.SIGKILL)
        await replica.ended(10)
        post.append(user, mail("Meanwhile"))
        with post.connect(user) as client:
            client.select("INBOX")
            client.store("1", "+FLAGS", r"(\Deleted)")
            client.expunge()
        await replica.start()
        await expect(visitor.row("Meanwhile")).to_be_visible(timeout=60_000)
        await expect(visitor.row("Message 2")).to_have_count(0)
        await visitor.open("Meanwhile")


async def test_several_accounts(browser: Browser, url: str, post: SendingDovecot) -> None:
    first, second = post.user("first"), post.user("second")
    post.seed(first, [(mail("For the first"), (), NEWEST)])
    post.seed(second, [(mail("For the second"), (), NEWEST)])
    async with visiting(browser, url) as visitor:
        await visitor.sign_in(first)
        await expect(visitor.row("For the first")).to_be_visible()
        await visitor.choose("Add account")
        await visitor.identify(second)
        await expect(visitor.row("For the second")).to_be_visible()
        await expect(visitor.rows()).to_have_count(1)
        await visitor.choose(first)
        await expect(visitor.row("For the first")).to_be_visible()
        await visitor.choose("Sign out")
        await expect(visitor.row("For the second")).to_be_visible()


async def test_settings_follow_the_user(browser: Browser, url: str, post: SendingDovecot) -> None:
    """Language, theme and layout, in a browser that was never there. What an app stored beside them stays."""
    user = post.user()
    post.seed(user, many(1))
    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        other = {"settings": {"otherApp": {"kept": True}}}
        headers = _basic(user)
        answer = await page.request.put(
            f"{url}/v1/accounts/me/settings", data=other, headers=headers | {"If-None-Match": "*"}
        )
        assert answer.ok
        await visitor.choose("Settings")
        await page.get_by_label("Language").select_option("it")
        await expect(page.get_by_role("heading", name="Impostazioni")).to_be_visible()
        for label, value in (("Aspetto", "dark"), ("Densità", "compact"), ("Disposizione", "rtl")):
            await page.get_by_label(label).select_option(value)
        while "rtl" not in (
            now := await (await page.request.get(f"{url}/v1/accounts/me/settings", headers=headers)).text()
        ):
            await page.wait_for_timeout(50)
        assert json.loads(now)["settings"]["otherApp"] == {"kept": True}
    async with visiting(browser, url, locale="de") as visitor:
        await visitor.page.goto(visitor.url)
        await expect(visitor.page.get_by_label("E-Mail-Adresse")).to_be_visible()
        await visitor.sign_in(user)
        await expect(visitor.page.get_by_role("heading", name="Posta in arrivo")).to_be_visible()
        root = visitor.page.locator("html")
        await expect(root).to_have_attribute("dir", "rtl")
        await expect(root).to_have_attribute("data-theme", "dark")
        await expect(root).to_have_attribute("lang", "it")


def _basic(user: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{PASSWORD}'.encode()).decode()}"}
