"""Recognises temporary refusals by their text, for servers that send no response code (RFC 5530, RFC 2449) for them.

Each row of the table names a server that was seen to use the words. A refusal that matches says nothing about the
credentials or about what was requested: the client may try again later. Texts are matched without their quoted
strings, because a server may quote what a user chose, such as the name of a folder.
"""

import re
from enum import Enum, auto
from typing import NamedTuple

_READ = 400
"""Octets of a text that are read: the longest known have half as many."""
_QUOTED = re.compile(r'"[^"]*"')
_BACKOFF = re.compile(r"backoff time: ?(\d{1,9}) ?milliseconds", re.IGNORECASE)
_MAX_SECONDS = 24 * 3600


class Reason(Enum):
    """Why the server refuses for now."""

    CONNECTIONS = auto()
    """The user, or this host, has as many connections as the server allows."""
    IN_USE = auto()
    """Another session has locked the mailbox."""
    DISCONNECTED = auto()
    """This connection has lost the mailbox, and nothing will work on it any more."""
    THROTTLED = auto()
    """The user, or this host, sent too many commands or logins."""
    BUSY = auto()
    """The server is overloaded or under maintenance."""


class Refusal(NamedTuple):
    """A temporary refusal. ``retry_after`` is in seconds, as the server stated it, else a usual value."""

    reason: Reason
    retry_after: int


_SECONDS = {Reason.CONNECTIONS: 30, Reason.IN_USE: 5, Reason.DISCONNECTED: 5, Reason.THROTTLED: 60, Reason.BUSY: 30}
_TABLE = (
    # Exchange Online, after too many sessions: only a new connection helps.
    (Reason.DISCONNECTED, r"authenticated but not connected"),
    # Exchange Online, which states the time to wait; Gmail, with the code OVERQUOTA; Yahoo, Zoho, Stalwart; mail.ru.
    (Reason.THROTTLED, r"throttled"),
    (Reason.THROTTLED, r"(?:command|bandwidth) (?:or bandwidth )?limits?\b"),
    (Reason.THROTTLED, r"rate[ -]?limit"),
    (Reason.THROTTLED, r"too many (?:\w+ ){0,2}(?:requests|commands|attempts|failures|logins)\b"),
    # Gmail, Cyrus; Dovecot, with the code UNAVAILABLE, and Courier; hMailServer, MDaemon; Yandex, Zimbra.
    (Reason.CONNECTIONS, r"too many (?:\w+ ){0,3}(?:connections|sessions)\b"),
    (Reason.CONNECTIONS, r"max(?:imum|\.)? (?:number of )?(?:\w+ ){0,2}(?:connections?|sessions?)\b"),
    (Reason.CONNECTIONS, r"(?:connections?|sessions?) (?:\w+ ){0,3}(?:limit|exceed|reach)"),
    (Reason.CONNECTIONS, r"exceed\w* (?:\w+ ){0,4}(?:connections?|sessions?)\b"),
    # Mostly POP3. Qpopper, Courier; Dovecot, Cyrus; UW, hMailServer; MDaemon.
    (Reason.IN_USE, r"\block\w* (?:the |your |user'?s? )?(?:maildrop|mailbox|mail drop|spool)"),
    (Reason.IN_USE, r"(?:maildrop|mailbox|mail drop|spool)\b(?! name).{0,30}\b(?:lock|in use|busy)"),
    (Reason.IN_USE, r"(?:get|acquire|obtain) (?:an? |the )?(?:exclusive )?(?:mailbox |maildrop )?lock"),
    (Reason.IN_USE, r"(?:by|from) another (?:\w+ )?(?:session|client|process|user)"),
    # NetEase, Yahoo; Exchange, iCloud; Dovecot while its authentication is down, Yahoo; GMX, QQ; Zimbra, Cyrus.
    (Reason.BUSY, r"(?:server|service|system|backend) (?:is )?(?:\w+ )?(?:busy|overloaded|down\b)"),
    (Reason.BUSY, r"(?<!mailbox )(?<!folder )(?<!reason )unavailable\b"),
    (Reason.BUSY, r"temporar"),
    (Reason.BUSY, r"try(?:ing)? (?:again )?(?:\w+ ){0,2}(?:later|in (?:a|an|some|few|\d+))\b"),
    (Reason.BUSY, r"maintenance|shutting down|overload"),
)
_TEMPORARY = tuple((reason, re.compile(pattern, re.IGNORECASE)) for reason, pattern in _TABLE)


def temporary_refusal(text: bytes | str) -> Refusal | None:
    """Returns why and for how long the server refuses, if its text says that the refusal is temporary; else None."""
    words = text[:_READ].decode("utf-8", "replace") if isinstance(text, bytes) else text[:_READ]
    words = _QUOTED.sub("", words)
    reason = next((reason for reason, pattern in _TEMPORARY if pattern.search(words)), None)
    if reason is None:
        return None
    return Refusal(reason, _stated_seconds(words) or _SECONDS[reason])


def _stated_seconds(words: str) -> int | None:
    """Rounds up to whole seconds, a day at most."""
    stated = _BACKOFF.search(words)
    return min(-(-int(stated[1]) // 1000), _MAX_SECONDS) if stated else None
