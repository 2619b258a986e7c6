"""A mailbox as another program sees it."""

import imaplib
from typing import Any

from imapclient import imap_utf7

Seen = tuple[bytes, frozenset[str]]
"""A message's octets and its flags as the API names them."""


def quoted(name: str) -> str:
    encoded: bytes = imap_utf7.encode(name)
    return f'"{encoded.decode("ascii")}"'


def done(answer: tuple[str, list[Any]]) -> list[Any]:
    """What a command brought that had to succeed."""
    assert answer[0] == "OK", answer
    return answer[1]


def fetched(client: imaplib.IMAP4, folder: str) -> list[Seen]:
    """All messages of a folder, which stays selected."""
    done(client.select(quoted(folder)))
    return [_message(client, number.decode()) for number in done(client.search(None, "ALL"))[0].split()]


def _message(client: imaplib.IMAP4, number: str) -> Seen:
    parts = done(client.fetch(number, "(FLAGS BODY.PEEK[])"))
    [(head, body)] = [part for part in parts if isinstance(part, tuple)]
    octets = b"".join([head, *(part for part in parts if isinstance(part, bytes))])
    words = (word.decode().lower() for word in imaplib.ParseFlags(octets))
    return body, frozenset(word.replace("\\", "$") for word in words if word != "\\recent")
