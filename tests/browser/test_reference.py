"""The reference that the service serves, shown by a real browser without a network."""

import pytest
from playwright.async_api import Browser, Page

from tests.deploy.replica import Replica

pytestmark = pytest.mark.asyncio(loop_scope="session")
_SERVER = {"CASELLA_SERVERS__HOME__IMAP__HOST": "imap.example.org", "CASELLA_SERVERS__HOME__IMAP__PORT": "993"}
_SECTION = "[data-section-id='tag/messages/operation/listMessages']"
_SHOWN = {"/docs": _SECTION, "/docs/try": "#operations-tag-messages"}
_REFUSED = "refused = []; addEventListener('securitypolicyviolation', event => refused.push(event.blockedURI))"
_LOGO = "https://cdn.redoc.ly/redoc/logo-mini.svg"
"""Redoc shows it beside its name. Our policy refuses it."""
_WIDTHS = (390, 1440)
_FITS = "document.documentElement.scrollWidth <= innerWidth"


@pytest.mark.parametrize("path", _SHOWN)
async def test_the_reference_works_offline(browser: Browser, path: str) -> None:
    """Shown whole under its policy, and no address is asked but the service's own."""
    asked: set[str] = set()
    async with Replica(_SERVER) as replica:
        page = await browser.new_page()
        page.on("request", lambda request: asked.add(request.url))
        await page.add_init_script(_REFUSED)
        await _shown(page, replica.url + path, _SHOWN[path])
        await page.wait_for_load_state("networkidle")
        refused = set(await page.evaluate("refused"))  # by our policy: the browser sent nothing
        await page.close()
    foreign = {url for url in asked - refused if not url.startswith((replica.url, "data:", "blob:"))}
    assert foreign == set()
    assert refused <= {_LOGO}


async def test_the_reference_has_titles_samples_and_guides_on_a_phone_and_on_a_desk(browser: Browser) -> None:
    async with Replica(_SERVER) as replica:
        for width in _WIDTHS:
            page = await browser.new_page(viewport={"width": width, "height": 844})
            await _shown(page, f"{replica.url}/docs", _SECTION)
            section = page.locator(_SECTION)
            assert await section.locator("h2").inner_text() == "List messages"
            assert await section.get_by_role("tab").all_inner_texts() >= [
                "curl",
                "TypeScript",
                "Python",
                "Kotlin",
                "Swift",
            ]
            await section.get_by_role("tab", name="Python").click()
            sample = await section.locator("[role=tabpanel] pre:visible").first.inner_text()
            assert f'casella = Casella("{replica.url}", token)' in sample
            assert await page.evaluate(_FITS), width
            if width < 600:
                assert not await page.locator("#guides a").first.is_visible()
                await page.mouse.click(width - 50, 844 - 74)  # the button that opens the menu
            await page.click("#guides a:text-is('Search')")
            await page.wait_for_selector("h1:text-is('Search')")
            await page.close()


async def test_the_page_to_try_leads_to_the_guides(browser: Browser) -> None:
    async with Replica(_SERVER) as replica:
        page = await browser.new_page()
        await _shown(page, f"{replica.url}/docs/try", ".info a:text-is('/guides')")
        async with page.expect_popup() as opened:  # Swagger UI opens a page for each link
            await page.click(".info a:text-is('/guides')")
        guides = await opened.value
        await guides.wait_for_selector("h1:text-is('Guides')")
        for one in page.context.pages:
            await one.close()


async def _shown(page: Page, url: str, selector: str) -> None:
    await page.goto(url)
    await page.wait_for_selector(selector, state="attached", timeout=30_000)
    if url.endswith("/docs"):
        await page.wait_for_selector("body.shown", timeout=30_000)
