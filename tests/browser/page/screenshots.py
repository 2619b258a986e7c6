"""Writes docs/screens: the main states of the page, light and dark, on a mailbox of demo messages."""

import asyncio
from pathlib import Path

from playwright.async_api import Browser, async_playwright, expect

from service.demo.messages import demo_messages
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.browser.page.conftest import settings
from tests.browser.page.states import STATES
from tests.browser.page.visitor import DESKTOP, PHONE, TABLET, Visitor, visiting
from tests.deploy.replica import Replica
from tests.servers.dovecot import Dovecot
from tests.servers.sink import Sink
from tests.servers.submission import SendingDovecot

FOLDER = Path(__file__).parents[3] / "docs" / "screens"
_QUALITY = 60
_LARGEST = 1 << 20


async def _message(visitor: Visitor) -> None:
    await visitor.row("🌻 News of the house").first.locator(".words").click()
    await expect(visitor.mail().locator("p").first).to_be_visible()


async def _selection(visitor: Visitor) -> None:
    for number in (1, 3, 5):
        await visitor.rows().nth(number).get_by_role("checkbox").check()


async def _conversation(visitor: Visitor) -> None:
    await visitor.page.locator(".row", has=visitor.page.locator(".number")).first.locator(".words").click()
    await expect(visitor.page.locator(".card").nth(1)).to_be_visible()
    await expect(visitor.page.locator(".body-skeleton")).to_have_count(0)


async def _nothing(visitor: Visitor) -> None:
    await expect(visitor.rows().first).to_be_visible()


SHOTS = (
    ("desktop-list", DESKTOP, _nothing),
    ("desktop-message", DESKTOP, _message),
    ("desktop-conversation", DESKTOP, _conversation),
    ("desktop-selection", DESKTOP, _selection),
    ("desktop-search", DESKTOP, STATES["search"]),
    ("desktop-help", DESKTOP, STATES["help"]),
    ("tablet-message", TABLET, _message),
    ("phone-list", PHONE, _nothing),
    ("phone-message", PHONE, _message),
    ("phone-folders", PHONE, STATES["folders"]),
    ("desktop-settings", DESKTOP, STATES["settings"]),
    ("desktop-compose", DESKTOP, STATES["compose"]),
)  # fmt: skip
"""What is written stays in the browser, so that comes last."""


def furnish(server: Dovecot, user: str) -> None:
    messages = [one for one in demo_messages() if len(one.source) < _LARGEST]
    for folder in sorted({one.folder for one in messages}):
        chosen = [one for one in messages if one.folder == folder]
        flags = [
            tuple(f"${flag[1:].lower()}" if flag.startswith("\\") else flag for flag in one.flags) for one in chosen
        ]
        server.seed(
            user, ((one.source, each, one.received_at) for one, each in zip(chosen, flags, strict=True)), folder
        )


async def shoot(browser: Browser, url: str, user: str, scheme: str) -> None:
    async with visiting(browser, url, DESKTOP, color_scheme=scheme) as visitor:
        await visitor.page.goto(visitor.url)
        await visitor.page.wait_for_load_state("networkidle")
        await visitor.page.screenshot(path=FOLDER / f"desktop-sign-in-{scheme}.jpg", type="jpeg", quality=_QUALITY)
        await visitor.sign_in(user)
        for name, size, lead in SHOTS:
            await visitor.page.set_viewport_size(size)
            await visitor.page.goto(f"{visitor.url}#/inbox")
            await visitor.page.reload()
            await _nothing(visitor)
            await lead(visitor)
            await visitor.page.wait_for_timeout(600)
            await visitor.page.screenshot(path=FOLDER / f"{name}-{scheme}.jpg", type="jpeg", quality=_QUALITY)


async def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with Sink() as sink, SendingDovecot(sink.port) as dovecot:
        user = "demo@example.org"
        furnish(dovecot, user)
        async with Replica(settings(dovecot)) as replica, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            for scheme in ("light", "dark"):
                await shoot(browser, replica.url, user, scheme)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
