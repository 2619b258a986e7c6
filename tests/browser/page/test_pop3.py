"""A mailbox that can only list, read and delete: what it cannot do is not there."""

from secrets import token_urlsafe

import pytest
from playwright.async_api import Browser, Route, expect

from tests.browser.page.mails import HTML, NEWEST, mail, many
from tests.browser.page.test_actions import until
from tests.browser.page.test_compose import received, someone, write
from tests.browser.page.visitor import PHONE, visiting
from tests.deploy.replica import Replica
from tests.servers.process import HOST
from tests.servers.sink import Sink
from tests.servers.submission import SendingDovecot

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.dovecot]
_IMPOSSIBLE = (
    "Archive",
    "Star",
    "Remove star",
    "Mark as unread",
    "Mark all as read",
    "Move to folder",
    "Reply",
    "New message",
)


def settings(**ports: int) -> dict[str, str]:
    env = {"CASELLA_DEFAULT_SERVER": "drop", "CASELLA_SECRET_KEYS": token_urlsafe(32), "CASELLA_DRAIN_SECONDS": "0"}
    for protocol, port in ports.items():
        place = {"HOST": HOST, "PORT": str(port), "SECURITY": "none"}
        env |= {f"CASELLA_SERVERS__DROP__{protocol}__{name}": value for name, value in place.items()}
    return env


async def test_a_maildrop_shows_what_it_can_and_nothing_else(browser: Browser, post: SendingDovecot) -> None:
    env = settings(POP3=post.ports.pop3)
    user = post.user()
    html = f'{HTML}<p><a href="mailto:ada@example.net">Write to me</a></p>'
    post.seed(user, [*many(2), (mail("Letter", html=html), (), NEWEST)])
    async with Replica(env) as replica, visiting(browser, replica.url, PHONE) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        await expect(visitor.rows()).to_have_count(3)
        await expect(page.get_by_role("combobox", name="Search mail")).to_have_count(0)
        await visitor.open("Letter")
        await expect(visitor.mail().locator("p").first).to_be_visible()
        await visitor.mail().get_by_text("Write to me").dispatch_event("click")
        await expect(page.locator(".composer")).to_have_count(0)
        for label in _IMPOSSIBLE:
            await expect(page.get_by_role("button", name=label, exact=True, include_hidden=True)).to_have_count(0)
        await page.get_by_role("button", name="Delete").click()
        await visitor.said("1 message deleted")
        await visitor.leave()
        await until(visitor, post, user, "INBOX", 2)
        await expect(visitor.rows()).to_have_count(2)
        assert {*visitor.strayed} <= {"mailto:ada@example.net"}  # it is for the browser
        visitor.strayed.clear()


async def test_a_mailbox_without_drafts_loses_no_text_and_sends_nothing_twice(
    browser: Browser, post: SendingDovecot, outside: Sink
) -> None:
    """Its text is in this browser alone: closing it can be undone, and nobody is signed out over it."""
    user, to = post.user(), someone()
    post.seed(user, many(1))
    lost = list[str]()

    async def lose(route: Route) -> None:
        lost.append(route.request.url)
        if len(lost) == 1:
            await route.fetch()
        await route.abort("connectionreset")

    env = settings(POP3=post.ports.pop3, SMTP=post.submission)
    async with Replica(env) as replica, visiting(browser, replica.url) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        await write(visitor, to, "Alone", "First words")
        text = page.get_by_label("Text", exact=True)
        await text.press("Escape")
        await page.get_by_role("button", name="Undo").click()
        await expect(text).to_have_value("First words")
        await visitor.choose("Sign out")
        await visitor.said("You are still signed in")
        await page.route("**/submissions", lose)
        await page.get_by_role("button", name="Send").click()
        await visitor.leave()
        await visitor.said("You are offline")
        await received(outside, to)
        await page.unroute("**/submissions")
        await text.fill("Second words")
        await page.get_by_role("button", name="Send").click()
        await visitor.leave()
        await visitor.said("An earlier version of this message has left already")
        await expect(text).to_have_value("Second words")
