"""Messages, conversations and attachments."""

from hashlib import sha256
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route, expect

from tests.browser.page.mails import ADA, BOB, HTML, NEWEST, PICTURE, mail
from tests.browser.page.visitor import PHONE, visiting
from tests.servers.submission import SendingDovecot

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.dovecot]


async def test_html_is_shown_without_pictures_of_others_until_the_reader_wants_them(
    browser: Browser, url: str, post: SendingDovecot
) -> None:
    user = post.user()
    post.seed(user, [(mail("Letter", html=HTML), (), NEWEST)])
    async with visiting(browser, url) as visitor:
        await visitor.sign_in(user)
        await visitor.open("Letter")
        words = visitor.mail().locator("p").first
        await expect(words).to_have_css("color", "rgb(18, 52, 86)")
        image = visitor.mail().locator("img")
        assert await image.get_attribute("src") is None
        assert visitor.strayed == []
        await visitor.page.get_by_role("button", name="Show pictures").click()
        await expect(visitor.mail().locator("img")).to_have_attribute("src", PICTURE)
        await expect(visitor.mail().locator("a")).to_have_attribute("target", "_blank")
        assert {*visitor.strayed} <= {PICTURE}
        visitor.strayed.clear()


async def test_reading_marks_as_read_and_folds_quotations(browser: Browser, url: str, post: SendingDovecot) -> None:
    user = post.user()
    post.seed(user, [(mail("Letter", text="Yes. See https://example.net/a.\n\n> Shall we?\n> Or not?\n"), (), NEWEST)])
    async with visiting(browser, url, PHONE) as visitor:
        await visitor.sign_in(user)
        await expect(visitor.row("Letter")).to_have_class("row unread")
        await visitor.open("Letter")
        await expect(visitor.page.get_by_text("Or not?")).not_to_be_visible()
        await visitor.page.get_by_label("Quoted text").click()
        await expect(visitor.page.get_by_text("Or not?")).to_be_visible()
        link = visitor.page.locator(".plain a")
        assert await link.get_attribute("href") == "https://example.net/a"
        await visitor.page.get_by_role("button", name="Back to the list").click()
        await expect(visitor.row("Letter")).to_have_class("row")


async def test_a_conversation_is_one_row_and_reads_as_one(browser: Browser, url: str, post: SendingDovecot) -> None:
    """What the user wrote, in Sent, is part of it."""
    user = post.user()
    post.seed(user, [
        (mail("Tea", text="Tea or coffee?", number=3), ("$seen",), NEWEST),
        (mail("Re: Tea", sender=BOB, text="Coffee!", number=1, answers=3), (), NEWEST),
    ])  # fmt: skip
    post.seed(
        user, [(mail("Re: Tea", sender=user, to=ADA, text="Tea.", number=2, answers=3), ("$seen",), NEWEST)], "Sent"
    )
    async with visiting(browser, url) as visitor:
        await visitor.sign_in(user)
        await expect(visitor.rows()).to_have_count(1)
        await expect(visitor.row("Re: Tea").locator(".number")).to_have_text("2")
        await visitor.open("Re: Tea")
        await expect(visitor.page.locator(".card")).to_have_count(3)
        await expect(visitor.page.locator(".card.opened")).to_contain_text("Coffee!")
        await visitor.page.locator(".card.folded").first.click()
        await expect(visitor.page.get_by_text("Tea or coffee?")).to_be_visible()


async def test_a_download_that_breaks_goes_on_where_it_broke(
    browser: Browser, url: str, post: SendingDovecot, tmp_path: Path
) -> None:
    user = post.user()
    octets = bytes(range(256)) * 8000
    post.seed(user, [(mail("File", file=("photo.bin", octets)), (), NEWEST)])
    ranges = list[str | None]()

    async def cut(route: Route) -> None:
        ranges.append(await route.request.header_value("range"))
        if len(ranges) == 1:
            await route.abort("connectionreset")
        else:
            await route.continue_()

    async with visiting(browser, url) as visitor:
        await visitor.sign_in(user)
        await visitor.open("File")
        await visitor.page.route("**/parts/*", cut)
        async with visitor.page.expect_download() as started:
            await visitor.page.get_by_role("button", name="Download photo.bin").click()
        download = await started.value
        await download.save_as(tmp_path / "photo.bin")
        assert download.suggested_filename == "photo.bin"
        assert sha256((tmp_path / "photo.bin").read_bytes()).digest() == sha256(octets).digest()
        assert len(ranges) == 2
        await expect(visitor.page.get_by_text("Downloaded")).to_be_visible()


async def test_wide_mail_is_scrolled_on_a_phone(browser: Browser, url: str, post: SendingDovecot) -> None:
    user = post.user()
    wide = '<table width="900"><tr><td width="450">Left</td><td>Right</td></tr></table>'
    post.seed(user, [(mail("Wide", html=wide), ("$seen",), NEWEST)])
    async with visiting(browser, url, PHONE) as visitor:
        await visitor.sign_in(user)
        await visitor.open("Wide")
        await visitor.mail().get_by_text("Left").hover()
        await visitor.page.mouse.wheel(300, 0)
        await visitor.until("document.querySelector('iframe.mail').contentWindow.scrollX > 100")


async def test_html_reads_in_the_direction_of_its_words(browser: Browser, url: str, post: SendingDovecot) -> None:
    user = post.user()
    post.seed(user, [(mail("Arabic", html="<div>مرحبا بالعالم</div>"), ("$seen",), NEWEST)])
    async with visiting(browser, url) as visitor:
        await visitor.sign_in(user)
        await visitor.open("Arabic")
        await expect(visitor.mail().locator("div")).to_have_css("direction", "rtl")
