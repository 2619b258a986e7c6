"""The list of messages and the folders."""

import pytest
from playwright.async_api import Browser, Route, ViewportSize, expect

from tests.browser.page.mails import BOB, NEWEST, mail, many
from tests.browser.page.visitor import DESKTOP, PHONE, TABLET, visiting
from tests.servers.submission import SendingDovecot

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.dovecot]
_SIZES = (ViewportSize(width=320, height=568), PHONE, TABLET, DESKTOP, ViewportSize(width=3840, height=2160))


async def test_folders_have_counts_and_rows_have_marks(browser: Browser, url: str, post: SendingDovecot) -> None:
    user = post.user()
    post.seed(user, [
        (mail("Older", sender=BOB, number=2), ("$seen",), NEWEST),
        (mail("With a file", file=("plan.bin", b"x"), number=1), ("$flagged",), NEWEST),
        (mail("Newest", text="What it is about.", number=0), (), NEWEST),
    ])  # fmt: skip
    async with visiting(browser, url) as visitor:
        await visitor.sign_in(user)
        page, inbox = visitor.page, visitor.page.get_by_role("link", name="Inbox")
        await expect(inbox.get_by_label("2 unread")).to_be_visible()
        await expect(inbox).to_have_attribute("aria-current", "page")
        await expect(page.locator(".sidebar .entry")).to_have_count(6)
        await expect(visitor.rows()).to_have_count(3)
        newest, filed, older = (visitor.row(name) for name in ("Newest", "With a file", "Older"))
        await expect(newest.locator(".preview")).to_have_text("What it is about.")
        await expect(newest.locator(".avatar")).to_have_text("AE")
        await expect(newest.locator("a")).to_contain_text("unread")
        await expect(filed.locator("a")).to_contain_text("starred, has attachment")
        await expect(older.locator("a")).not_to_contain_text("unread")
        assert await page.title() == "(2) Casella"


async def test_the_list_has_no_end_until_all_is_seen(browser: Browser, url: str, post: SendingDovecot) -> None:
    """Pages are read as one scrolls, and only what is seen is in the tree."""
    user = post.user()
    post.seed(user, many(420))
    async with visiting(browser, url, PHONE) as visitor:
        await visitor.sign_in(user)
        bottom = visitor.page.locator("#list")
        for _ in range(100):
            await bottom.evaluate("list => list.scrollTo(0, list.scrollHeight)")
            if await visitor.row("Message 419").count():
                break
            await visitor.page.wait_for_timeout(50)
        await expect(visitor.row("Message 419")).to_be_visible()
        assert await visitor.rows().count() < 40


async def test_it_fits_every_screen(browser: Browser, url: str, post: SendingDovecot) -> None:
    """From 320 px to 4K: the list, a message and the folders, with words longer than the screen; from right to left too."""
    user = post.user()
    long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
    post.seed(user, [(mail(long, text=f"{long} https://example.net/{long}", html=f"<p>{long}</p>"), (), NEWEST)])
    async with visiting(browser, url) as visitor:
        await visitor.sign_in(user)
        for direction in ("ltr", "rtl"):
            for size in _SIZES:
                await visitor.page.set_viewport_size(size)
                await visitor.page.evaluate("direction => document.documentElement.dir = direction", direction)
                assert not await visitor.wide(), size
                await visitor.row(long).locator(".words").click()
                await expect(visitor.mail().locator("p")).to_be_visible()
                assert not await visitor.wide(), size
                await visitor.page.keyboard.press("u")
                await expect(visitor.row(long)).to_be_visible()


async def test_folders_open_over_the_list_on_a_phone(browser: Browser, url: str, post: SendingDovecot) -> None:
    user = post.user()
    post.seed(user, many(1))
    post.seed(user, many(2), "Archive")
    async with visiting(browser, url, PHONE) as visitor:
        await visitor.sign_in(user)
        archive = visitor.page.get_by_role("link", name="Archive")
        await expect(archive).not_to_be_visible()
        await visitor.page.get_by_role("button", name="Folders").click()
        await expect(archive).to_be_visible()
        await visitor.page.keyboard.press("Escape")
        await expect(archive).not_to_be_visible()
        await visitor.page.get_by_role("button", name="Folders").click()
        await archive.click()
        await expect(visitor.rows()).to_have_count(2)
        await expect(archive).not_to_be_visible()
        await visitor.page.go_back()
        await expect(visitor.rows()).to_have_count(1)


async def test_a_page_that_fails_is_not_asked_for_without_end(browser: Browser, url: str, post: SendingDovecot) -> None:
    user = post.user()
    post.seed(user, many(120))
    asked = list[str]()

    async def refuse(route: Route) -> None:
        asked.append(route.request.url)
        await route.fulfill(status=422, content_type="application/problem+json", body=_REFUSED)

    async with visiting(browser, url) as visitor:
        await visitor.page.route("**/messages?*cursor=*", refuse)
        await visitor.sign_in(user)
        await visitor.page.locator("#list").evaluate("list => list.scrollTo(0, list.scrollHeight)")
        await expect(visitor.page.locator(".stale")).to_contain_text("This cursor is not valid.")
        await visitor.page.evaluate("new Promise(done => setTimeout(done, 500))")
        assert len(asked) == 1
        await visitor.page.unroute("**/messages?*cursor=*")
        await visitor.page.locator(".stale").get_by_role("button", name="Try again").click()
        await expect(visitor.page.locator(".stale")).to_have_count(0)


_REFUSED = (
    '{"type": "/problems/invalid-request", "title": "Invalid", "status": 422, "detail": "This cursor is not valid.",'
    ' "retryable": false, "requestId": "r", "instance": "/"}'
)


async def test_a_name_that_is_another_address_is_not_shown_as_the_sender(
    browser: Browser, url: str, post: SendingDovecot
) -> None:
    user = post.user()
    false = '"service@bank.example.com" <thief@example.net>'
    post.seed(user, [(mail("Your account", sender=false), ("$seen",), NEWEST)])
    async with visiting(browser, url) as visitor:
        await visitor.sign_in(user)
        await expect(visitor.row("Your account").locator(".who")).to_have_text("thief@example.net")
        await visitor.open("Your account")
        await expect(visitor.page.locator(".card .who")).to_have_text("thief@example.net")


@pytest.mark.parametrize("address", ["#/%E0%A4%A", "#/inbox/%zz", "?mailto=mailto:%25zz@example.net"])
async def test_an_address_that_is_none_still_opens_the_page(
    browser: Browser, url: str, post: SendingDovecot, address: str
) -> None:
    user = post.user()
    post.seed(user, many(1))
    async with visiting(browser, url) as visitor:
        await visitor.sign_in(user)
        await visitor.page.goto("about:blank")
        await visitor.page.goto(f"{visitor.url}{address}")
        await expect(visitor.page.get_by_role("link", name="Inbox")).to_be_visible()


async def test_a_page_older_than_the_service_says_so(browser: Browser, url: str, post: SendingDovecot) -> None:
    """Its parts that are loaded later have other names by now."""
    user = post.user()
    post.seed(user, many(1))
    async with visiting(browser, url, service_workers="block") as visitor:
        await visitor.page.route("**/assets/Import-*.js", lambda route: route.fulfill(status=404))
        await visitor.sign_in(user)
        await visitor.choose("Bring your old mail")
        await expect(visitor.page.get_by_role("button", name="Load the page again")).to_be_visible()
