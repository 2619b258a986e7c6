"""What the store keeps, as octets: a fetch, and what its runs have seen."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from service.accounts.credentials import Credentials
from service.fetches.model import Plan, Record
from service.standing.credentials import write_credentials
from service.store.sealing import pack, unpack

KEY = 8
"""Octets of the digest of a message's id, and of its fingerprint, which stays the same under any id."""
MAX_SEEN = 100_000
"""Messages that are remembered: 1.6 MB. Whether others were fetched, only the destination shows."""
_PLAN, _RECORD = TypeAdapter(Plan), TypeAdapter(Record)


@dataclass(frozen=True, slots=True)
class Origin:
    """The mailbox that mail is fetched from."""

    server: str
    protocol: str
    username: str
    account: str


@dataclass(frozen=True, slots=True)
class Written:
    """What does not change from run to run."""

    origin: Origin
    plan: Plan
    created_at: datetime


_WRITTEN = TypeAdapter(Written)


@dataclass
class Mark:
    """The state of the source after the last run, and what came of it."""

    record: Record = field(default_factory=Record)
    token: bytes | None = None
    """The state of a source that reports its changes."""
    seen: dict[bytes, bytes] = field(default_factory=dict)
    """The messages that were handled: their fingerprints, if known, by the digests of their ids. With POP3 all that are
    listed."""
    owed: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Messages that could not be copied: their folder, and how often that was tried."""
    is_distinct: bool = False
    """See ``transfer.model.Progress``."""


def write_fetch(owner: Credentials, source: Credentials, plan: Plan, created_at: datetime) -> bytes:
    """The credentials of the owner, as those of a watch, and the fetch beside them."""
    origin = Origin(source.server, source.protocol, source.username, source.account)
    fetch = _WRITTEN.dump_python(Written(origin, plan, created_at), mode="json")
    return json.dumps({**json.loads(write_credentials(owner)), "fetch": fetch}).encode()


def read_fetch(octets: bytes) -> Written:
    return _WRITTEN.validate_python(json.loads(octets)["fetch"])


def write_mark(mark: Mark) -> bytes:
    head = {
        "record": _RECORD.dump_python(mark.record, mode="json", by_alias=False),
        "token": None if mark.token is None else mark.token.hex(),
        "owed": mark.owed,
        "distinct": mark.is_distinct,
    }
    newest = list(mark.seen.items())[-MAX_SEEN:]
    return pack([json.dumps(head)], b"".join(key + value for key, value in newest))


def read_mark(octets: bytes) -> Mark:
    [text], seen = unpack(octets)
    head: dict[str, Any] = json.loads(text or "")
    pairs = (seen[at : at + 2 * KEY] for at in range(0, len(seen), 2 * KEY))
    return Mark(
        _RECORD.validate_python(head["record"], by_name=True),
        None if head["token"] is None else bytes.fromhex(head["token"]),
        {pair[:KEY]: pair[KEY:] for pair in pairs},
        {message: (folder, tries) for message, (folder, tries) in head["owed"].items()},
        head["distinct"],
    )


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
