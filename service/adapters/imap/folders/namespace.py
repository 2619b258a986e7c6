"""The namespaces of a mailbox (RFC 2342), and the user's rights on folders of others (RFC 4314, 3.5)."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from service.adapters.imap.wire.pace import paced
from service.adapters.imap.wire.tokens import Token, parse
from service.mail.model import Namespace

MAX_PREFIXES = 50
"""Prefixes of one kind. Each is compared with the name of every folder."""


@dataclass(frozen=True)
class Namespaces:
    """The prefixes of each kind, as on the wire. ``personal`` is where new folders go."""

    personal: bytes = b""
    delimiter: bytes | None = None
    other: tuple[bytes, ...] = ()
    shared: tuple[bytes, ...] = ()
    more_personal: tuple[bytes, ...] = ()

    def of(self, name: bytes) -> Namespace:
        """The kind of namespace that the folder is in: that of the longest prefix, which may be empty (Cyrus has shared
        folders at the root). A prefix without its delimiter is the root of its namespace. INBOX is personal."""
        if name.upper() == b"INBOX":
            return Namespace.PERSONAL
        kinds = (
            (Namespace.SHARED, self.shared),
            (Namespace.OTHER, self.other),
            (Namespace.PERSONAL, (self.personal, *self.more_personal)),
        )
        fitting = [
            (len(prefix), number, kind)
            for number, (kind, prefixes) in enumerate(kinds)
            for prefix in prefixes
            if _starts_with(name, prefix) or (prefix and name == prefix[:-1])
        ]
        return max(fitting)[2] if fitting else Namespace.PERSONAL

    def bare(self, name: bytes) -> bytes:
        """The name without the prefix of the user's own namespace, if it has it and more."""
        is_below = self.personal and _starts_with(name, self.personal)
        return (is_below and name[len(self.personal) :]) or name

    def unlisted(self, names: Iterable[bytes]) -> list[bytes]:
        """The prefixes of others under which ``LIST "" *`` named no folder: some servers list those only by name."""
        listed = list(names)
        prefixes = [prefix for prefix in (*self.other, *self.shared) if prefix]
        return [prefix for prefix in prefixes if not any(name.startswith(prefix) for name in listed)]


def _starts_with(name: bytes, prefix: bytes) -> bool:
    """INBOX at the beginning may be in any letter case on either side."""
    if prefix[:5].upper() == b"INBOX":
        return name[:5].upper() == b"INBOX" and name[5:].startswith(prefix[5:])
    return name.startswith(prefix)


def namespace_lines(untagged: Iterable[bytes]) -> list[bytes]:
    """The responses to NAMESPACE among others."""
    return [line for line in untagged if line[:10].upper() == b"NAMESPACE "]


def read_namespaces(untagged: Iterable[bytes]) -> Namespaces:
    """Reads the response to NAMESPACE. Without one: a single personal namespace with an empty prefix."""
    for line in untagged:
        if line[:10].upper() == b"NAMESPACE ":
            match parse(line, 10):
                case [personal, other, shared, *_]:
                    own = _prefixes(personal)
                    prefix, delimiter = own[0] if own else (b"", None)
                    others, public = ([name for name, _ in _prefixes(kind)] for kind in (other, shared))
                    more = tuple(name for name, _ in own[1:])
                    return Namespaces(prefix, delimiter, tuple(others), tuple(public), more)
    return Namespaces()


def _prefixes(token: Token) -> list[tuple[bytes, bytes | None]]:
    prefixes: list[tuple[bytes, bytes | None]] = []
    for member in token[:MAX_PREFIXES] if isinstance(token, list) else ():
        match member:
            case [bytes() as prefix, (bytes() | None) as delimiter, *_]:
                prefixes.append((prefix, delimiter))
    return prefixes


async def read_rights(untagged: Iterable[bytes]) -> AsyncIterator[tuple[bytes, str]]:
    """Reads the responses to MYRIGHTS: each folder with the letters of its rights."""
    async for line in paced(untagged):
        if line[:9].upper() == b"MYRIGHTS ":
            match parse(line, 9):
                case [bytes() as name, bytes() as letters]:
                    yield name, letters.decode("ascii", "replace")
