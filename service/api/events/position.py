"""The state of several accounts as one token: the ``id`` of the events of a common stream."""

from collections.abc import Iterator, Mapping

from service.accounts.tokens import Sessions

MAX_OCTETS = 5000
"""A sealed token of this size fits into a header field of 8 KiB, which proxies allow."""
_NOBODY, _SCOPE = "", "events"
LOST = b""
"""In place of a state that was left out because the token would have been too long."""


def seal_position(sessions: Sessions, states: Mapping[str, bytes]) -> str:
    """Returns the states by account as a token. If it would be too long, the longest states are left out."""
    kept = dict(states)
    octets = _pack(kept)
    while len(octets) > MAX_OCTETS and any(kept.values()):
        kept[max(kept, key=lambda account: len(kept[account]))] = LOST
        octets = _pack(kept)
    return sessions.seal_sync_token(_NOBODY, _SCOPE, octets)


def open_position(sessions: Sessions, token: str) -> dict[str, bytes]:
    """Returns the states by account. Raises StaleToken unless one of the keys sealed the token."""
    words = _words(sessions.open_sync_token(_NOBODY, _SCOPE, token))
    return {account.decode(): state for account, state in zip(words, words, strict=True)}


def _pack(states: Mapping[str, bytes]) -> bytes:
    """Netstrings: account, state, account, state."""
    words = (word for account, state in states.items() for word in (account.encode(), state))
    return b"".join(b"%d:%b" % (len(word), word) for word in words)


def _words(octets: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(octets):
        colon = octets.index(b":", at)
        length = int(octets[at:colon])
        at = colon + 1 + length
        yield octets[colon + 1 : at]
