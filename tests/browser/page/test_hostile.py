"""Every vector of the HTML suite, opened in the page: nothing runs, and nothing is fetched, and
memory does not grow with what was read.

Once as the service gives it, and once as it came, as if the service let all of it pass: the frame's sandbox and policy
hold alone.
"""

from collections.abc import Iterator, Sequence
from typing import cast

import pytest
from playwright.async_api import Browser, CDPSession, Route, expect

from tests.browser.page.mails import NEWEST, mail
from tests.browser.page.visitor import visiting
from tests.browser.sink import Sink
from tests.browser.vectors import VECTORS
from tests.servers.dovecot import Mail
from tests.servers.submission import SendingDovecot

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.dovecot]
_TOGETHER = 20
"""Vectors in a conversation: their messages are all unread, so opening one opens all."""
_BASE = 700_000
"""No other test has these numbers."""
_MEASURED = (200, 400)
_GROWTH = 4 << 20
"""Octets of memory that 200 more messages may take."""
_CANARY = "window.ran = n => told(n)"
# Open a conversation, and wait until each of its messages is in its frame; answers how many there are.
_READ = """async ([subject, many]) => {
  const row = [...document.querySelectorAll('.row')].find(one => one.querySelector('.subject').textContent === subject);
  row.querySelector('a').click();
  const isShown = body => {
    const frame = body.querySelector('iframe');
    return frame ? frame.contentDocument?.readyState === 'complete' && frame.contentDocument.URL !== 'about:blank' : true;
  };
  for (;;) {
    const bodies = [...document.querySelectorAll('.card .body')];
    const title = document.querySelector('.conversation h1')?.textContent;
    if (title === subject && bodies.length === many && bodies.every(isShown)) return bodies.length;
    await new Promise(done => setTimeout(done, 10));
  }
}"""


def conversations() -> Iterator[Mail]:
    for place, vector in enumerate(VECTORS):
        first = place - place % _TOGETHER
        html = vector.numbered(_BASE + place).encode("utf-8", "replace").decode()
        source = mail(f"Vector {first}", html=html, number=place, answers=None if place == first else first)
        yield source, (), NEWEST


def names(numbers: Sequence[int]) -> set[str]:
    return {VECTORS[number - _BASE].name for number in numbers}


@pytest.mark.parametrize("html", ["safe", pytest.param("original", marks=pytest.mark.long)])
async def test_nothing_runs_and_nothing_is_fetched(
    browser: Browser, url: str, post: SendingDovecot, sink: Sink, html: str
) -> None:
    """R-MIME-14."""
    user = post.user()
    post.seed(user, conversations())
    ran, dialogs = list[int](), list[str]()

    async def original(route: Route) -> None:
        await route.continue_(url=f"{route.request.url}?html={html}")

    sink.hosts.clear()
    async with visiting(browser, url) as visitor:
        await visitor.context.expose_binding("told", lambda _, number: ran.append(cast("int", number)))
        await visitor.context.add_init_script(_CANARY)
        visitor.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        visitor.page.on("popup", lambda popup: dialogs.append(popup.url))
        await visitor.page.route("**/messages/m_*", original)
        await visitor.sign_in(user)
        await visitor.page.set_viewport_size({"width": 1440, "height": 2400})  # so that no row is beyond the list
        await expect(visitor.rows()).to_have_count(-(-len(VECTORS) // _TOGETHER))
        devtools = await visitor.context.new_cdp_session(visitor.page)
        await devtools.send("Performance.enable")
        shown, memory = 0, list[float]()
        for first in range(0, len(VECTORS), _TOGETHER):
            many = min(_TOGETHER, len(VECTORS) - first)
            shown += await visitor.page.evaluate(_READ, [f"Vector {first}", many])
            if shown in _MEASURED:
                memory.append(await used(devtools))
        await visitor.page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        assert shown == len(VECTORS)
        assert memory[-1] - memory[0] < _GROWTH, memory
        assert (names(ran), dialogs) == (set(), [])
        assert {host for host in sink.hosts if host.startswith("v70")} == set()
        if html == "original":
            visitor.faults.clear()  # the policy had to refuse
            visitor.strayed.clear()


async def used(devtools: CDPSession) -> float:
    """Octets of the page's memory that are in use."""
    await devtools.send("HeapProfiler.collectGarbage")
    metrics = await devtools.send("Performance.getMetrics")
    return float(next(metric["value"] for metric in metrics["metrics"] if metric["name"] == "JSHeapUsedSize"))
