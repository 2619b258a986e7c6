"""Every message of a corpus through every read route, as stored by a real server."""

import imaplib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import httpx
import pytest

from tests.api.conftest import Connect
from tests.corpus import either, public_mail
from tests.servers.dovecot import Dovecot

ME = "/v1/accounts/me"
BATCHES = 8
PARTS = 20
"""Of one message that are read."""
FORMS = ("?html=original", "?html=none", "/headers", "/source")


def stored(client: imaplib.IMAP4, letters: Sequence[bytes]) -> list[bytes]:
    """The letters as the server has them once they were appended: it changes line ends and NUL."""
    for letter in letters:
        assert client.append("INBOX", "", "", letter)[0] == "OK"
    client.select("INBOX", readonly=True)
    rows = client.fetch("1:*", "(BODY.PEEK[])")[1]
    return [row[1] for row in rows if isinstance(row, tuple)]


def ids(structure: dict[str, Any]) -> Iterator[str]:
    """Of all parts, whichever of them come first."""
    parts = [structure]
    while parts:
        part = parts.pop()
        yield part["id"]
        parts += part.get("parts", [])


async def read_all(client: httpx.AsyncClient, at: str) -> bytes:
    """The source, after every other way of reading the message was answered 200."""
    message = await client.get(at)
    assert message.status_code == 200, message.text
    answers = [await client.get(f"{at}{form}") for form in FORMS]
    source = answers[-1].content
    for part in islice(ids(message.json()["structure"]), PARTS):
        answers.append(await client.get(f"{at}/parts/{part}"))
        answers.append(await client.get(f"{at}/parts/{part}", params={"encoded": "true"}))
    assert [answer.text for answer in answers if answer.status_code != 200] == [], message.text
    return source


def by_imap(source: bytes) -> bytes:
    """As Dovecot sends by IMAP what it sent by POP3: that cannot have NUL."""
    return source.replace(b"\0", b"\x80")


def by_pop3(source: bytes) -> bytes:
    """Each line of a message ends by CRLF, the last one too (RFC 1939, 3)."""
    return source if source.endswith(b"\r\n") else source + b"\r\n"


@either(public_mail)
@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
async def test_no_message_of_a_corpus_breaks_a_read_route(
    connect: Connect, dovecot: Dovecot, batch: int, protocol: str, corpus: Callable[[], list[bytes]]
) -> None:
    """R-MIME-01, R-MIME-21: no 5xx, and the source octet for octet as the server has it."""
    user = dovecot.user()
    with dovecot.connect(user) as other:
        expected = stored(other, [letter for letter in corpus()[batch::BATCHES] if letter])
    assert expected
    async with connect(user, Casella_Protocol=protocol) as client:
        page = (await client.get(f"{ME}/folders/inbox/messages", params={"limit": 200})).json()
        sources = [await read_all(client, f"{ME}/messages/{item['id']}") for item in page["items"]]
    if protocol == "pop3":
        sources, expected = list(map(by_imap, sources)), list(map(by_pop3, expected))
    assert sorted(sources) == sorted(expected)
