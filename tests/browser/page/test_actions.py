"""What one does to mail, and takes back."""

import time

import pytest
from playwright.async_api import Browser, expect

from tests.browser.page.mails import many
from tests.browser.page.visitor import PHONE, Visitor, visiting
from tests.servers.dovecot import Dovecot
from tests.servers.submission import SendingDovecot

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.dovecot]


def count(server: Dovecot, user: str, folder: str, criterion: str = "ALL") -> int:
    """Messages as another client sees them."""
    with server.connect(user) as client:
        client.select(folder, readonly=True)
        return len(client.search(None, criterion)[1][0].split())


async def until(visitor: Visitor, server: Dovecot, user: str, folder: str, wanted: int, criterion: str = "ALL") -> None:
    deadline = time.monotonic() + 30
    while (found := count(server, user, folder, criterion)) != wanted:
        assert time.monotonic() < deadline, f"{folder} has {found} {criterion}"
        await visitor.page.wait_for_timeout(100)


async def test_archive_waits_and_can_be_undone(browser: Browser, url: str, post: SendingDovecot) -> None:
    user = post.user()
    post.seed(user, many(4))
    async with visiting(browser, url) as visitor:
        await visitor.sign_in(user)
        await visitor.row("Message 1").hover()
        await visitor.row("Message 1").get_by_role("button", name="Archive").click()
        await visitor.said("1 message archived")
        await expect(visitor.rows()).to_have_count(3)
        assert count(post, user, "INBOX") == 4
        await visitor.page.get_by_role("button", name="Undo").click()
        await expect(visitor.rows()).to_have_count(4)
        await visitor.open("Message 2")
        await visitor.page.keyboard.press("e")
        await expect(visitor.rows()).to_have_count(3)
        await until(visitor, post, user, "Archive", 1)
        assert count(post, user, "INBOX") == 3


async def test_what_waits_is_sent_when_the_page_is_left(browser: Browser, url: str, post: SendingDovecot) -> None:
    user = post.user()
    post.seed(user, many(3))
    async with visiting(browser, url, PHONE) as visitor:
        await visitor.sign_in(user)
        await visitor.open("Message 0")
        await visitor.page.get_by_role("button", name="Delete").click()
        await visitor.said("1 message moved to trash")
        began = time.monotonic()
        await visitor.page.goto("about:blank")
        await until(visitor, post, user, "Trash", 1)
        assert time.monotonic() - began < 5 or count(post, user, "INBOX") == 2


async def test_many_at_once(browser: Browser, url: str, post: SendingDovecot) -> None:
    """Ticked ones are starred, read and moved together; all can be marked as read."""
    user = post.user()
    post.seed(user, many(60, ()))
    async with visiting(browser, url) as visitor:
        await visitor.sign_in(user)
        for number in (0, 1, 2):
            await visitor.row(f"Message {number}").get_by_role("checkbox").check()
        await visitor.page.keyboard.press("s")
        await until(visitor, post, user, "INBOX", 3, "FLAGGED")
        await visitor.page.get_by_role("button", name="Move to folder").click()
        await visitor.page.get_by_role("button", name="Junk").click()
        await visitor.said("3 messages moved to Junk")
        await visitor.leave()
        await until(visitor, post, user, "Junk", 3)
        await visitor.page.get_by_role("button", name="Mark all as read").click()
        await visitor.said("All marked as read")
        await visitor.leave()
        await until(visitor, post, user, "INBOX", 0, "UNSEEN")
        await expect(visitor.page.locator(".row.unread")).to_have_count(0)


async def test_the_keys_that_gmail_has(browser: Browser, url: str, post: SendingDovecot) -> None:
    user = post.user()
    post.seed(user, many(3))
    async with visiting(browser, url) as visitor:
        await visitor.sign_in(user)
        press, page = visitor.page.keyboard.press, visitor.page
        await expect(visitor.rows()).to_have_count(3)
        await press("j")
        await press("j")
        await expect(visitor.row("Message 1")).to_have_class("row focused")
        await press("x")
        await expect(page.get_by_text("1 selected")).to_be_visible()
        await press("x")
        await press("Enter")
        await expect(page.locator(".conversation h1")).to_have_text("Message 1")
        await press("j")
        await expect(page.locator(".conversation h1")).to_have_text("Message 2")
        await press("u")
        await press("#")
        await visitor.said("1 message moved to trash")
        await press("z")
        await expect(visitor.rows()).to_have_count(3)
        await press("Shift+U")
        await until(visitor, post, user, "INBOX", 1, "UNSEEN")
        await press("?")
        await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        await press("Escape")
        await press("g")
        await press("t")
        await expect(page.locator(".list-pane h1")).to_have_text("Sent")
        await press("/")
        await expect(page.get_by_role("combobox", name="Search mail")).to_be_focused()


async def test_search_suggests_its_grammar_and_finds(browser: Browser, url: str, post: SendingDovecot) -> None:
    user = post.user()
    post.seed(user, many(12))
    async with visiting(browser, url) as visitor:
        await visitor.sign_in(user)
        box = visitor.page.get_by_role("combobox", name="Search mail")
        await box.click()
        await box.press_sequentially("fr")
        await visitor.page.get_by_role("option", name="from:").click()
        await box.press_sequentially("bob")
        await expect(visitor.page.get_by_role("option", name="from:bob@example.net")).to_be_visible()
        await box.press("ArrowDown")
        await box.press("Enter")
        await box.press_sequentially("subject:11")
        await box.press("Enter")
        await expect(visitor.rows()).to_have_count(1)
        await expect(visitor.row("Message 11")).to_be_visible()
        await box.fill("subject:(never")
        await box.press("Enter")
        await expect(visitor.page.get_by_role("alert")).to_contain_text("not closed")
        await visitor.page.get_by_role("button", name="Clear search").click()
        await expect(visitor.rows()).to_have_count(12)
