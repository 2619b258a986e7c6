"""Compares messages, without regard to what servers change when they store one."""

from hashlib import blake2b

_ALTERED = bytes.maketrans(b"\0", b"\x80")
_AT_ONCE = 64 << 10
"""Line ends that are hashed at once."""


class Digest:
    """Fed with octets, answers the same for messages that differ only in what servers alter: how a line ends (CRLF, LF
    or CR), whether the last one does, and NUL (Dovecot makes it 0x80)."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=16)
        self._ends = 0  # line ends that were fed last
        self._follows_cr = False

    def feed(self, octets: bytes) -> None:
        """The next of them."""
        octets = b"\r" + octets if self._follows_cr else octets
        self._follows_cr = octets.endswith(b"\r")
        text = octets[: len(octets) - self._follows_cr].translate(_ALTERED)
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        kept = text.rstrip(b"\n")
        if kept:
            _feed_ends(self._hash, self._ends)
            self._hash.update(kept)
            self._ends = 0
        self._ends += len(text) - len(kept)

    def finish(self) -> bytes:
        """Of all fed so far, without the line ends behind the last other octet: some servers add one."""
        return self._hash.digest()

    def finish_exactly(self) -> bytes:
        """The same, with those line ends."""
        whole = self._hash.copy()
        _feed_ends(whole, self._ends + self._follows_cr)
        return whole.digest()


def _feed_ends(digest: blake2b, count: int) -> None:
    for start in range(0, count, _AT_ONCE):
        digest.update(b"\n" * min(_AT_ONCE, count - start))
