"""axe-core finds nothing wrong in any state: WCAG 2.2 AA and its own good practice, light and dark, on a phone and on a desk."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser.page.states import STATES, furnish
from tests.browser.page.visitor import DESKTOP, PHONE, Visitor, visiting
from tests.servers.submission import SendingDovecot

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.sdks]
_AXE = Path(__file__).parents[3] / "web" / "node_modules" / "axe-core" / "axe.min.js"
# The mail in the frame is of strangers.
_RUN = "axe.run(document, { iframes: false }).then(({ violations }) => violations)"


async def findings(visitor: Visitor) -> list[Any]:
    await visitor.page.evaluate(
        "Promise.all(document.getAnimations().map(one => one.effect.getTiming().iterations === 1 && one.finished))"
    )
    await visitor.page.evaluate(_AXE.read_text())
    found = await visitor.page.evaluate(_RUN)
    return [(one["id"], node["html"], node.get("failureSummary")) for one in found for node in one["nodes"]]


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(browser: Browser, url: str, post: SendingDovecot, size: Any, scheme: str) -> None:
    user = post.user()
    furnish(post, user)
    async with visiting(browser, url, size, color_scheme=scheme) as visitor:
        await visitor.page.goto(visitor.url)
        await expect(visitor.page.get_by_label("Email address")).to_be_visible()
        found = {"sign-in": await findings(visitor)}
        await visitor.name(user)
        await visitor.page.fill("#password", "wrong")
        await visitor.page.click("button.primary")
        await expect(visitor.page.get_by_role("alert")).not_to_be_empty()
        found["refused"] = await findings(visitor)
        await visitor.sign_in(user)
        for name, lead in STATES.items():
            await visitor.page.goto(f"{visitor.url}#/inbox")
            await visitor.page.reload()
            await expect(visitor.row("Welcome")).to_be_visible()
            await lead(visitor)
            found[name] = await findings(visitor)
        faults = {f"{name}: {rule}: {html[:200]}: {why}" for name, these in found.items() for rule, html, why in these}
        assert faults == set(), "\n".join(sorted(faults))
