"""MAIL and RCPT with their parameters, and which addresses they can hold (RFC 5321, 4.1.2; RFC 3461, 4; RFC 6531)."""

import re
from collections.abc import Container, Iterable

from service.mail.cleaning import clean_text, has_controls
from service.mail.errors import InvalidRequest, NotSupported
from service.mail.submission.submitter import Envelope

MAX_ADDRESS = 320
"""Octets: 64 of the local part and 255 of the domain (RFC 5321, 4.5.3.1), and the @."""
MAX_ENVELOPE_ID = 100
_BARE = re.compile(r'[^\s@<>()\[\],;:\\"]+')
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_LITERAL = re.compile(r"\[[0-9A-Za-z.:-]+\]")
_PLAIN = re.compile("[!-*,-<>-~]")


def require_sendable(envelope: Envelope) -> None:
    """Raises InvalidRequest, before anything is sent, for an address that would end its command or begin another."""
    if not envelope.recipients:
        raise InvalidRequest("The message has no recipient.")
    for address in (*filter(None, [envelope.sender]), *envelope.recipients):
        if not _is_sendable(address):
            raise InvalidRequest(
                f"A message cannot be sent to or from this address: {clean_text(address)[:MAX_ADDRESS]}"
            )


def _is_sendable(address: str) -> bool:
    local, _, domain = address.rpartition("@")
    if has_controls(address) or len(address.encode()) > MAX_ADDRESS:
        return False
    is_local = bool(_BARE.fullmatch(local) or _QUOTED.fullmatch(local))
    return is_local and bool(_BARE.fullmatch(domain) or _LITERAL.fullmatch(domain))


def needed(envelope: Envelope) -> set[str]:
    """The extensions by which nothing of the envelope is lost."""
    words = {"DSN"} if envelope.id is not None else set()
    return words | {"SMTPUTF8"} if _is_utf8(envelope) else words


def mail(envelope: Envelope, extensions: Container[str]) -> str:
    """MAIL with every parameter that the message needs and the server knows. Raises NotSupported without SMTPUTF8, if
    an address or a header field needs it."""
    words = [f"MAIL FROM:<{envelope.sender}>"]
    is_utf8 = _is_utf8(envelope)
    if is_utf8 and "SMTPUTF8" not in extensions:
        text = "The mail server takes no addresses and no header fields that have letters beyond ASCII."
        raise NotSupported("smtpUtf8", text)
    if envelope.size is not None and "SIZE" in extensions:
        words.append(f"SIZE={envelope.size}")
    if (envelope.is_8bit or is_utf8) and "8BITMIME" in extensions:
        words.append("BODY=8BITMIME")
    if is_utf8:
        words.append("SMTPUTF8")
    if envelope.id is not None and "DSN" in extensions:
        written = xtext(envelope.id)
        words.append(f"RET=HDRS ENVID={written}" if written else "RET=HDRS")
    return " ".join(words)


def recipients(envelope: Envelope, extensions: Container[str]) -> Iterable[str]:
    """RCPT for each recipient."""
    notify = " NOTIFY=SUCCESS,FAILURE,DELAY" if envelope.id is not None and "DSN" in extensions else ""
    return (f"RCPT TO:<{address}>{notify}" for address in envelope.recipients)


def xtext(text: str) -> str | None:
    """The text in the alphabet of parameters (RFC 3461, 4). None if it is too long: a notification also names the
    message by its header."""
    written = "".join(chr(octet) if _PLAIN.fullmatch(chr(octet)) else f"+{octet:02X}" for octet in text.encode())
    return written if len(written) <= MAX_ENVELOPE_ID else None


def _is_utf8(envelope: Envelope) -> bool:
    return envelope.is_utf8 or not all(map(str.isascii, (envelope.sender, *envelope.recipients)))
