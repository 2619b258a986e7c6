"""Headers of strangers' mail in a maildrop never hold up the event loop."""

import pytest

from service.mail.search.filter import ListQuery
from tests.adapters.pop3.conftest import Mailboxes
from tests.adapters.pop3.server import Pop3Server, Stored
from tests.unheld import HELD, watched

FLOODS = [b"=?a?b? ", b"=?a?b?YQ?= =?b?q?x?= ", b",", b"(", b"<", b":;", b'"', b"a@b,", b"from:("]


@pytest.mark.parametrize("flood", FLOODS, ids=repr)
async def test_endless_headers_do_not_hold_up_the_event_loop(mailboxes: Mailboxes, flood: bytes) -> None:
    """R-MIME-28: a page, a message and its fields."""
    value = (flood * (1 << 18))[: 60 << 10]
    octets = b"Subject: " + value + b"\r\nFrom: " + value + b"\r\nTo: " + value + b"\r\n\r\n" + value + b"\r\n"
    backend = await mailboxes.open(Pop3Server([Stored(f"uid-{number}", octets) for number in range(10)]))
    async with watched() as watch:
        page = await backend.list_messages("inbox", ListQuery())
        await backend.get_message(page.items[0].id)
        await backend.list_headers(page.items[0].id)
    assert len(page.items) == 10
    assert watch.longest < HELD
