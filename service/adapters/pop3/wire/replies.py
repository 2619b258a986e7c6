"""What a POP3 answer means, and what goes wrong, in the port's words."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Self

from service.adapters.shared.refusals import Reason, temporary_refusal
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
SHOWN = 200
IN_USE_SECONDS = 5
LOGIN_DELAY_SECONDS = 60
EARLY = "The mail server wants more time between two logins."
STATUS = re.compile(rb"(\+OK|-ERR)(?:[ \t]+(.*))?", re.DOTALL)
CODE = re.compile(r"\[([A-Za-z0-9/_.-]{1,64})\]\s*")


@dataclass(frozen=True, slots=True)
class Reply:
    """A status line. ``code`` is the response code in upper case (RFC 2449, 8), ``text`` what follows it, cleaned."""

    ok: bool
    text: str = ""
    code: str | None = None

    @classmethod
    def read(cls, line: bytes) -> Self:
        """UpstreamProtocol for anything but +OK and -ERR."""
        found = STATUS.fullmatch(line)
        if found is None:
            raise broken("The mail server does not speak POP3, or has lost its thread.")
        text = clean(found[2] or b"")
        code = CODE.match(text)
        ok = found[1] == b"+OK"
        return cls(ok, text[code.end() :], code[1].upper()) if code else cls(ok, text)


def clean(octets: bytes) -> str:
    """A server's words, fit to be shown: no control, format or private characters, at most 200 characters."""
    text = octets[: SHOWN * 8].decode("utf-8", "replace")
    shown = "".join(" " if unicodedata.category(character)[0] == "C" else character for character in text)
    return " ".join(shown.split())[:SHOWN]


def refusal(reply: Reply) -> MailError:
    """The error for -ERR in a session that is signed in."""
    words = f"The mail server refused: {reply.text}"[:SHOWN] if reply.text else None
    if reply.code == "SYS/TEMP":
        return UpstreamUnavailable(words, protocol=PROTOCOL, code=reply.code, retry_after=IN_USE_SECONDS)
    return UpstreamError(words, protocol=PROTOCOL, code=reply.code)


def login_refusal(reply: Reply, delay: int = LOGIN_DELAY_SECONDS) -> MailError:
    """The error for -ERR to a login (RFC 2449, 8.1; RFC 3206): none of the server's own words, nobody is signed in."""
    match reply.code:
        case "IN-USE":
            return InUse(retry_after=IN_USE_SECONDS)
        case "LOGIN-DELAY":
            return TooManyRequests(EARLY, retry_after=delay)
        case "SYS/TEMP":
            return busy(reply.code)
        case code if code is not None and code.startswith("SYS"):
            return UpstreamError("The mail server has a fault of its own.", protocol=PROTOCOL, code=code)
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


def greeting_refusal(reply: Reply) -> MailError:
    """The error for a greeting of -ERR: no login was tried, so it cannot be one's credentials."""
    refused = login_refusal(Reply(reply.ok, "", reply.code))
    return busy(reply.code) if isinstance(refused, LoginRefused) else refused


def busy(code: str | None = None) -> UpstreamUnavailable:
    """The server is there and turns us away for now."""
    detail = "The mail server does not serve at the moment."
    return UpstreamUnavailable(detail, protocol=PROTOCOL, code=code, retry_after=IN_USE_SECONDS)


def broken(detail: str) -> UpstreamProtocol:
    """The server's answer is none."""
    return UpstreamProtocol(detail, protocol=PROTOCOL)


def insecure(detail: str | None = None) -> UpstreamTls:
    """TLS is demanded and not to be had."""
    return UpstreamTls(detail, protocol=PROTOCOL)
