"""Writes values as the octets of a command (RFC 9051, 9). Everything that a caller chose passes here and nowhere else.

A command is a sequence of chunks; each chunk after the first waits for the server's ``+``, because the chunk before it
ended by announcing a literal.
"""

import re
from collections.abc import Iterable

from service.mail.errors import InvalidRequest

_QUOTABLE = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]*\Z")
_MAX_QUOTED = 1000
_FLAG = re.compile(r"\\?[^\x00-\x20\x7f-\U0010ffff(){%*\"\\\]]{1,250}\Z")
MAX_ARGUMENT = 64 << 10


class Literal(bytes):
    """Octets that travel as a literal."""


Piece = bytes | Literal


def string(value: str | bytes) -> Piece:
    """Returns ``value`` quoted, or as a literal if quotes cannot carry it. Raises InvalidRequest for NUL, which neither
    can, and for more than ``MAX_ARGUMENT`` octets."""
    octets = value if isinstance(value, bytes) else _utf8(value)
    if b"\0" in octets:
        raise InvalidRequest("A value must not contain NUL.")
    if len(octets) > MAX_ARGUMENT:
        raise InvalidRequest(f"A value must not be longer than {MAX_ARGUMENT} octets.")
    if len(octets) <= _MAX_QUOTED and _QUOTABLE.match(octets):
        return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return Literal(octets)


def _utf8(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("A value has half a character (a lone surrogate).") from None


def flag_list(flags: Iterable[str]) -> bytes:
    """Returns ``(\\Seen work)``. Raises InvalidRequest if one of them is not a flag."""
    words = list(flags)
    for flag in words:
        if not _FLAG.match(flag):
            raise InvalidRequest('A flag is one word of ASCII letters, digits and signs without ( ) { % * " \\ ].')
    return b"(" + " ".join(words).encode() + b")"


def is_flag(flag: str) -> bool:
    """Whether ``flag_list`` can write it."""
    return _FLAG.match(flag) is not None


def uid_set(uids: Iterable[int]) -> bytes:
    """Returns ``1:3,7``: ascending, without repeats, runs as ranges."""
    runs: list[list[int]] = []
    for uid in sorted(set(uids)):
        if runs and runs[-1][1] == uid - 1:
            runs[-1][1] = uid
        else:
            runs.append([uid, uid])
    return b",".join(b"%d" % low if low == high else b"%d:%d" % (low, high) for low, high in runs)


def chunks(tag: bytes, pieces: Iterable[Piece], literal_plus: int = 0) -> list[bytes]:
    """Returns the command line of ``pieces`` joined by spaces (none within parentheses), cut at each point at which the
    server has to say ``+``. Literals up to ``literal_plus`` octets go without waiting (RFC 7888)."""
    complete: list[bytes] = []
    line = bytearray(tag)
    for piece in pieces:
        if piece != b")" and not line.endswith(b" ("):
            line += b" "
        if not isinstance(piece, Literal):
            line += piece
        elif len(piece) <= literal_plus:
            line += b"{%d+}\r\n" % len(piece) + piece
        else:
            line += b"{%d}\r\n" % len(piece)
            complete.append(bytes(line))
            line = bytearray(piece)
    complete.append(bytes(line + b"\r\n"))
    return complete
