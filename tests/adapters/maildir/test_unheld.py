"""Messages of strangers in a Maildir never hold up the event loop."""

import pytest

from service.adapters.maildir.backend import MaildirBackend
from service.mail.search.filter import ListQuery, Order, SortKey
from tests.adapters.maildir.conftest import USER
from tests.adapters.maildir.post import Post
from tests.unheld import HELD, watched

MIB = 1 << 20
MIXED = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n"
HTML = b"Content-Type: text/html\n\n"


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(MIXED + b"--\n" * (8 * MIB // 3), id="8 MB of dashes"),
        pytest.param(MIXED + b"-\n" * (4 * MIB), id="8 MB of single dashes"),
        pytest.param(HTML + b"&" * MIB, id="a million ampersands"),
        pytest.param(HTML + b"<" * MIB, id="a million brackets"),
        pytest.param(HTML + b"\xa0" * MIB, id="a million spaces that do not break"),
        pytest.param(HTML + b"<" * 8000, id="brackets of a small message"),
        pytest.param(b"Subject: " + b"re:" * 20_000 + b"\n\n", id="replies to replies"),
    ],
)
async def test_messages_without_measure_are_read_while_others_go_on(
    post: Post, backend: MaildirBackend, source: bytes
) -> None:
    """R-MIME-24, R-MIME-25, R-MIME-28: in a list in order of its subjects, and opened."""
    post.deliver(USER, source)
    post.deliver(USER, source)
    async with watched() as watch:
        page = await backend.list_messages("inbox", ListQuery(sort=(Order(SortKey.SUBJECT),)))
        message = await backend.get_message(page.items[0].id)
    assert message.body.text is not None or message.structure.parts
    assert watch.longest < HELD
