"""Mailboxes are watched on the store, and devices are woken."""

import pytest

from service.push.model import Change
from tests.push.watch.site import credentials_of, running, settings_of
from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.dovecot
MAIL = b"From: Ann <ann@example.org>\r\nSubject: hello\r\n\r\nworld\r\n"


async def test_mail_by_append_wakes_the_phone(dovecot: Dovecot, store_url: str) -> None:
    """Within three seconds, on each kind of database."""
    user = dovecot.user()
    async with running(settings_of(dovecot, store_url)) as site:
        phone = await site.subscribe(credentials_of(user))
        import time

        for n in range(5):
            t = time.monotonic()
            dovecot.append(user, MAIL)
            pushed = await site.recorder.next(phone, n, seconds=3)
            print(time.monotonic() - t, pushed)
        assert isinstance(pushed.notice, Change)
