"""Base64url without padding, as in all texts that clients keep (RFC 4648, 5)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode


def write(octets: bytes) -> str:
    """As text."""
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def read(text: str) -> bytes:
    """The octets. Characters that are not of the alphabet are left out. Raises ValueError."""
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
