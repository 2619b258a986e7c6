"""Accounts that leave, by their user or because their session ends: what they have begun is not lost, and not the next one's."""

import asyncio
from collections.abc import Sequence

import pytest
from playwright.async_api import APIResponse, Browser, Route, expect

from tests.browser.page.mails import HTML, NEWEST, mail, many
from tests.browser.page.test_actions import count, until
from tests.browser.page.test_compose import received, someone, write
from tests.browser.page.visitor import visiting
from tests.servers.sink import Sink
from tests.servers.submission import SendingDovecot

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.dovecot]
_STORED = """async () => {
  const opened = await new Promise(done => {
    const request = indexedDB.open('casella');
    request.onsuccess = () => done(request.result);
  });
  const keys = name => new Promise(done => {
    const request = opened.transaction(name).objectStore(name).getAllKeys();
    request.onsuccess = () => done(request.result);
  });
  const found = [...await keys('seen'), ...await keys('kept')];
  opened.close();
  return found;
}"""


async def test_the_next_user_sees_nothing_of_the_last_one(
    browser: Browser, url: str, post: SendingDovecot, outside: Sink
) -> None:
    """Neither what was read nor what was written. What waits is done first, and text becomes a draft of its author."""
    first, second, to = post.user("first"), post.user("second"), someone()
    post.seed(first, [(mail("Secret", text="For the first only"), (), NEWEST), (mail("Old", number=1), (), NEWEST)])
    post.seed(second, [(mail("Other"), (), NEWEST)])
    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.sign_in(first)
        await visitor.row("Old").hover()
        await visitor.row("Old").get_by_role("button", name="Archive").click()
        await visitor.open("Secret")
        await expect(page.locator(".plain")).to_have_text("For the first only")
        await write(visitor, to, "Sent", "Leaves with me")
        await page.get_by_role("button", name="Send").click()
        await write(visitor, someone(), "Begun", "Unfinished")
        await visitor.choose("Sign out")
        await expect(page.get_by_label("Email address")).to_be_visible()
        await received(outside, to)
        assert (count(post, first, "Archive"), count(post, first, "Drafts", "TEXT Unfinished")) == (1, 1)
        await visitor.identify(second)
        await expect(visitor.row("Other")).to_be_visible()
        await expect(page.get_by_text("Choose a message")).to_be_visible()
        await expect(page.locator(".composer")).to_have_count(0)
        assert count(post, second, "Drafts") == 0


async def test_nobody_is_signed_out_over_a_message_that_cannot_be_saved(
    browser: Browser, url: str, post: SendingDovecot
) -> None:
    user = post.user()
    post.seed(user, many(1))
    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        await write(visitor, someone(), "Stuck", "Still mine")
        await visitor.context.set_offline(True)
        await visitor.choose("Sign out")
        await visitor.said("You are still signed in")
        await expect(page.get_by_label("Text", exact=True)).to_have_value("Still mine")
        await visitor.context.set_offline(False)
        await until(visitor, post, user, "Drafts", 1, 'TEXT "Still mine"')
        await expect(page.get_by_text("Draft saved")).to_be_visible()
        await visitor.choose("Sign out")
        await expect(page.get_by_label("Email address")).to_be_visible()


async def test_text_outlives_a_session_that_ends(browser: Browser, url: str, post: SendingDovecot) -> None:
    """Whatever request finds it out, the page asks for the password, also after a reload; then the text is there again."""
    user = post.user()
    post.seed(user, many(1))
    async with visiting(browser, url) as visitor:
        page = visitor.page
        token = await visitor.sign_in_for_token(user)
        await page.route("**/v1/events*", lambda route: route.abort())  # nor do events say so
        await write(visitor, someone(), "Begun", "In the middle of")
        await expect(page.get_by_text("Draft saved")).to_be_visible()
        await visitor.end_session(token)
        await page.get_by_label("Text", exact=True).fill("In the middle of a sentence")
        await expect(page.get_by_text(f"The session of {user} has ended")).to_be_visible()
        assert not [name for name in await page.evaluate(_STORED) if "/message/" in name or "/list/" in name]
        await page.reload()
        await visitor.identify(user)
        await expect(page.get_by_label("Text", exact=True)).to_have_value("In the middle of a sentence")
        await until(visitor, post, user, "Drafts", 1, 'TEXT "of a sentence"')


