"""Up to where somebody knows a folder, as octets that travel with them.

What the server counts (HIGHESTMODSEQ, RFC 7162) is a few numbers. Where it does not say what vanished, the UIDs that
were there are part of the mark; where it counts nothing, their flags too: both as far as a mark may be long.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from service.adapters.imap.wire.arguments import uid_set
from service.adapters.imap.wire.numbers import members, read_ranges
from service.mail.errors import MailError, NotSupported, StaleToken

MAX_OCTETS = 5000
"""A token of it fits into a request line of 8 KiB, which proxies allow."""
MAX_UNPACKED = 1 << 20


class Mark(NamedTuple):
    """A folder at one moment."""

    validity: int
    next: int
    """The UID that the next message will have at least."""
    modseq: int
    """Zero where the server counts no changes."""
    total: int
    uids: frozenset[int] | None = None
    flags: Mapping[str, frozenset[int]] | None = None
    """The UIDs by their flags, which are words in order."""

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        """What STATUS tells of it."""
        return self.validity, self.next, self.modseq, self.total

    @property
    def bare(self) -> "Mark":
        """Without what makes it long."""
        return self._replace(uids=None, flags=None)


def write_mark(folder: bytes, mark: Mark) -> bytes:
    """Bare, where it would be too long otherwise."""
    name = folder.decode("latin-1")
    octets = _pack([name, _members(mark)])
    return octets if len(octets) <= MAX_OCTETS else _pack([name, _members(mark.bare)])


def read_mark(folder: bytes, octets: bytes) -> Mark:
    """StaleToken for one of another folder, and for what this version does not understand."""
    match _unpack(octets):
        case [str() as name, members] if name == folder.decode("latin-1"):
            return _mark(members)
    raise _stale()


def write_marks(marks: Mapping[bytes, Mark]) -> bytes:
    """Of all folders by name; the longest are bare, as far as needed. NotSupported for too many folders."""
    kept = dict(marks)
    octets = _pack({name.decode("latin-1"): _members(mark) for name, mark in kept.items()})
    while len(octets) > MAX_OCTETS:
        heavy = [name for name, mark in kept.items() if mark != mark.bare]
        if not heavy:
            raise NotSupported("changes", "There are too many folders for one token. Ask for the changes of each.")
        longest = max(heavy, key=lambda name: len(_pack(_members(kept[name]))))
        kept[longest] = kept[longest].bare
        octets = _pack({name.decode("latin-1"): _members(mark) for name, mark in kept.items()})
    return octets


def read_marks(octets: bytes) -> dict[bytes, Mark]:
    """StaleToken for what this version does not understand."""
    found = _unpack(octets)
    if not isinstance(found, dict):
        raise _stale()
    return {name.encode("latin-1"): _mark(members) for name, members in found.items()}


def _members(mark: Mark) -> list[Any]:
    flags = None if mark.flags is None else {words: _text(uids) for words, uids in mark.flags.items()}
    members: list[Any] = [*mark.numbers, None if mark.uids is None else _text(mark.uids), flags]
    while members[-1] is None:
        members.pop()
    return members


def _text(uids: frozenset[int]) -> str:
    return uid_set(uids).decode()


def _mark(members: Any) -> Mark:
    try:
        validity, following, modseq, total, uids, flags = [*members, None, None][:6]
        return Mark(
            int(validity),
            int(following),
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
