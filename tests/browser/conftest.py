"""One Chromium a process of the test run, with a network that ends on this machine."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.browser.sink import Sink
from tests.browser.stage import Stage

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sink() -> AsyncIterator[Sink]:
    """Where every host name leads."""
    async with Sink() as listener:
        yield listener


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(sink: Sink) -> AsyncIterator[Browser]:
    """Fails where Debian's ``chromium`` is not installed: a run without it proves nothing."""
    rules = f"--host-resolver-rules=MAP * 127.0.0.1:{sink.port}, EXCLUDE 127.0.0.1"
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, rules])
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(browser: Browser, sink: Sink) -> Stage:
    """Shows mail and sees what happens."""
    return Stage(browser, sink)
