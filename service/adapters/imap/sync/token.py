"""The state of a folder that a client knows, as the octets of a token.

For a server that counts changes (HIGHESTMODSEQ, RFC 7162) that is a few numbers. If it does not report what vanished,
the token also has the UIDs that were there; if it counts nothing, their flags too. Both as far as a token may be long.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from service.adapters.imap.wire.arguments import uid_set
from service.adapters.imap.wire.values.numbers import members, read_ranges
from service.mail.errors import MailError, NotSupported, StaleToken

MAX_OCTETS = 5000
"""A sealed token of this size fits into a request line of 8 KiB, which proxies allow."""
MAX_UNPACKED = 1 << 20


class SyncState(NamedTuple):
    """A folder at one moment."""

    uid_validity: int
    uid_next: int
    """The least UID that the next message can have."""
    modseq: int
    """Zero if the server counts no changes."""
    total: int
    uids: frozenset[int] | None = None
    flags: Mapping[str, frozenset[int]] | None = None
    """The UIDs by their flags, sorted and joined by spaces."""

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        """The numbers that STATUS reports."""
        return self.uid_validity, self.uid_next, self.modseq, self.total

    @property
    def bare(self) -> "SyncState":
        """Without what makes it long."""
        return self._replace(uids=None, flags=None)


def write_token(folder: bytes, state: SyncState) -> bytes:
    """A token of one folder; ``bare`` if it would be too long otherwise."""
    name = folder.decode("latin-1")
    octets = _pack([name, _members(state)])
    return octets if len(octets) <= MAX_OCTETS else _pack([name, _members(state.bare)])


def read_token(folder: bytes, octets: bytes) -> SyncState:
    """Raises StaleToken for a token of another folder, and for one that this version does not understand."""
    match _unpack(octets):
        case [str() as name, members] if name == folder.decode("latin-1"):
            return _state(members)
    raise _stale()


def write_tokens(states: Mapping[bytes, SyncState]) -> bytes:
    """A token of all folders, by name. The longest states are bare, as far as needed. Raises NotSupported for too many
    folders."""
    kept = dict(states)
    octets = _pack({name.decode("latin-1"): _members(state) for name, state in kept.items()})
    while len(octets) > MAX_OCTETS:
        heavy = [name for name, state in kept.items() if state != state.bare]
        if not heavy:
            raise NotSupported("changes", "There are too many folders for one token. Ask for the changes of each.")
        longest = max(heavy, key=lambda name: len(_pack(_members(kept[name]))))
        kept[longest] = kept[longest].bare
        octets = _pack({name.decode("latin-1"): _members(state) for name, state in kept.items()})
    return octets


def read_tokens(octets: bytes) -> dict[bytes, SyncState]:
    """Raises StaleToken for a token that this version does not understand."""
    members_by_name = _unpack(octets)
    if not isinstance(members_by_name, dict):
        raise _stale()
    return {name.encode("latin-1"): _state(members) for name, members in members_by_name.items()}


def _members(state: SyncState) -> list[Any]:
    flags = None if state.flags is None else {words: _text(uids) for words, uids in state.flags.items()}
    members: list[Any] = [*state.numbers, None if state.uids is None else _text(state.uids), flags]
    while members[-1] is None:
        members.pop()
    return members


def _text(uids: frozenset[int]) -> str:
    return uid_set(uids).decode()


def _state(members: Any) -> SyncState:
    try:
        uid_validity, uid_next, modseq, total, uids, flags = [*members, None, None][:6]
        return SyncState(
            int(uid_validity),
            int(uid_next),
            int(modseq),
            int(total),
            None if uids is None else _uids(uids),
            None if flags is None else {words: _uids(text) for words, text in flags.items()},
        )
    except (TypeError, ValueError, AttributeError, MailError):
        raise _stale() from None


def _uids(text: str) -> frozenset[int]:
    return frozenset(members(read_ranges(text.encode()))) if text else frozenset()


def _pack(value: Any) -> bytes:
    return zlib.compress(json.dumps(value, separators=(",", ":"), sort_keys=True).encode(), 9)


def _unpack(octets: bytes) -> Any:
    try:
        work = zlib.decompressobj()
        text = work.decompress(octets, MAX_UNPACKED)
        if work.unconsumed_tail:
            raise _stale()
        return json.loads(text)
    except (zlib.error, ValueError):
        raise _stale() from None


def _stale() -> StaleToken:
    return StaleToken("This token is of another folder or version. List again.")
