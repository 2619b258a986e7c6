"""Drafts under bad luck: lost answers, other devices, other tabs, no network. Nothing is lost, and nothing is there twice."""

import imaplib

import pytest
from playwright.async_api import Browser, FilePayload, Page, Route, expect

from tests.browser.page.mails import NEWEST, mail, many
from tests.browser.page.test_actions import count, until
from tests.browser.page.test_compose import received, someone, write
from tests.browser.page.visitor import PHONE, visiting
from tests.servers.sink import Sink
from tests.servers.submission import SendingDovecot

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.dovecot]


async def type_text(page: Page, text: str) -> None:
    await page.get_by_label("Text", exact=True).fill(text)


async def test_what_was_closed_without_network_becomes_a_draft_later(
    browser: Browser, url: str, post: SendingDovecot
) -> None:
    """Also if another message was begun meanwhile, and the page was left."""
    user = post.user()
    post.seed(user, many(1))
    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        await visitor.context.set_offline(True)
        for text in ("Written in a train", "Written in a tunnel"):
            await write(visitor, someone(), "Offline", text)
            await page.get_by_label("Text", exact=True).press("Escape")
            await expect(page.locator(".composer")).to_have_count(0)
        await visitor.said("kept in this browser")
        await page.reload()
        await expect(page.get_by_label("Text", exact=True)).to_have_value("Written in a tunnel")
        await visitor.context.set_offline(False)
        await until(visitor, post, user, "Drafts", 1, 'TEXT "in a train"')
        await until(visitor, post, user, "Drafts", 1, 'TEXT "in a tunnel"')
        await until(visitor, post, user, "Drafts", 2)


async def test_a_save_whose_answer_was_lost_is_made_once(browser: Browser, url: str, post: SendingDovecot) -> None:
    """Every attempt of one save loses its answer. The next save finds the draft where it is."""
    user = post.user()
    post.seed(user, many(1))
    lost = list[str]()

    async def lose(route: Route) -> None:
        lost.append(route.request.method)
        if len(lost) == 1:
            await route.fetch()
        await route.abort("connectionreset")

    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        for name, text in (("**/drafts", "First"), ("**/drafts/m_*", "Second")):
            lost.clear()
            await page.route(name, lose)
            if text == "First":
                await write(visitor, someone(), "Unlucky", text)
            else:
                await type_text(page, text)
            await expect(page.get_by_text("Not saved yet")).to_be_visible()
            await page.unroute(name)
            await type_text(page, f"{text} and more")
            await until(visitor, post, user, "Drafts", 1, f'TEXT "{text} and more"')
            await expect(page.get_by_text("Draft saved")).to_be_visible()
            await until(visitor, post, user, "Drafts", 1)


async def test_a_draft_that_another_device_threw_away_is_written_again(
    browser: Browser, url: str, post: SendingDovecot
) -> None:
    user = post.user()
    post.seed(user, many(1))
    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        await write(visitor, someone(), "Kept", "Here")
        await expect(page.get_by_text("Draft saved")).to_be_visible()
        await page.set_input_files("input[type=file]", FilePayload(name="a.txt", mimeType="text/plain", buffer=b"a"))
        await expect(page.get_by_role("button", name="Remove a.txt")).to_be_visible()
        with post.connect(user) as client:
            discard(client)
        await type_text(page, "Here still")
        await until(visitor, post, user, "Drafts", 1, 'TEXT "Here still"')
        await visitor.said("a.txt could not be attached")
        await expect(page.get_by_role("button", name="Remove a.txt")).to_have_count(0)


def discard(client: imaplib.IMAP4) -> None:
    client.select("Drafts")
    client.store("1:*", "+FLAGS", r"(\Deleted)")
    client.expunge()


async def test_a_message_that_waits_is_sent_while_the_next_one_is_written(
    browser: Browser, url: str, post: SendingDovecot, outside: Sink
) -> None:
    user, first, second = post.user(), someone(), someone()
    post.seed(user, many(1))
    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        await write(visitor, first, "One", "First")
        await page.get_by_role("button", name="Send").click()
        await write(visitor, second, "Two", "Second")
        await until(visitor, post, user, "Drafts", 1, "TEXT Second")
        await visitor.said("Message sent")
        assert (await received(outside, first))["Subject"] == "One"
        await expect(page.get_by_label("Text", exact=True)).to_have_value("Second")


async def test_files_of_one_name_are_two_files(browser: Browser, url: str, post: SendingDovecot, outside: Sink) -> None:
    """As a phone's camera names them. One that is refused is named, and does not seem to be there."""
    user, to = post.user(), someone()
    post.seed(user, many(1))
    attempts = list[str]()

    async def refuse(route: Route) -> None:
        attempts.append(route.request.url)
        if len(attempts) == 3:
            await route.fulfill(status=413, content_type="application/problem+json", body=_TOO_LARGE)
        else:
            await route.continue_()

    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        await write(visitor, to, "Photos", "Two")
        await page.route("**/attachments?*", refuse)
        files = [FilePayload(name="image.jpg", mimeType="image/jpeg", buffer=octets) for octets in (b"1", b"2", b"3")]
        await page.set_input_files("input[type=file]", files)
        await visitor.said("image.jpg could not be attached. Too large for this server.")
        remove = page.get_by_role("button", name="Remove image.jpg")
        await expect(remove).to_have_count(2)
        await remove.first.click()
        await expect(remove).to_have_count(1)
        await page.get_by_role("button", name="Send").click()
        await visitor.leave()
        message = await received(outside, to)
        assert [one.get_payload(decode=True) for one in message.iter_attachments()] == [b"2"]


