"""Encoded words (RFC 2047), and fields folded between words."""

import re
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

MAX_LINE = 78
MAX_WORD = 75
_FRAME = len("=?utf-8?q??=")
_LEAST = _FRAME + 12
"""What one character may need: four octets in quoted-printable."""
# RFC 2047, 5 (3): what may stand for itself even in a display name.
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_ENCODED_WORD = re.compile(r"=\?[^?\s]+\?[bBqQ]\?[^?\s]*+\?=")
_SINGLE_SPACE = re.compile(r"(?<! ) (?! )")


def fold(name: str, words: Iterable[str]) -> bytes:
    """The field, with a line break before each word that exceeds the line; a word alone may."""
    lines: list[str] = []
    line = f"{name}:"
    for number, word in enumerate(words):
        if number and len(line) + 1 + len(word) > MAX_LINE:
            lines.append(line)
            line = ""
        line = f"{line} {word}"
    return "\r\n".join([*lines, line, ""]).encode()


def subject_field(name: str, text: str) -> bytes:
    """A text of people. What readers may not give back exactly is encoded: other characters than ASCII, several spaces,
    and words longer than a line."""
    words = text.split(" ")
    is_plain = text.isascii() and "=?" not in text and all(words) and max(map(len, words)) < MAX_LINE - len(name) - 2
    return fold(name, words if is_plain else encoded_words(text, start=len(name) + 2))


def value_field(name: str, text: str) -> bytes:
    """A value that may have a grammar: ASCII is never encoded unless a line would be longer than 998 octets, or readers
    would decode it."""
    words = _SINGLE_SPACE.split(text.strip(" "))
    is_plain = text.isascii() and not _ENCODED_WORD.search(text) and max(map(len, words)) <= 800
    return fold(name, words if is_plain else encoded_words(text.strip(" "), start=len(name) + 2))


def has_encoded_word(text: str) -> bool:
    """Whether a reader could decode a word of it."""
    return _ENCODED_WORD.search(text) is not None


def encoded_words(text: str, *, start: int = 1) -> list[str]:
    """Words of at most 75 octets that together mean the text, B or Q by which is shorter. No character is divided.
    ``start`` is the column of the first."""
    octets = text.encode("utf-8")
    is_base64 = (len(octets) + 2) // 3 * 4 < sum(len(_quoted(each)) for each in text)
    write, cost = (_base64, _octets) if is_base64 else (_quote, _quoted_length)
    first = max(_LEAST, min(MAX_WORD, MAX_LINE - start)) - _FRAME
    room = MAX_WORD - _FRAME
    if is_base64:
        first, room = first // 4 * 3, room // 4 * 3
    return [write(piece) for piece in _pieces(text, cost, first, room)]


def _pieces(text: str, cost: Callable[[str], int], first: int, room: int) -> Iterator[str]:
    """Pieces of the text that cost at most ``first``, then ``room`` each."""
    begin = used = 0
    limit = first
    for at, character in enumerate(text):
        more = cost(character)
        if used + more > limit:
            yield text[begin:at]
            begin, used, limit = at, 0, room
        used += more
    yield text[begin:]


@lru_cache(maxsize=4096)
def _quoted(character: str) -> str:
    """As the Q encoding writes it (RFC 2047, 4.2)."""
    if character in _PLAIN:
        return character
    return "_" if character == " " else "".join(f"={octet:02X}" for octet in character.encode())


def _quoted_length(character: str) -> int:
    return len(_quoted(character))


def _octets(character: str) -> int:
    return len(character.encode())


def _quote(piece: str) -> str:
    return f"=?utf-8?q?{''.join(map(_quoted, piece))}?="


def _base64(piece: str) -> str:
    return f"=?utf-8?b?{b2a_base64(piece.encode(), newline=False).decode()}?="
