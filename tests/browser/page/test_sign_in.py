"""From an address to the mailbox, and what the browser keeps of it."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.page.mails import many
from tests.browser.page.visitor import PHONE, visiting
from tests.servers.dovecot import PASSWORD
from tests.servers.submission import SendingDovecot

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.dovecot]
_KEPT = """async () => {
  const opened = await new Promise((done, fail) => {
    const request = indexedDB.open('casella');
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });
  const all = name => new Promise(done => {
    const request = opened.transaction(name).objectStore(name).getAll();
    request.onsuccess = () => done(request.result);
  });
  const texts = [JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie];
  const sealed = [...await all('kept'), ...await all('seen')];
  for (const { octets } of sealed) texts.push(new TextDecoder('latin1').decode(octets));
  const keys = await all('keys');
  opened.close();
  return { text: texts.join(), sealed: sealed.length, keys: keys.map(key => key.extractable) };
}"""


async def test_an_address_and_a_password_lead_to_the_inbox(browser: Browser, url: str, post: SendingDovecot) -> None:
    user = post.user()
    post.seed(user, many(3))
    async with visiting(browser, url, PHONE) as visitor:
        await visitor.page.goto(visitor.url)
        await visitor.name(user)
        await visitor.page.fill("#password", "wrong")
        await visitor.page.click("button.primary")
        await expect(visitor.page.get_by_role("alert")).to_contain_text("rejected")
        await visitor.page.fill("#password", PASSWORD)
        await visitor.page.click("button.primary")
        await expect(visitor.rows()).to_have_count(3)


async def test_the_session_is_kept_sealed_and_ends_with_the_sign_out(
    browser: Browser, url: str, post: SendingDovecot
) -> None:
    """A reload needs no password, nothing readable is stored, and the key cannot be taken out of the browser."""
    user = post.user()
    post.seed(user, many(2))
    async with visiting(browser, url) as visitor:
        page = visitor.page
        token = await visitor.sign_in_for_token(user)
        await visitor.open("Message 0")
        await page.reload()
        await expect(page.locator(".card.opened .plain")).to_contain_text("Text of 0.")
        kept = await page.evaluate(_KEPT)
        assert kept["sealed"] >= 3
        assert kept["keys"] == [False]
        assert not any(word in kept["text"] for word in (token, token[:40], PASSWORD + '"', "Text of 0", "Message 1"))

        await visitor.choose("Sign out")
        await expect(page.get_by_label("Email address")).to_be_visible()
        kept = await page.evaluate(_KEPT)
        assert (kept["sealed"], kept["keys"]) == (0, [])
        answer = await page.request.get(f"{url}/v1/accounts/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status == 401
