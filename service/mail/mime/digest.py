"""Compares messages, without regard to what servers change when they store one."""

from hashlib import blake2b

_ALTERED = bytes.maketrans(b"\0", b"\x80")
_LINE_ENDS = b"\r\n"


class Digest:
    """Fed with octets, answers the same for messages that differ only in what servers alter: line ends (a bare LF
    becomes CRLF) and NUL (Dovecot makes it 0x80)."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=16)

    def feed(self, octets: bytes) -> None:
        """The next of them."""
        self._hash.update(octets.translate(_ALTERED, _LINE_ENDS))

    def finish(self) -> bytes:
        """Of all fed so far."""
        return self._hash.digest()
