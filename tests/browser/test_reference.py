"""The reference that the service serves, shown by a real browser without a network."""

import pytest
from playwright.async_api import Browser

from tests.deploy.replica import Replica

pytestmark = pytest.mark.asyncio(loop_scope="session")
_SERVER = {"CASELLA_SERVERS__HOME__IMAP__HOST": "imap.example.org", "CASELLA_SERVERS__HOME__IMAP__PORT": "993"}
_SHOWN = {
    "/docs": "#operations-messages-listMessages",
    "/redoc": "[data-section-id='tag/messages/operation/listMessages']",
}
_REFUSED = "refused = []; addEventListener('securitypolicyviolation', event => refused.push(event.blockedURI))"


@pytest.mark.parametrize("path", _SHOWN)
async def test_the_reference_works_offline(browser: Browser, path: str) -> None:
    """Shown whole, and no address is asked but the service's own."""
    asked: set[str] = set()
    async with Replica(_SERVER) as replica:
        page = await browser.new_page()
        page.on("request", lambda request: asked.add(request.url))
        await page.add_init_script(_REFUSED)
        await page.goto(replica.url + path)
        await page.wait_for_selector(_SHOWN[path], state="attached", timeout=30_000)
        await page.wait_for_load_state("networkidle")
        refused = set(await page.evaluate("refused"))  # by our policy: the browser sent nothing
        await page.close()
    foreign = {url for url in asked - refused if not url.startswith((replica.url, "data:", "blob:"))}
    assert foreign == set()
