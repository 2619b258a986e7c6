"""Sign-in at the provider's page, for addresses whose server wants that."""

from secrets import token_urlsafe

import pytest
from playwright.async_api import Browser, expect

from tests.browser.page.conftest import settings
from tests.browser.page.mails import many
from tests.browser.page.visitor import PHONE, visiting
from tests.deploy.replica import Replica
from tests.servers.issuer import CLIENT, SCOPE, SECRET, Issuer, TokenDovecot
from tests.servers.sink import Sink

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.dovecot]


async def test_the_user_agrees_at_the_provider_and_comes_back_signed_in(browser: Browser, outside: Sink) -> None:
    """No password is asked for. An answer that this browser did not ask for signs nobody in."""
    with Issuer() as issuer, TokenDovecot(issuer, outside) as dovecot:
        user = dovecot.user()
        dovecot.seed(user, many(2))
        client = {"ISSUER": issuer.url, "CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET, "SCOPES": SCOPE}
        env = settings(dovecot) | {f"CASELLA_OAUTH__FAKE__{name}": value for name, value in client.items()}
        env |= {"CASELLA_SERVERS__HOME__OAUTH": "fake", "CASELLA_SECRET_KEYS": token_urlsafe(32)}
        async with Replica(env) as replica, visiting(browser, replica.url, PHONE) as visitor:
            page = visitor.page
            await page.goto(f"{visitor.url}?code=stolen&state=made-up")
            await expect(page.get_by_label("Email address")).to_be_visible()
            await visitor.name(user)
            await expect(page.locator("#password")).to_have_count(0)
            await page.get_by_role("button", name="Continue with fake").click()
            await expect(visitor.rows()).to_have_count(2)
            assert "code=" not in page.url
            assert {url.split("?")[0] for url in visitor.strayed} == {f"{issuer.url}/authorize"}
            visitor.strayed.clear()
            await page.reload()
            await expect(visitor.rows()).to_have_count(2)
