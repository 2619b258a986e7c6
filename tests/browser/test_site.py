"""The service's own pages in a real browser, on a phone and on a desk, light and dark."""

import pytest
from playwright.async_api import Browser

from tests.browser.test_reference import _REFUSED, _SERVER
from tests.deploy.replica import Replica

pytestmark = pytest.mark.asyncio(loop_scope="session")
_WIDTHS = (360, 1280)
_PATHS = ("/", "/guides", "/guides/settings", "/guides/operator", "/guides/reference", "/problems/login-refused")
_BACKGROUND = "getComputedStyle(document.body).backgroundColor"


async def test_pages_fit_the_screen_and_their_own_policy(browser: Browser) -> None:
    """Nothing is refused by the policy, nothing is asked of others, and the page is never wider than the screen."""
    async with Replica(_SERVER) as replica:
        page = await browser.new_page(color_scheme="light")
        asked: set[str] = set()
        page.on("request", lambda request: asked.add(request.url))
        await page.add_init_script(_REFUSED)
        for path in _PATHS:
            for width in _WIDTHS:
                await page.set_viewport_size({"width": width, "height": 800})
                await page.goto(replica.url + path)
                assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
                assert await page.evaluate("refused") == []
        light = await page.evaluate(_BACKGROUND)
        await page.emulate_media(color_scheme="dark")
        assert await page.evaluate(_BACKGROUND) != light
        await page.close()
    assert {url for url in asked if not url.startswith(replica.url)} == set()