_TOO_LARGE = (
    '{"type": "/problems/too-large", "title": "Too large", "status": 413, "detail": "Too large for this server.",'
    ' "retryable": false, "requestId": "r", "instance": "/"}'
)


async def test_an_upload_that_the_page_was_closed_over_does_not_hold_the_message_up(
    browser: Browser, url: str, post: SendingDovecot, outside: Sink
) -> None:
    user, to = post.user(), someone()
    post.seed(user, many(1))

    async def never(_: Route) -> None:
        pass

    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        await write(visitor, to, "Film", "See below")
        await expect(page.get_by_text("Draft saved")).to_be_visible()
        await page.route("**/attachments?*", never)
        async with page.expect_request("**/attachments?*"):
            await page.set_input_files(
                "input[type=file]", FilePayload(name="film.mp4", mimeType="video/mp4", buffer=b"x")
            )
        await page.reload()
        await visitor.said("film.mp4 could not be attached")
        await expect(page.get_by_label("Text", exact=True)).to_have_value("See below")
        await expect(page.locator(".files")).to_have_count(0)
        await page.get_by_role("button", name="Send").click()
        await visitor.leave()
        await received(outside, to)


async def test_each_tab_has_its_own_message(browser: Browser, url: str, post: SendingDovecot) -> None:
    """A second tab neither takes the message of the first one over, nor the place where it is held."""
    user = post.user()
    post.seed(user, many(1))
    async with visiting(browser, url) as visitor:
        await visitor.sign_in(user)
        await write(visitor, someone(), "Left", "In the first tab")
        await expect(visitor.page.get_by_text("Draft saved")).to_be_visible()
        other = await visitor.context.new_page()
        await other.goto(visitor.url)
        await expect(other.locator(".row")).to_have_count(1)
        second = type(visitor)(other, visitor.context, visitor.url)
        await write(second, someone(), "Right", "In the second tab")
        await expect(other.get_by_text("Draft saved")).to_be_visible()
        await type_text(visitor.page, "Still in the first tab")
        await until(visitor, post, user, "Drafts", 1, 'TEXT "Still in the first"')
        await until(visitor, post, user, "Drafts", 2)
        for page, text in ((visitor.page, "Still in the first tab"), (other, "In the second tab")):
            await page.reload()
            await expect(page.get_by_label("Text", exact=True)).to_have_value(text)


async def test_a_discarded_message_can_be_had_back(browser: Browser, url: str, post: SendingDovecot) -> None:
    """On a phone the Back button closes the composer, and leaves what is below it. An answer without a word is no draft."""
    user = post.user()
    post.seed(user, [(mail("Question"), ("$seen",), NEWEST)])
    async with visiting(browser, url, PHONE) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        await visitor.open("Question")
        await page.locator(".answers").get_by_role("button", name="Reply", exact=True).click()
        await expect(page.locator(".composer")).to_be_visible()
        await page.go_back()
        await expect(page.locator(".composer")).to_have_count(0)
        await expect(page.locator(".conversation h1")).to_have_text("Question")
        await until(visitor, post, user, "Drafts", 0)
        await page.go_back()
        await write(visitor, someone(), "Anger", "Never again!")
        await expect(page.get_by_text("Draft saved")).to_be_visible()
        await page.get_by_role("button", name="Discard").click()
        await visitor.said("Message discarded")
        await page.get_by_role("button", name="Undo").click()
        await expect(page.get_by_label("Text", exact=True)).to_have_value("Never again!")
        assert count(post, user, "Drafts") == 1
        await page.get_by_role("button", name="Discard").click()
        await visitor.leave()
        await until(visitor, post, user, "Drafts", 0)


async def test_recipients_are_those_that_were_typed(
    browser: Browser, url: str, post: SendingDovecot, outside: Sink
) -> None:
    """Neither a suggestion in place of a whole address, nor all but the one that is being typed."""
    user, to, copy = post.user(), someone(), someone()
    post.seed(user, [(mail("Hi", sender=f"Not Me <{to}.example.net>"), ("$seen",), NEWEST)])
    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        await page.get_by_role("button", name="New message").locator("visible=true").click()
        field = page.get_by_role("combobox", name="To", exact=True)
        await field.fill(to)
        await expect(page.get_by_role("option", name="Not Me")).to_be_visible()
        await field.press("Enter")
        await expect(page.locator(".chip")).to_have_text(to)
        await page.get_by_role("button", name="Cc and Bcc").click()
        await page.get_by_role("combobox", name="Cc", exact=True).fill("somebody")
        await page.get_by_role("combobox", name="Cc", exact=True).press("Control+Enter")
        await visitor.said("somebody is not an address.")
        await page.get_by_role("combobox", name="Cc", exact=True).fill(copy)
        await page.get_by_role("combobox", name="Cc", exact=True).press("Control+Enter")
        await visitor.leave()
        await received(outside, to)
        await received(outside, copy)
