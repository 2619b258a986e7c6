"""Translates a server's NO, BAD or BYE to an error of the tree (RFC 9051, 7.1; RFC 5530)."""

import re
from collections.abc import Callable
from typing import NamedTuple

from service.adapters.shared.refusals import Reason, temporary_refusal
from service.mail.cleaning import server_text
from service.mail.errors import (
    AlreadyExists,
    Changed,
    InUse,
    InvalidRequest,
    LoginRefused,
    MailError,
    NotFound,
    NotPermitted,
    OverQuota,
    TooLarge,
    TooManyRequests,
    UpstreamError,
    UpstreamTls,
    UpstreamUnavailable,
)

_STATUS = re.compile(rb"(OK|NO|BAD|BYE|PREAUTH)(?: (.*))?\Z", re.IGNORECASE | re.DOTALL)
_STRING = rb'"(?>(?:[^"\\]++|\\.)*)"'
_MAX_CODED = 256 << 10
"""Octets of a response whose code is read: the longest codes name a thousand messages twice (COPYUID)."""
_CODE = re.compile(rb"\[([A-Za-z0-9-]{1,60})( |\])")
# The argument of a code, in the order tried. By the grammar (RFC 9051, 9) a closing bracket within it is quoted, but
# servers have it in lists of flags too: ``OIB-Seen-[Gmail]/Trash``. Strings and lists are skipped as a whole. If one is
# never closed, the first ``)]`` ends a list and the first ``]`` anything else. No form looks back: all are linear.
_ARGUMENTS = (
    re.compile(rb'((?>(?:[^\]("]++|%b|\((?>(?:[^()"]++|%b)*)\))*))\] ?' % (_STRING, _STRING), re.DOTALL),
    re.compile(rb"(?=\()(.*?\))\s*\] ?", re.DOTALL),
    re.compile(rb"([^\]]*)\] ?"),
)


class Status(NamedTuple):
    """A status response: ``code`` upper case or empty, ``text`` raw."""

    kind: str
    code: str
    argument: bytes
    text: bytes


def read_status(line: bytes) -> Status | None:
    """Reads what follows the tag or the star. Returns None if it is not a status response."""
    match = _STATUS.match(line)
    if match is None:
        return None
    code, argument, text = _split_code(match[2] or b"")
    if not code and b" [TRYCREATE] " in text:  # GNU mailutils has it within the text
        code = b"TRYCREATE"
    return Status(match[1].decode().upper(), code.decode().upper(), argument, text)


def _split_code(text: bytes) -> tuple[bytes, bytes, bytes]:
    """Returns code, argument and text. A code that is not closed is text."""
    code = _CODE.match(text)
    if code is None or len(text) > _MAX_CODED:
        return b"", b"", text
    if code[2] == b"]":
        return code[1], b"", text[code.end() :].removeprefix(b" ")
    for form in _ARGUMENTS:
        if argument := form.match(text, code.end()):
            return code[1], argument[1], text[argument.end() :]
    return b"", b"", text


def _leaf(leaf: type[MailError], detail: str | None = None) -> Callable[[str | None], MailError]:
    return lambda said: leaf(detail or said)


_BY_CODE: dict[str, Callable[[str | None], MailError]] = {
    "AUTHENTICATIONFAILED": _leaf(LoginRefused, LoginRefused.default),
    "EXPIRED": _leaf(LoginRefused, "The password or token has expired."),
    "AUTHORIZATIONFAILED": _leaf(NotPermitted),
    "NOPERM": _leaf(NotPermitted),
    "READ-ONLY": _leaf(NotPermitted, "The folder is read-only."),
    "PRIVACYREQUIRED": _leaf(UpstreamTls, "The mail server demands TLS."),
    "LIMIT": lambda said: TooManyRequests(said, retry_after=30),
    "THROTTLED": lambda said: TooManyRequests(said, retry_after=60),
    "INUSE": lambda said: InUse(said, retry_after=5),
    "OVERQUOTA": _leaf(OverQuota),
    "TOOBIG": _leaf(TooLarge),
    "NONEXISTENT": lambda said: NotFound("folder", said),
    "TRYCREATE": lambda said: NotFound("folder", said),
    "ALREADYEXISTS": _leaf(AlreadyExists),
    "HASCHILDREN": _leaf(AlreadyExists),
    "USEATTR": _leaf(AlreadyExists),
    "CANNOT": _leaf(InvalidRequest),
    "EXPUNGEISSUED": lambda said: NotFound("message", said),
    "MODIFIED": _leaf(Changed),
    "BADCHARSET": _leaf(InvalidRequest, "The mail server cannot search for this text."),
    "TEMPFAIL": lambda said: UpstreamUnavailable(said, protocol="imap", code="TEMPFAIL", retry_after=5),
    "UNAVAILABLE": lambda said: UpstreamUnavailable(said, protocol="imap", code="UNAVAILABLE", retry_after=5),
}


class ConnectionLimitReached(TooManyRequests):
    """The server allows no more connections of this user, or of this host, at the moment."""

    default = "The mail server limits its connections for this user."


# With these codes the text may say more. Gmail reports its limit of commands as OVERQUOTA, Dovecot its limit of
# connections as UNAVAILABLE, and Yahoo any passing fault as SERVERBUG.
_VAGUE = frozenset({
    "", "ALERT", "INUSE", "LIMIT", "OVERQUOTA", "SERVERBUG", "TEMPFAIL", "THROTTLED", "UNAVAILABLE",
})  # fmt: skip


