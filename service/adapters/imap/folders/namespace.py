"""Whose folders lie where (RFC 2342), and what one may do with those of others (RFC 4314, 3.5)."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from service.adapters.imap.wire.pace import paced
from service.adapters.imap.wire.tokens import Token, parse
from service.mail.model import Namespace

MAX_PREFIXES = 50
"""Of one kind. Each is held against the name of every folder."""


@dataclass(frozen=True)
class Namespaces:
    """The prefixes of each kind, as on the wire. ``personal`` is where new folders go."""

    personal: bytes = b""
    delimiter: bytes | None = None
    other: tuple[bytes, ...] = ()
    shared: tuple[bytes, ...] = ()

    def of(self, name: bytes) -> Namespace:
        """Whose folder it is. A prefix with its delimiter cut off is the root of a namespace, and belongs to it."""
        for kind, prefixes in ((Namespace.OTHER, self.other), (Namespace.SHARED, self.shared)):
            if any(prefix and (name.startswith(prefix) or name == prefix[:-1]) for prefix in prefixes):
                return kind
        return Namespace.PERSONAL

    def unlisted(self, names: Iterable[bytes]) -> list[bytes]:
        """Prefixes of others under which a LIST of everything told nothing: some servers list those only by name."""
        told = list(names)
        prefixes = [prefix for prefix in (*self.other, *self.shared) if prefix]
        return [prefix for prefix in prefixes if not any(name.startswith(prefix) for name in told)]


def read_namespaces(untagged: Iterable[bytes]) -> Namespaces:
    """From the answer to NAMESPACE; one personal namespace without prefix where there is none."""
    for line in untagged:
        if line[:10].upper() == b"NAMESPACE ":
            match parse(line, 10):
                case [personal, other, shared, *_]:
                    own = _entries(personal)
                    prefix, delimiter = own[0] if own else (b"", None)
                    others, public = ([name for name, _ in _entries(one)] for one in (other, shared))
                    return Namespaces(prefix, delimiter, tuple(others), tuple(public))
    return Namespaces()


def _entries(token: Token) -> list[tuple[bytes, bytes | None]]:
    found: list[tuple[bytes, bytes | None]] = []
    for entry in token[:MAX_PREFIXES] if isinstance(token, list) else ():
        match entry:
            case [bytes() as prefix, (bytes() | None) as delimiter, *_]:
                found.append((prefix, delimiter))
    return found


async def read_rights(untagged: Iterable[bytes]) -> AsyncIterator[tuple[bytes, str]]:
    """From the answers to MYRIGHTS: folders and letters."""
    async for line in paced(untagged):
        if line[:9].upper() == b"MYRIGHTS ":
            match parse(line, 9):
                case [bytes() as name, bytes() as letters]:
                    yield name, letters.decode("ascii", "replace")
