"""How soon, how smooth, how much: as on a slow phone."""

import asyncio

import pytest
from playwright.async_api import Browser, expect

from tests.browser.page.mails import many
from tests.browser.page.visitor import PHONE, visiting
from tests.servers.submission import SendingDovecot

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.dovecot]
SLOWER = 4
FIRST_LIST, INPUT = 1000, 100
"""ms"""
_PAINTED = """new MutationObserver((_, watch) => {
  if (!document.querySelector('.row')) return;
  watch.disconnect();
  requestAnimationFrame(() => requestAnimationFrame(() => window.painted = performance.now()));
}).observe(document, { childList: true, subtree: true })"""
_DELAYS = """window.delays = [];
new PerformanceObserver(list => delays.push(...list.getEntries().filter(one => /^key|click|pointer/.test(one.name)).map(one => one.duration)))
  .observe({ type: 'event', durationThreshold: 16, buffered: true })"""


async def test_the_first_list_is_painted_within_a_second(browser: Browser, url: str, post: SendingDovecot) -> None:
    """On a CPU four times slower; the best of a few loads, for the machine has other work too."""
    user = post.user()
    post.seed(user, many(300))
    async with visiting(browser, url, PHONE) as visitor:
        await visitor.sign_in(user)
        devtools = await visitor.context.new_cdp_session(visitor.page)
        await devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        await visitor.context.add_init_script(_PAINTED)
        times = []
        for _ in range(6):
            await visitor.page.reload()
            times.append(await visitor.until("window.painted"))
            if times[-1] < FIRST_LIST:
                break
        await devtools.send(
            "Emulation.setCPUThrottlingRate", {"rate": 1}
        )  # or the browser takes half a minute to close
        assert min(times) < FIRST_LIST, times


@pytest.mark.long
async def test_ten_thousand_messages_do_not_delay_a_key(browser: Browser, url: str, post: SendingDovecot) -> None:
    user = post.user()
    post.seed(user, many(10_000))
    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.prefer(user, density="compact")
        await visitor.sign_in(user)
        end = "list => { list.scrollTo(0, list.scrollHeight); return +list.querySelector('.row').ariaSetSize }"
        async with asyncio.timeout(100):
            while await page.locator("#list").evaluate(end) < 10_000:
                await page.wait_for_timeout(20)
        await page.locator("#list").evaluate("list => list.scrollTo(0, 0)")
        await expect(visitor.row("Message 0")).to_be_visible()
        best = INPUT * 10.0
        for _ in range(4):  # the machine has other work too
            await page.evaluate(_DELAYS)
            for key in "jjjjxjjxs":
                await page.keyboard.press(key)
            await page.keyboard.press("/")
            await page.keyboard.type("from:")
            await page.keyboard.press("Escape")
            await page.locator("#list").focus()
            best = min(best, await page.evaluate("Math.max(0, ...delays)"))
            if best < INPUT:
                break
        assert best < INPUT
