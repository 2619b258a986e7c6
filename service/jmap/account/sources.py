"""Headers and bodies of Emails, read from the mailbox: a message of usual size in one piece, a larger one by parts."""

from collections.abc import Sequence
from typing import NamedTuple

from service.jmap.account.account import Account
from service.jmap.account.emails import Row
from service.jmap.account.uploads import read_all
from service.jmap.values.blob_ids import part_blob
from service.jmap.values.bodies import MAX_VALUE, Body, described_body, parsed_body
from service.mail.mime.headers.fields import list_headers
from service.mail.model import Header, HtmlMode, Part

WHOLE = 4 << 20
"""Octets of a message that is read in one piece."""


class Opened(NamedTuple):
    """An Email with its headers and its body."""

    headers: Sequence[Header]
    body: Body


async def open_email(account: Account, email: str, row: Row) -> Opened:
    """One round trip for a message of usual size. Raises NotFound if it is gone."""
    if row.get("size", 0) <= WHOLE:
        source = await read_all(await account.backend.open_source(row["id"]), 2 * WHOLE)
        account.sources.spend(len(source))
        opened = await open_source(source)
    else:
        opened = await _described(account, row["id"])
    for node in opened.body.root.walk():
        node.blob = None if node.is_multipart else part_blob(email, node.part.id)
    return opened


async def open_source(source: bytes) -> Opened:
    """A message that is here. The blobs of its parts have no ids yet."""
    body = await parsed_body(source)
    return Opened(body.root.headers or list_headers(source), body)


async def _described(account: Account, message: str) -> Opened:
    described = await account.backend.get_message(message, HtmlMode.NONE)
    headers = await account.backend.list_headers(message)

    async def read(part: Part) -> bytes:
        if (part.size or 0) > 2 * MAX_VALUE:
            return b""
        return await read_all(await account.backend.open_part(message, part.id), 2 * MAX_VALUE)

    return Opened(headers, described_body(described, headers, read))