class LoginDeferred(UpstreamUnavailable):
    """The server refuses this login at the moment, and said nothing about the credentials."""

    default = "The mail server refuses logins at the moment."


def _temporary_error(status: Status, said: str | None) -> MailError | None:
    """Returns the error for a refusal that is temporary by its text; None if it is not."""
    refusal = temporary_refusal(status.text) if status.code in _VAGUE else None
    if refusal is None:
        return None
    code, seconds = status.code or None, refusal.retry_after
    match refusal.reason:
        case Reason.CONNECTIONS:
            return ConnectionLimitReached(retry_after=seconds)
        case Reason.THROTTLED:
            return TooManyRequests(said, retry_after=seconds)
        case Reason.IN_USE:
            return InUse(said, retry_after=seconds)
    return UpstreamUnavailable(said, protocol="imap", code=code, retry_after=seconds)


_BY_TEXT: tuple[tuple[re.Pattern[bytes], Callable[[str | None], MailError]], ...] = (
    # Cyrus; Exchange; others.
    (
        re.compile(
            rb"permission denied|access (?:is )?denied|not permitted|no permission"
            rb"|(?:insufficient|lacks?|missing) (?:\w{1,20} )?(?:access )?rights?\b",
            re.IGNORECASE,
        ),
        _leaf(NotPermitted),
    ),
    # Courier; Cyrus, Exchange, hMailServer; UW.
    (
        re.compile(rb"(?:mailbox|folder) does(?: not|n.t) exist|(?:no such|unknown) (?:mailbox|folder)", re.IGNORECASE),
        lambda _: NotFound("folder"),  # its words have the name, which may be another user's
    ),
    # Courier, Cyrus; Exchange.
    (re.compile(rb"over ?quota|quota (?:is )?exceeded|exceeds? (?:the |your )?quota", re.IGNORECASE), _leaf(OverQuota)),
)
"""What a NO without a code means, by its words. What stands in quotes is not read: a user may have chosen it."""
_QUOTED = re.compile(rb'"[^"]*"')
_MAX_TEXT = 400


def _error_by_text(status: Status, said: str | None) -> MailError | None:
    if status.kind != "NO" or status.code:
        return None
    words = _QUOTED.sub(b"", status.text[:_MAX_TEXT])
    return next((make(said) for pattern, make in _BY_TEXT if pattern.search(words)), None)


class SignedOut(UpstreamUnavailable):
    """The server no longer accepts the login of this connection, and did not carry the command out."""

    default = "The mail server ended the login."


_LOGIN_CODES = frozenset({"AUTHENTICATIONFAILED", "EXPIRED"})
_TOKEN_ENDED = re.compile(
    rb"access ?token ?(?:has |is )?expired|session (?:has )?expired|token (?:has |is )?expired", re.IGNORECASE
)
"""Exchange; others."""


def is_signed_out(status: Status) -> bool:
    """Whether a refusal after login means the login, not the command: an access token that has ended."""
    if status.kind not in {"NO", "BAD"}:
        return False
    return status.code in _LOGIN_CODES or _TOKEN_ENDED.search(_QUOTED.sub(b"", status.text[:_MAX_TEXT])) is not None


def is_disconnected(status: Status) -> bool:
    """Whether the server says that this connection has lost the mailbox: nothing works on it any more (Exchange)."""
    refusal = temporary_refusal(status.text) if status.kind != "OK" else None
    return refusal is not None and refusal.reason is Reason.DISCONNECTED


def error_from(status: Status, *, before_login: bool = False) -> MailError:
    """The error that a server's NO, BAD or BYE means. Before login no text of the server is shown: an attacker may have
    sent it."""
    said = None if before_login else server_text(status.text) or None
    if (temporary := _temporary_error(status, said)) is not None:
        return temporary
    known = _BY_CODE.get(status.code)
    if known is not None:
        return known(said)
    if not before_login and (meant := _error_by_text(status, said)) is not None:
        return meant
    if status.kind == "BYE":
        return UpstreamUnavailable(said, protocol="imap", code=status.code or None, retry_after=5)
    return UpstreamError(said, protocol="imap", code=status.code or None)


_FAULTS = frozenset({"SERVERBUG", "CORRUPTION", "CONTACTADMIN"})


def login_error_from(status: Status) -> MailError:
    """Returns the error for a NO, BAD or BYE to a login or instead of a greeting. A NO that is not temporary and has no
    code means the credentials (RFC 9051, 6.2.3); so does one with a code that says nothing better."""
    if status.code == "LIMIT":
        return ConnectionLimitReached(retry_after=30)
    error = error_from(status, before_login=True)
    if type(error) is UpstreamUnavailable:
        code = error.code or ("BYE" if status.kind == "BYE" else None)
        return LoginDeferred(protocol="imap", code=code, retry_after=error.retry_after)
    if type(error) is UpstreamError and status.kind == "NO" and status.code not in _FAULTS:
        return LoginRefused()
    return error


LOST = "outcomeUnknown"
"""The code of an error after which it is unknown whether the server carried out the command."""


def lost(error: MailError, advice: str) -> UpstreamError:
    """Returns the error to raise if the answer to a command that must not be repeated never came."""
    return UpstreamError(f"{error.detail} Whether it was done is not known. {advice}", protocol="imap", code=LOST)
