"""A person at the page: a window of the browser, what they do there, and what must not happen meanwhile."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, BrowserContext, Locator, Page, ViewportSize, expect

from tests.servers.dovecot import PASSWORD

PHONE, TABLET, DESKTOP = (ViewportSize(width=390, height=844), ViewportSize(width=820, height=1180), ViewportSize(width=1440, height=900))  # fmt: skip
expect.set_options(timeout=20_000)  # ms; the machine may be busy
_REFUSED = (
    "addEventListener('securitypolicyviolation', event => refuse(`${event.violatedDirective} ${event.blockedURI}`))"
)


@dataclass
class Visitor:
    """``faults``: errors of scripts, and what the page's policy refused. There should be none."""

    page: Page
    context: BrowserContext
    url: str
    faults: list[str] = field(default_factory=list)
    strayed: list[str] = field(default_factory=list)

    async def sign_in(self, username: str, password: str = PASSWORD) -> None:
        """From an address to the list."""
        await self.page.goto(self.url)
        await self.identify(username, password)
        await expect(self.page.locator("#list")).to_be_visible()

    async def sign_in_for_token(self, username: str) -> str:
        """The token of the session."""
        async with self.page.expect_response(lambda answer: answer.url.endswith("/v1/sessions")) as signed_in:
            await self.sign_in(username)
        return str((await (await signed_in.value).json())["token"])

    async def end_session(self, token: str) -> None:
        """As another device does."""
        place = self.url.replace("/app/", "/v1/sessions/current")
        assert (await self.page.request.delete(place, headers={"Authorization": f"Bearer {token}"})).ok

    async def identify(self, username: str, password: str = PASSWORD) -> None:
        """Fill the form that is shown. A reload would forget what the page has in memory."""
        await self.name(username)
        await self.page.fill("#password", password)
        await self.page.click("button.primary")

    async def name(self, username: str) -> None:
        await self.page.fill("input[name=username]", username)
        await self.page.click("button.primary")

    async def choose(self, item: str) -> None:
        """Of the menu of the account."""
        await self.page.get_by_role("button", name="Account:").click()
        await self.page.get_by_role("button", name=item).click()

    def rows(self) -> Locator:
        return self.page.locator(".row")

    def row(self, subject: str) -> Locator:
        return self.page.locator(".row", has=self.page.get_by_text(subject, exact=True))

    async def open(self, subject: str) -> None:
        await self.row(subject).locator(".words").click()
        await expect(self.page.locator(".conversation h1")).to_have_text(subject)

    def mail(self) -> Any:
        """What is in the frame of the opened message."""
        return self.page.frame_locator(".card.opened iframe.mail")

    async def said(self, text: str) -> None:
        """A notice says so."""
        await expect(self.page.locator(".notice", has_text=text)).to_be_visible()

    async def prefer(self, username: str, **preferences: object) -> None:
        """Settings that another device has stored."""
        login = b64encode(f"{username}:{PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "If-None-Match": "*"}
        settings = {"settings": {"page": preferences}}
        place = self.url.replace("/app/", "/v1/accounts/me/settings")
        assert (await self.page.request.put(place, data=settings, headers=headers)).ok

    async def leave(self) -> None:
        """As a window that is closed: what waits is sent now."""
        await self.page.evaluate("dispatchEvent(new Event('pagehide'))")

    async def until(self, condition: str, arg: object = None) -> Any:
        """The first value of an expression or function that is true. Playwright's own wait needs eval, which the page forbids."""
        async with asyncio.timeout(30):
            while not (value := await self.page.evaluate(condition, arg)):
                await asyncio.sleep(0.01)
        return value

    async def wide(self) -> bool:
        """Whether the page is wider than the screen."""
        return bool(await self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@asynccontextmanager
async def visiting(browser: Browser, url: str, size: ViewportSize = DESKTOP, **options: Any) -> AsyncIterator[Visitor]:
    """A browser that was never here."""
    context = await browser.new_context(viewport=size, locale=options.pop("locale", "en"), **options)
    try:
        page = await context.new_page()
        visitor = Visitor(page, context, f"{url}/app/")
        await context.expose_binding("refuse", lambda _, words: visitor.faults.append(str(words)))
        await context.add_init_script(_REFUSED)
        context.on("weberror", lambda error: visitor.faults.append(str(error.error)))
        context.on("request", lambda request: _note(visitor, url, request.url))
        yield visitor
        assert visitor.faults == []
        assert visitor.strayed == []
    finally:
        await context.close()


def _note(visitor: Visitor, url: str, asked: str) -> None:
    if not asked.startswith((url, "blob:", "data:", "about:", "cid:")):
        visitor.strayed.append(asked)
