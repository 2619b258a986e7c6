"""Email/get and Email/parse."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from service.jmap.account.account import Account
from service.jmap.account.blobs import read_blob
from service.jmap.account.emails import Row, read_rows
from service.jmap.account.sources import WHOLE, Opened, open_email, open_source
from service.jmap.core.arguments import Arguments
from service.jmap.core.errors import invalid
from service.jmap.core.records import get_response
from service.jmap.values.blob_ids import inner_blob
from service.jmap.values.bodies import DEFAULT_PROPERTIES, Body, Node, body_value, check_properties, described
from service.jmap.values.emails import DEFAULT, Wanted, from_headers, from_rows
from service.jmap.values.headers import HeaderReader
from service.mail.errors import NotFound, TooLarge
from service.mail.model import Header

LIGHT = 256 << 10
"""Octets of header fields, once for each property, that are read in the event loop."""
PART = 20
"""What the description of a part weighs, beside its header."""
BODIES = frozenset(
    {"bodyProperties", "fetchTextBodyValues", "fetchHTMLBodyValues", "fetchAllBodyValues", "maxBodyValueBytes"}
)
_LISTS = {"textBody": "text", "htmlBody": "html", "attachments": "attachments"}
_NOT_PARSED = frozenset({"id", "mailboxIds", "keywords", "receivedAt", "threadId"})
_PARSED = tuple(name for name in DEFAULT if name not in {*_NOT_PARSED, "blobId", "size"})


@dataclass(frozen=True, slots=True)
class Bodies:
    """Which body values are asked for, and which properties of parts."""

    properties: Sequence[str]
    text: bool
    html: bool
    everything: bool
    most: int

    @classmethod
    def read(cls, arguments: Arguments) -> "Bodies":
        """Raises invalidArguments."""
        properties = arguments.texts("bodyProperties")
        if properties is not None:
            check_properties(properties)
        return cls(
            DEFAULT_PROPERTIES if properties is None else properties,
            arguments.flag("fetchTextBodyValues"),
            arguments.flag("fetchHTMLBodyValues"),
            arguments.flag("fetchAllBodyValues"),
            arguments.number("maxBodyValueBytes") or 0,
        )


async def get(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Email/get."""
    account.require(arguments)
    ids = arguments.ids("ids")
    if ids is None:
        raise invalid("ids is required: there may be too many Emails to get all.")
    wanted, bodies = Wanted(arguments.texts("properties")), Bodies.read(arguments)
    emails = [account.resolve(each) for each in ids]
    state = await account.state()
    rows = await read_rows(account, emails, preview="preview" in wanted.set, thread="threadId" in wanted.set)
    mailboxes = await account.index.mailboxes() if "mailboxIds" in wanted.set else {}
    records = []
    for email in dict.fromkeys(emails):
        if email in rows:
            with suppress(NotFound):
                records.append(await read_record(account, email, rows[email], mailboxes, wanted, bodies))
    return get_response(account.id, state, records, emails)


async def read_record(
    account: Account,
    email: str,
    rows: Sequence[Row],
    mailboxes: Mapping[str, str],
    wanted: Wanted,
    bodies: Bodies,
) -> dict[str, Any]:
    """The properties of an Email that has these rows. A round trip if they do not say all. Raises NotFound if it is
    gone."""
    record, row = from_rows(email, rows, mailboxes, wanted), rows[0]
    if wanted.needs_body:
        opened = await open_email(account, email, row)
        record |= await _header_properties(account, opened.headers, wanted)
        record |= await body_properties(account, opened, wanted, bodies)
        account.response.spend(len(to_json(record)))
    elif wanted.needs_headers:
        headers = await account.backend.list_headers(row["id"], wanted.fields)
        record |= await _header_properties(account, headers, wanted)
        account.response.spend(len(to_json(record)))
    return record


async def _header_properties(account: Account, headers: Sequence[Header], wanted: Wanted) -> dict[str, Any]:
    """By a thread if there is much to read. Raises requestTooLarge."""
    account.fields.spend(HeaderReader(headers).octets(wanted.of_headers))
    if _octets(headers) * len(wanted.names) <= LIGHT:
        return from_headers(headers, wanted)
    return await asyncio.to_thread(from_headers, headers, wanted)


