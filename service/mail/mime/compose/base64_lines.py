"""Base64 of a stream (RFC 2045, 6.8)."""

from base64 import encodebytes

_OCTETS = 57
"""Of a line of 76 letters."""


class Base64Lines:
    """Fed with octets in any pieces, gives lines of 76 letters that end in CRLF; the last may be shorter."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, octets: bytes) -> bytes:
        """The lines that are complete now."""
        octets = self._rest + octets
        whole = len(octets) - len(octets) % _OCTETS
        self._rest = octets[whole:]
        return _lines(octets[:whole])

    def finish(self) -> bytes:
        """The last line."""
        rest, self._rest = self._rest, b""
        return _lines(rest)


def encoded_size(octets: int) -> int:
    """The octets that ``Base64Lines`` makes of this number of octets."""
    full, rest = divmod(octets, _OCTETS)
    return full * 78 + ((rest + 2) // 3 * 4 + 2 if rest else 0)


def _lines(octets: bytes) -> bytes:
    return encodebytes(octets).replace(b"\n", b"\r\n")
