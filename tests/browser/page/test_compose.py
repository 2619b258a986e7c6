"""Writing mail: nothing is lost, and nothing leaves twice."""

import asyncio
from email import message_from_bytes, policy
from email.message import EmailMessage
from secrets import token_hex

import pytest
from playwright.async_api import Browser, FilePayload, Route, expect

from tests.browser.page.mails import NEWEST, mail, many
from tests.browser.page.test_actions import count, until
from tests.browser.page.visitor import PHONE, Visitor, visiting
from tests.servers.sink import Sink
from tests.servers.submission import SendingDovecot

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.dovecot]


def someone() -> str:
    """An address that nobody else writes to."""
    return f"{token_hex(6)}@example.net"


async def received(sink: Sink, recipient: str) -> EmailMessage:
    delivered = await asyncio.to_thread(sink.wait_for, recipient)
    message = message_from_bytes(delivered.octets, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


async def write(visitor: Visitor, to: str, subject: str, text: str) -> None:
    await visitor.page.get_by_role("button", name="New message").locator("visible=true").click()
    await visitor.page.get_by_label("To", exact=True).fill(f"{to},")
    await visitor.page.get_by_label("Subject", exact=True).fill(subject)
    await visitor.page.get_by_label("Text", exact=True).fill(text)


async def test_a_message_is_a_draft_as_it_is_typed_and_leaves_once(
    browser: Browser, url: str, post: SendingDovecot, outside: Sink
) -> None:
    """With a file. Sending can be undone for a while."""
    user, to = post.user(), someone()
    post.seed(user, many(1))
    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        await write(visitor, to, "Plan", "Here it is. Grüße")
        await expect(page.get_by_text("Draft saved")).to_be_visible()
        assert count(post, user, "Drafts") == 1
        file = FilePayload(name="plan.txt", mimeType="text/plain", buffer=b"first\nsecond\n")
        await page.set_input_files("input[type=file]", file)
        await expect(page.get_by_role("button", name="Remove plan.txt")).to_be_visible()
        await page.get_by_role("button", name="Send").click()
        await page.get_by_role("button", name="Undo").click()
        await expect(page.get_by_label("Text", exact=True)).to_have_value("Here it is. Grüße")
        await page.get_by_label("Text", exact=True).press("Control+Enter")
        await visitor.said("Message sent")
        message = await received(outside, to)
        body, attached = message.get_body(), [*message.iter_attachments()]
        assert body is not None
        assert (message["Subject"], body.get_content().strip()) == ("Plan", "Here it is. Grüße")
        assert [(one.get_filename(), one.get_content()) for one in attached] == [("plan.txt", "first\nsecond\n")]
        assert (count(post, user, "Drafts"), count(post, user, "Sent")) == (0, 1)


async def test_people_are_completed_and_an_answer_is_prepared(
    browser: Browser, url: str, post: SendingDovecot, outside: Sink
) -> None:
    user, to = post.user(), someone()
    post.seed(user, [(mail("Question", sender=f"Quentin Query <{to}>", text="Who?", number=5), (), NEWEST)])
    async with visiting(browser, url, PHONE) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        await visitor.page.get_by_role("button", name="New message").locator("visible=true").click()
        await page.get_by_label("To", exact=True).press_sequentially("quent")
        await page.get_by_role("option", name="Quentin Query").click()
        await expect(page.locator(".chip")).to_have_text("Quentin Query")
        await page.get_by_role("button", name="Discard").click()
        await visitor.open("Question")
        await page.locator(".answers").get_by_role("button", name="Reply", exact=True).click()
        await expect(page.get_by_label("Subject", exact=True)).to_have_value("Re: Question")
        await page.get_by_label("Text", exact=True).press_sequentially("Me.")
        await page.get_by_role("button", name="Send").click()
        await visitor.leave()
        await visitor.said("Message sent")
        answer = await received(outside, to)
        body = answer.get_body()
        assert body is not None
        assert answer["In-Reply-To"] == "<5.page@example.org>"
        assert body.get_content().startswith("Me.")
        assert "> Who?" in body.get_content()
        with post.connect(user) as client:
            client.select("INBOX", readonly=True)
            assert client.search(None, "ANSWERED")[1] == [b"1"]


async def test_a_draft_outlives_the_window_and_the_network(browser: Browser, url: str, post: SendingDovecot) -> None:
    """What was typed offline is there after a reload, and becomes the draft when the service is back."""
    user = post.user()
    post.seed(user, many(1))
    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        await write(visitor, someone(), "Unsent", "Begun")
        await expect(page.get_by_text("Draft saved")).to_be_visible()
        await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        await visitor.context.set_offline(True)
        await page.get_by_label("Text", exact=True).fill("Begun and finished")
        await page.wait_for_timeout(300)  # the browser writes it to its disk
        await page.reload()
        await expect(page.get_by_label("Text", exact=True)).to_have_value("Begun and finished")
        await visitor.context.set_offline(False)
        await page.get_by_role("button", name="Save and close").click()
        await until(visitor, post, user, "Drafts", 1, 'TEXT "Begun and finished"')
        await until(visitor, post, user, "Drafts", 1)


async def test_a_lost_answer_sends_nothing_twice(
    browser: Browser, url: str, post: SendingDovecot, outside: Sink
) -> None:
    """The service sends, and the browser never hears of it: trying again finds that it has left."""
    user, to = post.user(), someone()
    post.seed(user, many(1))
    attempts = list[str | None]()

    async def lose(route: Route) -> None:
        attempts.append(await route.request.header_value("idempotency-key"))
        if len(attempts) == 1:
            await route.fetch()
            await route.abort("connectionreset")
        else:
            await route.continue_()

    async with visiting(browser, url) as visitor:
        await visitor.sign_in(user)
        await write(visitor, to, "Once", "Only once")
        await expect(visitor.page.get_by_text("Draft saved")).to_be_visible()
        await visitor.page.route("**/send", lose)
        await visitor.page.get_by_role("button", name="Send").click()
        await visitor.leave()
        await visitor.said("Message sent")
        await received(outside, to)
        assert len(attempts) >= 2
        assert len({*attempts}) == 1
        assert count(post, user, "Sent") == 1


async def test_a_window_that_closes_while_it_sends_has_sent(
    browser: Browser, url: str, post: SendingDovecot, outside: Sink
) -> None:
    user, to = post.user(), someone()
    post.seed(user, many(1))
    async with visiting(browser, url) as visitor:
        await visitor.sign_in(user)
        await write(visitor, to, "Bye", "Closing")
        await until(visitor, post, user, "Drafts", 1, "TEXT Closing")
        await expect(visitor.page.get_by_text("Draft saved")).to_be_visible()
        await visitor.page.get_by_role("button", name="Send").click()
        await visitor.page.goto("about:blank")
        await received(outside, to)
        await visitor.page.goto(visitor.url)
        await expect(visitor.rows()).to_have_count(1)
        await until(visitor, post, user, "Sent", 1)
        await expect(visitor.page.get_by_label("Text", exact=True)).not_to_be_visible()


async def test_files_are_dropped_into_a_message(browser: Browser, url: str, post: SendingDovecot) -> None:
    user = post.user()
    post.seed(user, many(1))
    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.sign_in(user)
        await page.get_by_role("button", name="New message").locator("visible=true").click()
        files = await page.evaluate_handle(
            "() => { const data = new DataTransfer(); data.items.add(new File(['x'], 'dropped.txt')); return data; }"
        )
        await page.dispatch_event(".composer", "dragover", {"dataTransfer": files})
        await expect(page.get_by_text("Drop files to attach them")).to_be_visible()
        await page.dispatch_event(".composer", "drop", {"dataTransfer": files})
        await page.get_by_role("button", name="Remove dropped.txt").click()
        await expect(page.locator(".files")).to_have_count(0)
        await page.get_by_role("button", name="Discard").click()
        await until(visitor, post, user, "Drafts", 0)
