"""Mail of another mailbox brought into this one, step by step, with a break; and single messages moved to another account."""

import asyncio
import signal

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.page.conftest import settings
from tests.browser.page.mails import NEWEST, mail, many
from tests.browser.page.test_actions import count, until
from tests.browser.page.visitor import PHONE, Visitor, visiting
from tests.deploy.replica import Replica
from tests.servers.dovecot import PASSWORD
from tests.servers.process import HOST
from tests.servers.proxy import Proxy, passing, unharmed
from tests.servers.submission import SendingDovecot

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.dovecot]
MANY, SOME = 800, 250  # copied by 200


class Stuck:
    """A line on which nothing is fetched any more after some messages."""

    def __init__(self, most: int) -> None:
        self.left = most

    async def __call__(self, octets: bytes) -> tuple[bytes, bool]:
        fetched = octets.count(b"RETR ")
        if fetched and self.left <= 0:
            await asyncio.Event().wait()
        self.left -= fetched
        return octets, True


async def open_import(visitor: Visitor) -> None:
    await visitor.choose("Bring your old mail")
    await expect(visitor.page.get_by_role("heading", name="Bring your old mail")).to_be_visible()


async def name_source(page: Page, user: str, password: str = PASSWORD) -> None:
    await page.get_by_label("Address of the old mailbox").fill(user)
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_label(f"Password of {user}").fill(password)
    await page.get_by_role("button", name="Continue").click()


async def test_old_mail_comes_by_steps_with_what_could_not_come(
    browser: Browser, url: str, post: SendingDovecot
) -> None:
    """Folders are chosen, counted and copied; the same once more finds all of it here already."""
    old, new = post.user("old"), post.user("new")
    post.seed(old, [(mail("Letter", number=1), ("$seen", "$flagged"), NEWEST), (b"", (), NEWEST)])
    post.seed(old, [(mail(f"Plan {number}", number=10 + number), (), NEWEST) for number in range(3)], "Plans")
    post.seed(old, [(mail("Rubbish", number=30), (), NEWEST)], "Junk")
    async with visiting(browser, url, PHONE) as visitor:
        page = visitor.page
        await visitor.sign_in(new)
        await open_import(visitor)
        await name_source(page, old, "wrong")
        await expect(page.get_by_role("alert")).to_contain_text("rejected")
        await page.get_by_label(f"Password of {old}").fill(PASSWORD)
        await page.get_by_role("button", name="Continue").click()
        await page.get_by_role("checkbox", name="Junk").uncheck()
        await page.get_by_role("button", name="Count the messages").click()
        await expect(page.get_by_role("heading", name="5 messages to copy")).to_be_visible()
        await expect(page.get_by_role("row", name="Plans")).to_contain_text("3")
        assert not await visitor.wide()
        await page.get_by_role("button", name="Copy now").click()
        await expect(page.get_by_role("heading", name="Done, but not everything could be copied")).to_be_visible()
        await expect(page.get_by_text("4 messages copied")).to_be_visible()
        await expect(page.locator(".rejects")).to_contain_text("empty")
        await visitor.said("4 messages brought here")
        assert [count(post, new, folder) for folder in ("INBOX", "Plans", "Junk")] == [1, 3, 0]
        assert count(post, new, "INBOX", "SEEN FLAGGED") == 1
        assert count(post, old, "INBOX") == 2
        await page.get_by_role("button", name="Close").click()
        await name_source(page, old)
        await page.get_by_role("checkbox", name="Junk").uncheck()
        await page.get_by_role("button", name="Count the messages").click()
        await expect(page.get_by_text("4 messages are here already")).to_be_visible()
        await expect(page.get_by_role("heading", name="1 message to copy")).to_be_visible()


async def test_an_import_is_paused_reloaded_resumed_and_outlives_the_service(
    browser: Browser, post: SendingDovecot
) -> None:
    """From a POP3 server. Nothing is lost and nothing comes twice; what is kept of it cannot be read."""
    own = settings(post) | {"CASELLA_SERVERS__DROP__DOMAINS": "pop.example.org"}
    old, new = post.user("old").replace("@example.org", "@pop.example.org"), post.user("new")
    post.seed(old, many(MANY))
    async with passing(post.ports.pop3) as line:
        place = {"HOST": HOST, "PORT": str(line.port), "SECURITY": "none"}
        own |= {f"CASELLA_SERVERS__DROP__POP3__{name}": value for name, value in place.items()}
        await break_import(browser, Replica(own), line, old, new)
    assert count(post, new, "Archive") == MANY


async def break_import(browser: Browser, service: Replica, line: Proxy, old: str, new: str) -> None:
    async with service as replica, visiting(browser, replica.url) as visitor:
        page = visitor.page
        await visitor.sign_in(new)
        await open_import(visitor)
        await name_source(page, old)
        await page.get_by_label("Where to").select_option(label="Archive")
        await page.get_by_role("button", name="Count the messages").click()
        line.fate = Stuck(SOME)
        await page.get_by_role("button", name="Copy now").click()
        await some_copied(page, 1)
        await page.get_by_role("button", name="Pause").click()
        await expect(page.get_by_role("heading", name="Paused")).to_be_visible()
        await page.reload()
        await expect(page.get_by_role("heading", name="Paused")).to_be_visible()
        line.fate = Stuck(SOME)
        before = await copied(page)
        assert 0 < before < MANY
        await page.get_by_role("button", name="Resume").click()
        await some_copied(page, before + 1)
        replica.send(signal.SIGKILL)
        await replica.ended(10)
        line.fate = unharmed
        await expect(page.get_by_role("heading", name="Interrupted")).to_be_visible()
        await replica.start()
        await expect(page.get_by_role("heading", name="Done", exact=True)).to_be_visible(timeout=90_000)
        await expect(page.get_by_role("progressbar")).to_have_js_property("position", 1)


async def copied(page: Page) -> int:
    words = await page.locator(".counted").inner_text()
    return int(words.split()[0])


async def some_copied(page: Page, wanted: int) -> None:
    async with asyncio.timeout(60):
        while await copied(page) < wanted:
            await asyncio.sleep(0.02)


async def test_messages_move_to_another_account(browser: Browser, url: str, post: SendingDovecot) -> None:
    """To a folder of it, with undo; the wizard offers the account, too."""
    first, second = post.user("first"), post.user("second")
    post.seed(first, many(3))
    post.seed(second, [(mail("Letter", number=50), (), NEWEST)], "Plans")
    async with visiting(browser, url) as visitor:
        page = visitor.page
        await visitor.sign_in(second)
        await visitor.choose("Add account")
        await visitor.identify(first)
        await expect(visitor.rows()).to_have_count(3)
        for subject in ("Message 0", "Message 2"):
            await visitor.row(subject).get_by_role("checkbox").check()
        await page.get_by_role("button", name="Move to folder").click()
        await page.get_by_role("button", name=f"To {second}").click()
        await page.get_by_role("button", name="Plans").click()
        await visitor.said(f"2 messages moved to Plans ({second})")
        await expect(visitor.rows()).to_have_count(1)
        await visitor.leave()
        await until(visitor, post, second, "Plans", 3)
        assert count(post, first, "INBOX") == 1
        await open_import(visitor)
        await page.get_by_role("button", name=second).click()
        await page.get_by_role("button", name="Count the messages").click()
        await expect(page.get_by_role("heading", name="3 messages to copy")).to_be_visible()