def _octets(headers: Sequence[Header]) -> int:
    return sum(len(header.raw) for header in headers)


async def body_properties(account: Account, opened: Opened, wanted: Wanted, bodies: Bodies) -> dict[str, Any]:
    """``bodyStructure``, the lists of parts, and the values of those asked for. By a thread if there is much. Raises
    requestTooLarge."""
    of_headers = sum(name.startswith("header:") for name in bodies.properties)
    octets = [_octets(node.headers) for node in opened.body.root.walk()]
    account.fields.spend(sum(octets) * of_headers)
    weight = (PART * len(octets) + sum(octets)) * len(bodies.properties)
    if weight <= LIGHT:
        record = _parts(opened.body, wanted, bodies)
    else:
        record = await asyncio.to_thread(_parts, opened.body, wanted, bodies)
    if "bodyValues" in wanted.set:
        record["bodyValues"] = await _values(opened, bodies)
    return record


def _parts(body: Body, wanted: Wanted, bodies: Bodies) -> dict[str, Any]:
    record: dict[str, Any] = {}
    if "bodyStructure" in wanted.set:
        record["bodyStructure"] = described(body.root, [*bodies.properties, "subParts"])
    for name, attribute in _LISTS.items():
        if name in wanted.set:
            nodes: Sequence[Node] = getattr(body, attribute)
            record[name] = [described(node, bodies.properties) for node in nodes]
    return record


async def _values(opened: Opened, bodies: Bodies) -> dict[str, Any]:
    body = opened.body
    chosen: list[Node] = []
    if bodies.everything:
        chosen += body.root.walk()
    if bodies.text:
        chosen += body.text
    if bodies.html:
        chosen += body.html
    texts = {node.part.id: node for node in chosen if node.part.type.startswith("text/")}
    values = {}
    for part, node in texts.items():
        values[part] = await body_value(node, bodies.most)
    return values


async def parse(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Email/parse: messages that are attached to an Email, or uploaded."""
    account.require(arguments)
    blobs = arguments.ids("blobIds")
    if blobs is None:
        raise invalid("blobIds is required.")
    names = arguments.texts("properties")
    wanted = Wanted(_PARSED if names is None else [name for name in names if name != "id"])
    bodies = Bodies.read(arguments)
    parsed: dict[str, Any] = {}
    not_parsable, not_found = [], []
    for blob in dict.fromkeys(blobs):
        try:
            source = await read_blob(account, account.resolve(blob), WHOLE)
        except NotFound:
            not_found.append(blob)
            continue
        except TooLarge:
            not_parsable.append(blob)
            continue
        record = await _parsed(account, blob, source, wanted, bodies)
        if record is None:
            not_parsable.append(blob)
        else:
            account.response.spend(len(to_json(record)))
            parsed[blob] = record if names is None or "id" in names else {k: v for k, v in record.items() if k != "id"}
    return {
        "accountId": account.id,
        "parsed": parsed or None,
        "notParsable": not_parsable or None,
        "notFound": not_found or None,
    }


async def _parsed(account: Account, blob: str, source: bytes, wanted: Wanted, bodies: Bodies) -> dict[str, Any] | None:
    """None if it is not a message: it has no header field."""
    opened = await open_source(source)
    if not opened.headers:
        return None
    for node in opened.body.root.walk():
        node.blob = None if node.is_multipart else inner_blob(account.resolve(blob), node.part.id)
    record: dict[str, Any] = dict.fromkeys(name for name in wanted.names if name in _NOT_PARSED)
    given = {"blobId": blob, "size": len(source), "hasAttachment": opened.body.has_attachment}
    record |= {name: value for name, value in given.items() if name in wanted.names}
    if "preview" in wanted.names:
        record["preview"] = await _preview(opened)
    record |= await _header_properties(account, opened.headers, wanted)
    return record | await body_properties(account, opened, wanted, bodies)


async def _preview(opened: Opened) -> str:
    texts = [node for node in opened.body.text if node.part.type == "text/plain"]
    value = (await body_value(texts[0], 4096))["value"] if texts else ""
    return " ".join(value.split())[:256]


OF_PARSE = frozenset({"blobIds", "properties", *BODIES})
OF_GET = frozenset({"ids", "properties", *BODIES})
