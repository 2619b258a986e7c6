"""What a message is composed of, and what comes out."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from service.mail.model import Address


@dataclass(frozen=True, slots=True)
class Copied:
    """Octets of another message of this account: of its part, or with ``part`` None its source.

    ``encoded``: the octets as stored. Otherwise they are decoded, and encoded by ``Base64Lines`` afterwards.
    """

    message: str
    part: str | None
    encoded: bool


@dataclass(frozen=True, slots=True)
class Uploaded:
    """Content that the caller streams through ``Base64Lines``; ``index`` is its own number for it."""

    index: int


Body: TypeAlias = bytes | Copied | Uploaded
Piece: TypeAlias = Body
"""Of a composition: ``bytes`` are written as they are."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """An attachment whose source is known. ``copying.copied`` makes those that are parts of messages."""

    body: Body
    """``bytes`` are the content itself, not encoded."""
    type: str
    """The media type. It may have parameters."""
    charset: str | None = None
    """Of a text, if ``type`` has none."""
    encoding: str = "base64"
    """How a ``Copied`` body is stored, if it is copied as stored."""
    name: str | None = None
    disposition: str = "attachment"
    cid: str | None = None
    """Without angle brackets."""
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Identified:
    """What the service decides about a message."""

    message_id: str
    """Without angle brackets."""
    date: datetime
    """With its UTC offset."""
    from_: Address | None = None
    """The author if the draft names none. None if the account has no address."""
    references: tuple[str, ...] = ()
    in_reply_to: tuple[str, ...] = ()
    """Message-IDs without angle brackets. Those that cannot be written are left out."""
    internal: tuple[tuple[str, str], ...] = ()
    """Fields that ``Outgoing`` removes: names that begin with ``X-Casella-``, values of ASCII without spaces."""


@dataclass(frozen=True, slots=True)
class Composition:
    """A message to be assembled: its pieces in order, no two ``bytes`` beside each other."""

    pieces: tuple[Piece, ...]
    message_id: str
    is_8bit: bool
    """Whether a piece may have octets above 127, which is so only of attached messages."""
    is_utf8: bool
    """Whether an address has a local part beyond ASCII (RFC 6531)."""
