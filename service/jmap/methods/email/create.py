"""Email/set create: a message composed and stored."""

import asyncio
from collections.abc import Mapping
from typing import Any

from service.jmap.account.account import Account
from service.jmap.account.blobs import read_blob
from service.jmap.account.uploads import PART as UPLOADED
from service.jmap.core.errors import SetError, invalid_properties
from service.jmap.methods.email.storing import finish, folders_of, read_keywords, store
from service.jmap.values.blob_ids import read_blob_id
from service.jmap.values.composing import NewEmail, Source
from service.jmap.values.headers import CONVENIENT
from service.mail.errors import MailError, NotFound, NotSupported, RangeNotSatisfiable
from service.mail.exchange import Span
from service.mail.mime.compose.values import Composition, Copied
from service.mail.model import Address
from service.submission.assembly import assembled, parts_of
from service.submission.drafts import id_domain

MAX_ATTACHED_MESSAGE = 4 << 20
SHORT = 64 << 10
"""Characters that are composed at once; more in a thread."""
_SETTABLE = frozenset(
    {"mailboxIds", "keywords", "receivedAt", "bodyStructure", "bodyValues", "textBody", "htmlBody", "attachments"}
    | CONVENIENT.keys()
)


async def create(account: Account, record: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that the server set. Raises SetError."""
    if wrong := [name for name in record if name not in _SETTABLE and not name.startswith("header:")]:
        raise invalid_properties(*wrong[:20])
    if not isinstance(record.get("bodyValues") or {}, dict):
        raise invalid_properties("bodyValues")
    await folders_of(account, record.get("mailboxIds"))
    email = NewEmail(record)
    email.sources = await _sources(account, email)
    author = next((Address(email=each.email) for each in await account.identities()), None)
    composition = await _composed(email, author)
    stored = await _assembled_there(account, composition, record)
    if stored is not None:
        return stored
    async with assembled(account.backend, composition) as message:
        return await store(account, message, record)


async def _composed(email: NewEmail, author: Address | None) -> Composition:
    """In a thread if its texts are long."""
    domain = id_domain(author)
    if email.length <= SHORT:
        return email.compose(author, domain)
    return await asyncio.to_thread(email.compose, author, domain)


async def _sources(account: Account, email: NewEmail) -> dict[str, Source]:
    """The source of each blob's octets. Raises blobNotFound, and tooLarge if the parts are too large together."""
    sources: dict[str, Source] = {}
    missing = []
    blobs = email.blobs  # which also checks the parts
    messages = _attached_messages(email.record)
    for blob in dict.fromkeys(blobs):
        source = await _source(account, account.resolve(blob), as_message=blob in messages)
        if source is None:
            missing.append(blob)
        else:
            sources[blob] = source
    if missing:
        raise SetError("blobNotFound", notFound=missing)
    most = account.host.limits.max_upload
    if sum(sources[blob].size for blob in blobs) > most:
        raise SetError("tooLarge", f"The attachments of an Email have at most {most} octets together.", maxSize=most)
    return sources


def _attached_messages(record: Mapping[str, Any]) -> set[str]:
    """The blobs that are attached as messages, which must not be encoded (RFC 2046, 5.2.1)."""
    found = set()
    pending = [record.get("bodyStructure"), *(record.get("attachments") or ())]
    while pending:
        part = pending.pop()
        if part:
            pending.extend(part.get("subParts") or ())
            if part.get("type") == "message/rfc822" and part.get("blobId"):
                found.add(part["blobId"])
    return found


async def _source(account: Account, blob: str, *, as_message: bool) -> Source | None:
    ref = read_blob_id(blob)
    if ref is None:
        return None
    try:
        if ref.staged is not None:
            return await _staged(account, blob, ref.staged, as_message=as_message)
        if ref.within is not None:
            return await _read(account, blob)
        assert ref.email is not None
        places = (await account.index.places_of([ref.email])).get(ref.email, ())
        rows = await account.backend.get_messages(places)
        if not rows:
            return None
        if ref.part is None:
            return Source(Copied(rows[0].id, None, encoded=True), rows[0].size or 0, "8bit")
        return Source(Copied(rows[0].id, ref.part, encoded=False), await _size(account, rows[0].id, ref.part))
    except NotFound:
        return None


async def _staged(account: Account, blob: str, staged: str, *, as_message: bool) -> Source:
    if as_message:
        return await _read(account, blob)
    return Source(Copied(staged, UPLOADED, encoded=True), await _size(account, staged, UPLOADED))


async def _read(account: Account, blob: str) -> Source:
    octets = await read_blob(account, blob, MAX_ATTACHED_MESSAGE)
    return Source(octets, len(octets))


async def _size(account: Account, message: str, part: str) -> int:
    """Of a part, decoded. Raises NotFound."""
    try:
        download = await account.backend.open_part(message, part, span=Span(0, 0))
    except RangeNotSatisfiable as empty:
        return empty.size
    await download.chunks.aclose()
    return download.size or 0


async def _assembled_there(
    account: Account, composition: Composition, record: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Stored by the mail server itself, if it can put the message together: then no attachment passes through here."""
    pieces = parts_of(composition)
    if pieces is None or record.get("receivedAt") is not None:
        return None
    first, *others = await folders_of(account, record.get("mailboxIds"))
    keywords = read_keywords(record.get("keywords"))
    try:
        message = await account.backend.append_assembled(first, pieces, keywords)
    except NotSupported:
        return None
    if message is None:
        raise MailError("The message was stored, but the mail server does not say where.")
    return await finish(account, message, others)
