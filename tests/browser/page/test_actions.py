"""What one does to mail, and takes back."""

import time

import pytest
from playwright.async_api import Browser, expect

from tests.browser.page.mails import HTML, NEWEST, mail, many
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


async def test_more_than_a_thousand_at_once(browser: Browser, url: str, post: SendingDovecot) -> None:
    user = post.user()
    post.seed(user, many(1100))
    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        end = "list => { list.scrollTo(0, list.scrollHeight); return +list.querySelector('.row').ariaSetSize }"
        while await page.locator("#list").evaluate(end) < 1100:
            await page.wait_for_timeout(20)
        await page.get_by_role("button", name="Select all").click()
        await page.get_by_role("button", name="Archive").locator("visible=true").first.click()
        await visitor.said("1100 messages archived")
        await page.evaluate(_HIDDEN)
        await until(visitor, post, user, "Archive", 1100)
        await expect(page.get_by_text("Nothing here")).to_be_visible()


_HIDDEN = """() => {
  Object.defineProperty(document, 'visibilityState', { configurable: true, value: 'hidden' });
  document.dispatchEvent(new Event('visibilitychange'));
  delete document.visibilityState;
}"""
"""As another tab is shown: what waits is sent, however much it is."""


async def test_a_message_beyond_the_list_can_be_acted_on(browser: Browser, url: str, post: SendingDovecot) -> None:
    """As it is after a reload: the list begins with the newest fifty."""
    user = post.user()
    post.seed(user, many(70))
    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.prefer(user, conversations=False)
        await visitor.sign_in(user)
        while not await visitor.row("Message 69").count():
            await page.locator("#list").evaluate("list => list.scrollTo(0, list.scrollHeight)")
            await page.wait_for_timeout(50)
        await visitor.open("Message 69")
        await page.reload()
        await expect(page.locator(".conversation h1")).to_have_text("Message 69")
        await expect(page.locator(".row")).not_to_have_count(0)
        tools = page.locator(".tools")
        for name, found in (("Star", 1), ("Remove star", 0)):
            await tools.get_by_role("button", name=name, exact=True).click()
            await until(visitor, post, user, "INBOX", found, "FLAGGED")
        await tools.get_by_role("button", name="Archive").click()
        await visitor.leave()
        await until(visitor, post, user, "Archive", 1)


async def test_keys_work_after_a_click_into_the_message(browser: Browser, url: str, post: SendingDovecot) -> None:
    user = post.user()
    post.seed(user, [(mail("Letter", html=HTML), ("$seen",), NEWEST)])
    async with visiting(browser, url, PHONE) as visitor:
        await visitor.sign_in(user)
        await visitor.open("Letter")
        await expect(visitor.page.locator(".conversation")).to_be_focused()
        await visitor.mail().locator("p").first.click()
        await visitor.page.keyboard.press("u")
        await expect(visitor.row("Letter")).to_be_visible()
        await expect(visitor.row("Letter").locator("a")).to_be_focused()