async def test_mail_that_comes_after_the_sign_out_is_not_stored(
    browser: Browser, url: str, post: SendingDovecot
) -> None:
    user = post.user()
    post.seed(user, many(2))
    held = list[tuple[Route, APIResponse]]()

    async def hold(route: Route) -> None:
        held.append((route, await route.fetch()))

    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        await page.route("**/messages/m_*", hold)
        await visitor.row("Message 1").locator(".words").click()
        async with asyncio.timeout(20):
            while not held:
                await asyncio.sleep(0.01)
        await visitor.choose("Sign out")
        await expect(page.get_by_label("Email address")).to_be_visible()
        [(route, answer)] = held
        assert answer.ok
        await route.fulfill(response=answer)
        await page.evaluate("new Promise(done => setTimeout(done, 300))")  # time to store it
        assert await page.evaluate(_STORED) == []


async def test_tabs_agree_on_who_is_signed_in(browser: Browser, url: str, post: SendingDovecot) -> None:
    """An account that one of them adds is in both, and no tab forgets it; one that leaves is on no screen."""
    first, second = post.user("first"), post.user("second")
    post.seed(first, [(mail("For the first"), (), NEWEST)])
    post.seed(second, [(mail("For the second"), (), NEWEST)])
    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.sign_in(first)
        other = await visitor.context.new_page()
        await other.goto(visitor.url)
        await expect(other.locator(".row")).to_have_count(1)
        await visitor.choose("Add account")
        await visitor.identify(second)
        await expect(visitor.row("For the second")).to_be_visible()
        await other.get_by_role("button", name="Account:").click()
        await expect(other.get_by_role("button", name=second)).to_be_visible()
        await other.reload()
        await expect(other.locator(".row")).to_have_count(1)
        await visitor.choose("Sign out")
        await expect(visitor.row("For the first")).to_be_visible()
        await visitor.choose("Sign out")
        for each in (page, other):
            await expect(each.get_by_label("Email address")).to_be_visible()
        assert await page.evaluate(_STORED) == []


@pytest.mark.parametrize("stored", [(), ("language", "theme")], ids=["nothing", "unknown"])
async def test_pictures_are_each_accounts_own_choice(
    browser: Browser, url: str, post: SendingDovecot, stored: Sequence[str]
) -> None:
    """Settings that this page does not know, such as those of a newer one, break nothing."""
    first, second = post.user("first"), post.user("second")
    post.seed(first, many(1))
    post.seed(second, [(mail("Letter", html=HTML), (), NEWEST)])
    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.prefer(first, pictures="always")
        await visitor.sign_in(first)
        await visitor.choose("Settings")
        await expect(page.get_by_label("Always load pictures")).to_be_checked()
        if stored:
            await visitor.prefer(second, **dict.fromkeys(stored, "klingon"))
        await visitor.choose("Add account")
        await visitor.identify(second)
        await visitor.open("Letter")
        await expect(page.get_by_role("button", name="Show pictures")).to_be_visible()
        assert visitor.strayed == []


async def test_pictures_are_not_loaded_for_the_next_user_after_a_session_that_ended(
    browser: Browser, url: str, post: SendingDovecot
) -> None:
    first, second = post.user("first"), post.user("second")
    post.seed(first, many(1))
    post.seed(second, [(mail("Letter", html=HTML), (), NEWEST)])
    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.prefer(first, pictures="always")
        token = await visitor.sign_in_for_token(first)
        await visitor.choose("Settings")
        await expect(page.get_by_label("Always load pictures")).to_be_checked()
        await visitor.end_session(token)
        await expect(page.get_by_label("Email address")).to_be_visible()
        await page.reload()
        await visitor.sign_in(second)
        await visitor.open("Letter")
        await expect(page.get_by_role("button", name="Show pictures")).to_be_visible()
        assert visitor.strayed == []
