"""Translates a server's NO, BAD or BYE to an error of the tree (RFC 9051, 7.1; RFC 5530)."""

import re
from collections.abc import Callable
from typing import NamedTuple

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

_STATUS = re.compile(
    rb"(OK|NO|BAD|BYE|PREAUTH)(?: (?:\[([A-Za-z0-9-]{1,60})(?: ([^\]]*))?\] ?)?(.*))?\Z", re.IGNORECASE | re.DOTALL
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
    text = match[4] or b""
    code = match[2] or (b"TRYCREATE" if b" [TRYCREATE] " in text else b"")  # GNU mailutils has it within the text
    return Status(match[1].decode().upper(), code.decode().upper(), match[3] or b"", text)


def _leaf(leaf: type[MailError], detail: str | None = None) -> Callable[[str | None], MailError]:
    return lambda said: leaf(detail or said)


_BY_CODE: dict[str, Callable[[str | None], MailError]] = {
    "AUTHENTICATIONFAILED": _leaf(LoginRefused, LoginRefused.default),
    "EXPIRED": _leaf(LoginRefused, "The password or token has expired."),
    "AUTHORIZATIONFAILED": _leaf(NotPermitted),
    "NOPERM": _leaf(NotPermitted),
    "READ-ONLY": _leaf(NotPermitted, "The folder is read-only."),
    "PRIVACYREQUIRED": _leaf(UpstreamTls, "The mail server demands TLS."),
    "LIMIT": lambda _: TooManyRequests("The mail server limits its connections for this user.", retry_after=30),
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
    "UNAVAILABLE": lambda said: UpstreamUnavailable(said, protocol="imap", code="UNAVAILABLE", retry_after=5),
}


def error_from(status: Status, *, before_login: bool = False) -> MailError:
    """The error that a server's NO, BAD or BYE means. Its words are not shown if they came before the login: until then
    it is unknown who speaks."""
    said = None if before_login else server_text(status.text) or None
    known = _BY_CODE.get(status.code)
    if known is not None:
        return known(said)
    if status.kind == "BYE":
        return UpstreamUnavailable(said, protocol="imap", code=status.code or None, retry_after=5)
    return UpstreamError(said, protocol="imap", code=status.code or None)


LOST = "outcomeUnknown"
"""The code of an error after which it is unknown whether the server carried out the command."""


def lost(error: MailError, advice: str) -> UpstreamError:
    """Returns the error to raise if the answer to a command that must not be repeated never came."""
    return UpstreamError(f"{error.detail} Whether it was done is not known. {advice}", protocol="imap", code=LOST)
