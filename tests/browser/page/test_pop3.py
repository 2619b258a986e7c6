"""A mailbox that can only list, read and delete: what it cannot do is not there."""

from secrets import token_urlsafe

import pytest
from playwright.async_api import Browser, expect

from tests.browser.page.mails import HTML, NEWEST, mail, many
from tests.browser.page.test_actions import until
from tests.browser.page.visitor import PHONE, visiting
from tests.deploy.replica import Replica
from tests.servers.process import HOST
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


async def test_a_maildrop_shows_what_it_can_and_nothing_else(browser: Browser, post: SendingDovecot) -> None:
    place = {"HOST": HOST, "PORT": str(post.ports.pop3), "SECURITY": "none"}
    env = {f"CASELLA_SERVERS__DROP__POP3__{name}": value for name, value in place.items()}
    env |= {"CASELLA_DEFAULT_SERVER": "drop", "CASELLA_SECRET_KEYS": token_urlsafe(32), "CASELLA_DRAIN_SECONDS": "0"}
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
