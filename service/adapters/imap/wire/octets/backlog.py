"""What has arrived and is not read yet, plain or compressed (RFC 4978)."""

import zlib

from service.mail.errors import UpstreamProtocol

PIECE = 32 << 10
"""Octets that are read between two looks at the clock: 6 ms if every line is as short as possible."""
_WINDOW = -15  # raw deflate (RFC 1951), as RFC 4978 says


class Backlog:
    """Hands out pieces of at most ``PIECE`` octets, so that memory is bounded however well the server compresses.

    While ``by_line`` is set, no piece goes beyond a line's end: behind the line that begins compression, everything is
    compressed.
    """

    __slots__ = ("_inflater", "_is_full", "_octets", "_start", "by_line")

    def __init__(self) -> None:
        self.by_line = False
        self._octets = b""
        self._start = 0
        self._inflater: zlib._Decompress | None = None
        self._is_full = False  # the last piece was: there may be more, although all octets went in

    def __bool__(self) -> bool:
        return bool(self._octets) or self._is_full

    def add(self, octets: bytes) -> None:
        """Append what arrived."""
        self._octets = self._octets[self._start :] + octets if self._octets else octets
        self._start = 0

    def clear(self) -> None:
        """Forget everything."""
        self._octets, self._start, self._is_full = b"", 0, False

    def inflate(self) -> None:
        """Everything from here on is compressed."""
        self._inflater = zlib.decompressobj(_WINDOW)

    def take(self) -> bytes:
        """Returns the next piece. Raises UpstreamProtocol if it cannot be decompressed."""
        if self._inflater is not None:
            return self._inflated(self._inflater)
        octets, start = self._octets, self._start
        end = self._end(start)
        if end < len(octets):
            self._start = end
        else:
            self._octets, self._start = b"", 0
        return octets[start:end]

    def _end(self, start: int) -> int:
        end = start + PIECE
        line_end = self._octets.find(b"\n", start, end) if self.by_line else -1
        return line_end + 1 if line_end >= 0 else end

    def _inflated(self, inflater: "zlib._Decompress") -> bytes:
        octets = self._octets[self._start :]
        try:
            piece = inflater.decompress(octets, PIECE)
        except zlib.error:
            raise UpstreamProtocol("The mail server's compressed data is damaged.", protocol="imap") from None
        if inflater.eof:
            raise UpstreamProtocol("The mail server ended its compressed data.", protocol="imap")
        self._octets, self._start = inflater.unconsumed_tail, 0
        self._is_full = len(piece) == PIECE
        return piece


class Deflater:
    """Compresses what is sent."""

    __slots__ = ("_compressor",)

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(wbits=_WINDOW)

    def __call__(self, octets: bytes) -> bytes:
        """Returns the octets compressed, in a form that the server can read to their end."""
        return self._compressor.compress(octets) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
