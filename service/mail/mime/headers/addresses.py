"""Address lists (RFC 5322, 3.4 and 4.4): one pass over tokens, no recursion, at most 256 KiB, 40,000 tokens and
``limit`` addresses.

Structure is read from the octets as they stand, and encoded words are decoded afterwards, in display names only. So
what is inside a quoted string, a comment or an encoded word never becomes an address.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from service.mail.cleaning import clean_text
from service.mail.mime.charset import decode_text
from service.mail.mime.headers.words import MAX_SHOWN, decode_words, has_controls, shown_text, unfold
from service.mail.model import Address

MAX_OCTETS = 256 * 1024
MAX_TOKENS = 40_000
"""Of a field; a thousand addresses with their names have about twenty each."""

# In order: white space, an encoded word, a quoted string, a domain literal, an escape, a run of ordinary characters,
# and any single octet. Possessive quantifiers and atomic groups keep it linear.
_TOKEN = re.compile(
    rb"(?P<space>[\s\0]++)|(?P<word>=\?[^?\s]{1,80}\?[bBqQ]\?[^?\s]*+\?=)|(?P<quoted>\"(?>(?:[^\"\\]|\\.)*)\")"
    rb"|(?P<literal>\[[^\[\]\s]{0,255}\])|(?P<escape>\\.)|(?P<atom>[^\s\0\"()<>,;:@\[\]\\.]++)|(?P<special>.)",
    re.DOTALL,
)
# What most fields are: mailboxes with nothing in them that needs scanning.
_SPEC = rb"[A-Za-z0-9.!#$%&*+/=?^_`{|}~-]{1,64}+@[A-Za-z0-9.-]{1,255}+"
_PLAIN = re.compile(
    rb"\s*+(?:(?:\"([^\"\\\r\n]{0,200}+)\"|([A-Za-z0-9!#$%%&'*+/=?^_`{|}~ -]{0,200}+))[ \t]*+<(%b)>|(%b))\s*+"
    % (_SPEC, _SPEC)
)
_FEW = 20
"""Mailboxes of a field that is tried that way."""
_CACHED = 320
"""Octets of a mailbox, or a field of them, that is kept for the next message: an address has 254 at most (RFC 5321), a
name a few."""
_PAREN = re.compile(rb"[()]|\\.", re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_SPACES = re.compile(r" {2,}")
_ADDRESS_IN_NAME = re.compile(r"[^\s@\uff20\ufe6b<>\"'(),;:]{1,64}[@\uff20\ufe6b][^\s@<>\"'(),;:]{1,255}")


class AddressList(NamedTuple):
    """The mailboxes of a list. ``is_complete`` is False if a limit cut it; ``is_clear`` is, if it names more addresses
    than were found, because a comma is missing."""

    addresses: tuple[Address, ...]
    is_complete: bool
    is_clear: bool = True


def parse_addresses(raw: bytes | str, limit: int = 1000) -> tuple[Address, ...]:
    """The mailboxes of a list, those of groups among them. Of ``a@b <c@d>`` the address is ``c@d``.

    What holds no address gives its words: one word is the ``email`` (a local user), several are the ``name``.
    """
    return list_addresses(raw, limit).addresses


def known_addresses(raw: bytes, limit: int = 1000) -> tuple[Address, ...]:
    """As ``parse_addresses``. A field of usual length is kept for the next message: people write more than once."""
    return _known_addresses(raw)[:limit] if len(raw) <= _CACHED else parse_addresses(raw, limit)


_known_addresses = lru_cache(maxsize=4096)(parse_addresses)


def list_addresses(raw: bytes | str, limit: int) -> AddressList:
    """As ``parse_addresses``, for those who must not miss any."""
    octets = raw.encode("utf-8", "replace") if isinstance(raw, str) else raw
    pieces = octets.split(b",", _FEW)
    plain = [address for piece in pieces if len(piece) <= _CACHED and (address := _plain_address(piece)) is not None]
    if len(plain) == len(pieces) <= _FEW:
        return AddressList(tuple(plain[:limit]), is_complete=len(plain) <= limit)
    scanner = _Scanner(unfold(octets[:MAX_OCTETS]))
    found: list[Address] = []
    for address in scanner.addresses():
        if len(found) >= limit:
            return AddressList(tuple(found), is_complete=False)
        found.append(address)
    is_complete = not scanner.is_cut and len(octets) <= MAX_OCTETS
    return AddressList(tuple(found), is_complete, is_clear=not scanner.is_in_doubt)


@lru_cache(maxsize=4096)
def _plain_address(piece: bytes) -> Address | None:
    """The mailbox, if nothing in the piece needs scanning. People write more than once."""
    match = _PLAIN.fullmatch(piece)
    if match is None:
        return None
    quoted, name, angle, bare = match.groups()
    shown = decode_words(name if quoted is None else quoted) if angle is not None else ""
    return Address(name=_SPACES.sub(" ", shown) or None, email=(bare if angle is None else angle).decode("ascii"))


def sender_warnings(raw_from_headers: Sequence[bytes]) -> tuple[str, ...]:
    """What is odd about the From fields of a message: the tricks of spoofers that survive correct parsing."""
    is_usual = sum(map(len, raw_from_headers)) <= _CACHED
    return (_known_warnings if is_usual else _warnings)(tuple(raw_from_headers))


def _warnings(raw_from_headers: tuple[bytes, ...]) -> tuple[str, ...]:
    addresses = [address for raw in raw_from_headers[:10] for address in known_addresses(raw, 10)]
    checks = (
        ("display-name-has-address", any(_names_another(address) for address in addresses)),
        ("multiple-from", len(raw_from_headers) > 1 or len(addresses) > 1),
        ("control-characters", any(has_controls(raw) for raw in raw_from_headers[:10])),
        ("encoded-address", any("=?" in address.email for address in addresses)),
    )
    return tuple(warning for warning, holds in checks if holds)


_known_warnings = lru_cache(maxsize=4096)(_warnings)
"""People write more than once."""


def _names_another(address: Address) -> bool:
    """Whether the name shows an address that is not the one behind it; full-width at signs count."""
    shown = _ADDRESS_IN_NAME.findall((address.name or "")[:1000])
    return any(text.strip(".").casefold() != address.email.casefold() for text in shown)


class _Scanner:
    """The state between two commas."""

    def __init__(self, octets: bytes) -> None:
        self.is_cut = False
        """Whether there are more tokens than are read."""
        self.is_in_doubt = False
        """Whether an address was passed over, other than one that stands as a name before angle brackets."""
        self._octets = octets
        self._comments_close = True
        self._in_group = False
        self._reset()

    def _reset(self) -> None:
        self._phrase: list[tuple[str, bytes]] = []
        self._route: list[bytes] | None = None
        """What stands between angle brackets, while they are open."""
        self._angle: bytes | None = None
        self._behind = 0
        """Where in ``_phrase`` begins what stands behind them."""
        self._comment: bytes | None = None

    def addresses(self) -> Iterator[Address]:
        for kind, token in self._tokens():
            if not kind:
                return  # a limit cut it: the rest is not an address
            if token in {b",", b";"} and not self._in_route(token):
                yield from self._flush()
                self._in_group = self._in_group and token == b","
            else:
                self._take(kind, token)
        yield from self._flush()

    def _tokens(self) -> Iterator[tuple[str, bytes]]:
        position = 0
        count = 0
        while (match := _TOKEN.match(self._octets, position)) is not None:
            if (count := count + 1) > MAX_TOKENS:
                self.is_cut = True
                yield "", b""
                return
            position = match.end()
            kind, token = match.lastgroup or "special", match[0]
            if token == b"(" and self._comments_close:
                stop = self._comment_end(position)
                if stop:
                    kind, token, position = "comment", self._octets[position : stop - 1], stop
            yield kind, token

    def _comment_end(self, position: int) -> int:
        """The position after the closing parenthesis; 0 if there is none, and then it is not searched again."""
        depth = 1
        for match in _PAREN.finditer(self._octets, position):
            depth += {b"(": 1, b")": -1}.get(match[0], 0)
            if not depth:
                return match.end()
        self._comments_close = False
        return 0

    def _in_route(self, token: bytes) -> bool:
        """Whether a comma separates the hosts of an obsolete route (``<@a,@b:c@d>``) rather than addresses."""
        return token == b"," and bool(self._route) and self._route is not None and self._route[0] == b"@"

    def _take(self, kind: str, token: bytes) -> None:
        if kind == "comment":
            self._comment = self._comment or token
            self._space()
        elif token == b"<":
            # Of several the last counts; what an earlier one showed stays visible in the name.
            self.is_in_doubt |= bool(self._angle)
            self._phrase += [("space", b" "), ("atom", self._angle), ("space", b" ")] if self._angle else []
            self._angle, self._route = None, []
        elif token == b">":
            self._close()
        elif self._route is not None:
            self._extend(kind, token)
        elif token == b":" and not self._in_group:
            self.is_in_doubt |= bool(self._angle) or self._ats() > 0
            self._in_group = True
            self._reset()
        elif kind == "space":
            self._space()
        else:
            self._phrase.append((kind, token))

    def _space(self) -> None:
        if self._route is None and self._phrase:
            self._phrase.append(("space", b" "))

    def _extend(self, kind: str, token: bytes) -> None:
        assert self._route is not None
        if token == b":" and self._route[:1] == [b"@"]:
            self._route = []
        elif kind != "space":
            self._route.append(token)

    def _close(self) -> None:
        if self._route is not None:
            self._angle, self._route = b"".join(self._route), None
            self._behind = len(self._phrase)

    def _ats(self) -> int:
        """The at signs of the phrase; with angle brackets, of what stands behind them."""
        return sum(token == b"@" for _, token in self._phrase[self._behind :])

    def _flush(self) -> Iterator[Address]:
        self._close()
        if not self._phrase and self._angle is None and self._comment is None:
            return
        phrase, angle = self._phrase, self._angle
        self.is_in_doubt |= self._ats() > (0 if angle else 1)
        if angle is None:
            phrase, angle = _addr_spec(phrase)
        name = _name(phrase)
        word = b"".join(token for _, token in phrase).strip()
        if not angle and self._angle is None and name and b" " not in word:
            name, angle = "", word
        if angle and not name and self._comment:
            name = shown_text(_ESCAPED.sub(rb"\1", self._comment))
        email = clean_text(decode_text(angle[:MAX_SHOWN], None).text).strip()
        self._reset()
        if name or email:
            yield Address(name=name or None, email=email)


def _addr_spec(phrase: list[tuple[str, bytes]]) -> tuple[list[tuple[str, bytes]], bytes]:
    """A phrase without angle brackets split into the words around its last address, and that address."""
    at = next((i for i in range(len(phrase) - 1, -1, -1) if phrase[i][1] == b"@"), -1)
    if at < 0:
        return phrase, b""
    start, stop = _reach(phrase, at, -1), _reach(phrase, at, 1)
    address = b"".join(token for kind, token in phrase[start + 1 : stop] if kind != "space")
    return [*phrase[: start + 1], ("space", b" "), *phrase[stop:]], address


def _reach(phrase: list[tuple[str, bytes]], at: int, step: int) -> int:
    """How far an address reaches from its at sign: over white space only beside it and beside dots (RFC 5322, 4.4)."""
    i, glued = at + step, True
    while 0 <= i < len(phrase):
        kind, token = phrase[i]
        if kind == "space":
            beyond = phrase[i + step][1] if 0 <= i + step < len(phrase) else b""
            if not glued and beyond != b".":
                break
        else:
            glued = token in {b".", b"@"}
        i += step
    return i


def _name(phrase: list[tuple[str, bytes]]) -> str:
    return _SPACES.sub(" ", shown_text(b"".join(_plain(kind, token) for kind, token in phrase)))


def _plain(kind: str, token: bytes) -> bytes:
    if kind == "quoted":
        token = token[1:-1]
        return _ESCAPED.sub(rb"\1", token) if b"\\" in token else token
    return token[1:] if kind == "escape" else token
