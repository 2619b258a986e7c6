"""The maildrop as one session sees it. Message numbers are valid in this session only; keys name messages beyond it.

A key is the unique-id of a message or, if it has none, made of its content."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2s

from service.adapters.pop3.wire.replies import broken
from service.mail.numbers import read_number

LISTING_LIMIT = 64 * 1024 * 1024
MOST_MESSAGES = 1_000_000
UNIQUE = re.compile(rb"[!-~]{1,70}")
"""A unique-id is one to 70 characters from 0x21 to 0x7E (RFC 1939, 7)."""
DIGEST_OCTETS = 16
CONTENT = b"\0"
"""The first octet of a key made of content. A unique-id cannot have it."""


@dataclass(frozen=True, slots=True)
class Maildrop:
    """``sizes`` has every message by number, in order; ``uidls`` has those with a valid unique-id of their own."""

    sizes: dict[int, int]
    uidls: dict[int, bytes] = field(default_factory=dict)
    numbers: dict[bytes, int] = field(default_factory=dict)

    def of_size(self, size: int) -> list[int]:
        """The messages of that size that have no unique-id."""
        return [number for number, octets in self.sizes.items() if octets == size and number not in self.uidls]


def read_maildrop(listing: bytes, unique_ids: bytes | None) -> Maildrop:
    """Reads the answers to LIST and, if the server has it, UIDL. Raises UpstreamProtocol if they are malformed."""
    sizes = _sizes(listing)
    uidls = {} if unique_ids is None else _uidls(unique_ids, sizes)
    return Maildrop(sizes, uidls, {uidl: number for number, uidl in uidls.items()})


def content_key(block: bytes, size: int) -> bytes:
    """A key made of header and size, for messages without a unique-id. Two copies of a message have the same key:
    enough to read the message, never enough to delete one of them."""
    digest = blake2s(header_of(block), digest_size=DIGEST_OCTETS).digest()
    return CONTENT + size.to_bytes(8, "big") + digest


def size_in_key(key: bytes) -> int | None:
    """The size in a key made of content; None for other keys."""
    fits = key.startswith(CONTENT) and len(key) == len(CONTENT) + 8 + DIGEST_OCTETS
    return int.from_bytes(key[1:9], "big") if fits else None


def header_of(block: bytes) -> bytes:
    """The header with the empty line that ends it: some servers send a body even for TOP n 0."""
    if block.startswith(b"\r\n"):
        return block[:2]
    end = block.find(b"\r\n\r\n")
    return block if end < 0 else block[: end + 4]


def _sizes(listing: bytes) -> dict[int, int]:
    sizes: dict[int, int] = {}
    for number, rest in _numbered(listing):
        size = _number((rest.split(None, 1) or [b""])[0])
        if number in sizes:
            raise broken("The mail server listed a message twice.")
        sizes[number] = size
    return dict(sorted(sizes.items()))


def _uidls(unique_ids: bytes, sizes: dict[int, int]) -> dict[int, bytes]:
    """The valid unique-ids: duplicates name nothing, and messages that LIST does not have do not exist."""
    claimed: dict[int, bytes] = {}
    for number, rest in _numbered(unique_ids):
        if number in claimed:
            raise broken("The mail server gave a message two unique-ids.")
        claimed[number] = rest.rstrip(b" \t")
    uses = Counter(claimed.values())
    return {
        number: uidl
        for number, uidl in claimed.items()
        if number in sizes and uses[uidl] == 1 and UNIQUE.fullmatch(uidl)
    }


def _numbered(listing: bytes) -> Iterator[tuple[int, bytes]]:
    lines = listing.split(b"\r\n")[:-1]
    if len(lines) > MOST_MESSAGES:
        raise broken("The mail server lists more messages than this service supports.")
    for line in lines:
        number, *rest = line.split(None, 1)  # one space is the rule; some servers pad with several, or with a tab
        if (value := _number(number)) == 0:
            raise broken("The mail server's list has a message without a number.")
        yield value, rest[0] if rest else b""


def _number(text: bytes) -> int:
    if (value := read_number(text)) is None:
        raise broken("The mail server's list has something else in place of a number.")
    return value
