"""The replies of POP3, and the errors that they mean."""

import re
from dataclasses import dataclass
from typing import Self

from service.adapters.shared.refusals import Reason, temporary_refusal
from service.mail.cleaning import MAX_SERVER_TEXT, server_text
from service.mail.errors import (
    InUse,
    LoginRefused,
    MailError,
    TooManyRequests,
    UpstreamError,
    UpstreamProtocol,
    UpstreamTls,
    UpstreamUnavailable,
)

PROTOCOL = "pop3"
IN_USE_SECONDS = 5
LOGIN_DELAY_SECONDS = 60
EARLY = "The mail server wants more time between two logins."
STATUS = re.compile(rb"(\+OK|-ERR)(?:[ \t]+(.*))?", re.DOTALL)
CODE = re.compile(r"\[([A-Za-z0-9/_.-]{1,64})\]\s*")


@dataclass(frozen=True, slots=True)
class Reply:
    """A status line. ``code`` is the response code in upper case (RFC 2449, 8), ``text`` the cleaned text after it."""

    ok: bool
    text: str = ""
    code: str | None = None

    @classmethod
    def read(cls, line: bytes) -> Self:
        """Raises UpstreamProtocol for anything but +OK and -ERR."""
        found = STATUS.fullmatch(line)
        if found is None:
            raise broken("The mail server does not speak POP3, or its answers are out of order.")
        text = server_text(found[2] or b"")
        code = CODE.match(text)
        ok = found[1] == b"+OK"
        return cls(ok, text[code.end() :], code[1].upper()) if code else cls(ok, text)


def error_from(reply: Reply) -> MailError:
    """The error for -ERR in a session that is signed in."""
    words = f"The mail server refused: {reply.text}"[:MAX_SERVER_TEXT] if reply.text else None
    if reply.code == "SYS/TEMP":
        return UpstreamUnavailable(words, protocol=PROTOCOL, code=reply.code, retry_after=IN_USE_SECONDS)
    return UpstreamError(words, protocol=PROTOCOL, code=reply.code)


def login_error_from(reply: Reply, delay: int = LOGIN_DELAY_SECONDS) -> MailError:
    """The error for -ERR to a login (RFC 2449, 8.1; RFC 3206). It has none of the server's text: the user is not signed
    in yet."""
    match reply.code:
        case "IN-USE":
            return InUse(retry_after=IN_USE_SECONDS)
        case "LOGIN-DELAY":
            return TooManyRequests(EARLY, retry_after=delay)
        case "SYS/TEMP":
            return busy(reply.code)
        case code if code is not None and code.startswith("SYS"):
            return UpstreamError("The mail server reports an internal error.", protocol=PROTOCOL, code=code)
        case "AUTH":
            return LoginRefused()
    return _temporary_error(reply) or LoginRefused()


def _temporary_error(reply: Reply) -> MailError | None:
    """The error for a login that is refused for now, on servers that say so in their text alone."""
    refused = temporary_refusal(reply.text)
    if refused is None:
        return None
    match refused.reason:
        case Reason.IN_USE:
            return InUse(retry_after=refused.retry_after)
        case Reason.CONNECTIONS | Reason.THROTTLED:
            return TooManyRequests(EARLY, retry_after=refused.retry_after)
    return busy(reply.code)


def greeting_error_from(reply: Reply) -> MailError:
    """The error for a greeting of -ERR. The credentials cannot be the cause, because no login was tried."""
    refused = login_error_from(Reply(reply.ok, "", reply.code))
    return busy(reply.code) if isinstance(refused, LoginRefused) else refused


def busy(code: str | None = None) -> UpstreamUnavailable:
    """The error for a server that refuses connections for now."""
    detail = "The mail server refuses connections at the moment."
    return UpstreamUnavailable(detail, protocol=PROTOCOL, code=code, retry_after=IN_USE_SECONDS)


def broken(detail: str) -> UpstreamProtocol:
    """The error for a malformed answer."""
    return UpstreamProtocol(detail, protocol=PROTOCOL)


def insecure(detail: str | None = None) -> UpstreamTls:
    """The error if TLS is required and cannot be established."""
    return UpstreamTls(detail, protocol=PROTOCOL)
