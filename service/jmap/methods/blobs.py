"""Blob/upload, /get and /lookup (RFC 9404), and Blob/copy (RFC 8620, 6.3)."""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from service.jmap.account.account import Account
from service.jmap.account.blobs import read_range
from service.jmap.account.emails import read_rows
from service.jmap.core.arguments import Arguments, require_few
from service.jmap.core.errors import MethodError, SetError, invalid, invalid_properties
from service.jmap.core.records import Outcomes, attempt
from service.jmap.values.blob_ids import read_blob_id, upload_blob
from service.jmap.values.emails import thread_of
from service.mail.errors import NotFound

MAX_READ = 4 << 20
"""Octets of a blob that is read or written in a call."""
MAX_BLOBS = 64
MAX_SOURCES = 64
DIGESTS: Mapping[str, Callable[..., Any]] = {
    "sha": hashlib.sha1,  # its name in RFC 9404; for finding copies, not for security
    "sha-256": hashlib.sha256,
    "sha-512": hashlib.sha512,
}
TYPES = ("Mailbox", "Thread", "Email")
_TEXT, _BASE64 = "data:asText", "data:asBase64"
_PROPERTIES = frozenset({"data", _TEXT, _BASE64, "size", "isEncodingProblem", "isTruncated"})


async def get(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Blob/get."""
    account.require(arguments)
    ids = arguments.ids("ids")
    if ids is None:
        raise invalid("ids is required.")
    _require_few(ids)
    properties = arguments.texts("properties") or ["data", "size"]
    known = _PROPERTIES | {f"digest:{name}" for name in DIGESTS}
    if unknown := [name for name in properties if name not in known and name != "id"]:
        raise invalid(f"There is no property {unknown[0][:100]}.")
    offset, length = arguments.number("offset") or 0, arguments.number("length")
    is_read = any(name not in ("id", "size") for name in properties)
    found, missing = [], []
    for blob in dict.fromkeys(ids):
        try:
            octets, size = await read_range(account, account.resolve(blob), offset, length if is_read else 0, MAX_READ)
        except NotFound:
            missing.append(blob)
            continue
        is_cut = is_read and offset + (length or 0) > size
        found.append({"id": blob, **_described(account, octets, size, properties, is_cut=is_cut)})
    return {"accountId": account.id, "list": found, "notFound": missing}


def _require_few(blobs: Sequence[str]) -> None:
    if len(blobs) > MAX_BLOBS:
        raise MethodError("requestTooLarge", f"At most {MAX_BLOBS} blobs can be asked for at once.")


def _described(
    account: Account, chosen: bytes, size: int, properties: Sequence[str], *, is_cut: bool
) -> dict[str, Any]:
    """``is_cut``: the range that was asked for is longer than the blob."""
    record: dict[str, Any] = {"isTruncated": True} if is_cut else {}
    text = _text(chosen)
    for name in properties:
        if name == "size":
            record[name] = size
        elif name.startswith("digest:"):
            digest = DIGESTS[name.removeprefix("digest:")](chosen, usedforsecurity=False)
            record[name] = b64encode(digest.digest()).decode()
        elif name == _BASE64 or (name == "data" and text is None):
            record[_BASE64] = b64encode(chosen).decode()
        elif name in ("data", _TEXT):
            record[_TEXT] = text
        if name in ("data", _TEXT) and text is None:
            record["isEncodingProblem"] = True
    account.response.spend(sum(len(value) for value in record.values() if isinstance(value, str)))
    return record


def _text(octets: bytes) -> str | None:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return None


async def upload(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Blob/upload: blobs put together from texts and other blobs."""
    account.require(arguments)
    records = arguments.objects("create")
    require_few(records)
    if len(records) > MAX_BLOBS:
        raise MethodError("requestTooLarge", f"At most {MAX_BLOBS} blobs can be made at once.")
    outcomes = Outcomes()
    for key, record in records.items():
        await attempt(outcomes.not_created, key, _create(account, key, record, outcomes))
    return {
        "accountId": account.id,
        "created": outcomes.created or None,
        "notCreated": outcomes.not_created or None,
    }


async def _create(account: Account, key: str, record: Mapping[str, Any], outcomes: Outcomes) -> None:
    octets = await _joined(account, record)
    staged, size = await account.uploads.add(_once(octets))
    account.created[key] = upload_blob(staged)
    account.has_changed()
    kind = record.get("type") or "application/octet-stream"
    outcomes.created[key] = {"id": account.created[key], "type": kind, "size": size}


async def _once(octets: bytes) -> AsyncIterator[bytes]:
    yield octets


async def _joined(account: Account, record: Mapping[str, Any]) -> bytes:
    sources = record.get("data")
    if (
        not isinstance(sources, list)
        or not 0 < len(sources) <= MAX_SOURCES
        or not isinstance(record.get("type") or "", str)
    ):
        raise invalid_properties("data")
    octets = b""
    for source in sources:
        octets += await _source(account, source)
        if len(octets) > MAX_READ:
            raise SetError("tooLarge", maxSize=MAX_READ)
    return octets


async def _source(account: Account, source: Any) -> bytes:
    match source:
        case {"data:asText": str() as text}:
            return text.encode("utf-8", "replace")
        case {"data:asBase64": str() as text}:
            try:
                return b64decode(text, validate=True)
            except ValueError:
                raise invalid_properties("data") from None
        case {"blobId": str() as blob}:
            return await _range(account, blob, source)
    raise invalid_properties("data")


async def _range(account: Account, blob: str, source: Mapping[str, Any]) -> bytes:
    arguments = Arguments({name: source.get(name) for name in ("offset", "length")})
    try:
        offset, length = arguments.number("offset") or 0, arguments.number("length")
    except MethodError:
        raise invalid_properties("data") from None
    try:
        octets, size = await read_range(account, account.resolve(blob), offset, length, MAX_READ)
    except NotFound:
        raise SetError("blobNotFound", notFound=[blob]) from None
    if offset + (length or 0) > size:
        raise invalid_properties("data", why="The range is outside the blob.")
    return octets


async def lookup(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Blob/lookup: the Emails that hold a blob, their threads and mailboxes."""
    account.require(arguments)
    ids, types = arguments.ids("ids"), arguments.texts("typeNames")
    if ids is None or types is None:
        raise invalid("ids and typeNames are lists.")
    _require_few(ids)
    if unknown := set(types) - set(TYPES):
        raise MethodError("unknownDataType", f"There is no type {min(unknown)[:100]}.")
    found, missing = [], []
    for blob in dict.fromkeys(ids):
        matched = await _holders(account, account.resolve(blob), types)
        if matched is None:
            missing.append(blob)
        else:
            found.append({"id": blob, "matchedIds": matched})
    return {"accountId": account.id, "list": found, "notFound": missing}


async def _holders(account: Account, blob: str, types: Sequence[str]) -> dict[str, list[str]] | None:
    ref = read_blob_id(blob)
    while ref is not None and ref.within is not None:
        ref = read_blob_id(ref.within)
    if ref is None:
        return None
    if ref.email is None:
        return {name: [] for name in types}
    rows = (await read_rows(account, [ref.email], thread=True)).get(ref.email)
    if rows is None:
        return None
    mailboxes = await account.index.mailboxes()
    matched: dict[str, list[str]] = {
        "Email": [ref.email],
        "Thread": [thread_of(ref.email, rows[0])],
        "Mailbox": list({str(mailboxes.get(row["folderId"], row["folderId"])): None for row in rows}),
    }
    return {name: matched[name] for name in types}


async def copy(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Blob/copy: from another account only, and a sign-in has one account."""
    account.require(arguments)
    if arguments.required_text("fromAccountId") != account.id:
        raise MethodError("fromAccountNotFound")
    blobs = arguments.ids("blobIds")
    if blobs is None:
        raise invalid("blobIds is required.")
    known = [blob for blob in blobs if read_blob_id(account.resolve(blob)) is not None]
    not_found = {blob: SetError("notFound").body for blob in blobs if blob not in known}
    return {
        "fromAccountId": account.id,
        "accountId": account.id,
        "copied": {blob: blob for blob in known} or None,
        "notCopied": not_found or None,
    }
