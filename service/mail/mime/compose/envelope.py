"""The sender and the recipients of a message, by its header (RFC 5321, 2.3.1)."""

from collections.abc import Iterable, Iterator, Sequence

from service.mail.errors import InvalidRequest, TooLarge
from service.mail.mime.compose.addresses import check_address
from service.mail.mime.compose.checks import shown
from service.mail.mime.headers.addresses import MAX_OCTETS, list_addresses
from service.mail.mime.headers.fields import MAX_BLOCK, MAX_FIELDS, RawHeader, split_headers
from service.mail.model import Address
from service.mail.submission.submitter import Envelope

_SENDERS = ("sender", "from")
_RECIPIENTS = frozenset({"to", "cc", "bcc"})
_MAX_ADDRESSES = 10_000


def envelope_of(header: bytes) -> Envelope:
    """The envelope of a message with this header: the sender is that of Sender, else the first author; the recipients
    are those of To, Cc and Bcc, each once, members of groups too.

    Raises InvalidRequest if an address cannot be sent to, and TooLarge if there is more of it than is read, so that no
    recipient is ever left out; also InvalidRequest if a comma between two is missing. The recipients may be none.
    """
    fields = split_headers(header)
    if len(header) > MAX_BLOCK or len(fields) >= MAX_FIELDS:
        raise TooLarge(f"The header of the message exceeds {MAX_BLOCK // 1024} KiB or {MAX_FIELDS} fields.")
    senders = [address for name in _SENDERS for address in _addresses(fields, {name})]
    envelope = make_envelope(senders[0] if senders else None, _addresses(fields, _RECIPIENTS))
    return Envelope(envelope.sender, envelope.recipients, is_utf8=envelope.is_utf8 or _is_utf8(header))


def make_envelope(sender: Address | None, recipients: Iterable[Address]) -> Envelope:
    """Raises InvalidRequest if there is no sender, or an address cannot be sent to."""
    if sender is None:
        raise InvalidRequest("The message has no author: it needs a From address.")
    by_mailbox = {_mailbox(email): email for email in map(_email, recipients)}
    email = _email(sender)
    recipient_emails = tuple(by_mailbox.values())
    return Envelope(email, recipient_emails, is_utf8=not all(map(str.isascii, (email, *recipient_emails))))


def _addresses(fields: Sequence[RawHeader], names: Iterable[str]) -> Iterator[Address]:
    for name, raw in fields:
        if name.lower() in names:
            listed = list_addresses(raw, _MAX_ADDRESSES)
            if not listed.is_complete:
                raise TooLarge(f"The header field {name} has too many addresses, or more than {MAX_OCTETS} octets.")
            if not listed.is_clear and name.lower() in _RECIPIENTS:
                raise InvalidRequest(f"The header field {name} names addresses without a comma between them.")
            yield from listed.addresses


def _email(address: Address) -> str:
    if not address.email:
        raise InvalidRequest(f"{shown(address.name or '')} is not an email address: it has no @.")
    return check_address(address.email)


def _mailbox(email: str) -> tuple[str, str]:
    """What is the same for one mailbox: the local part may depend on letter case (RFC 5321, 2.4)."""
    local, _, domain = email.rpartition("@")
    return local, domain.lower()


def _is_utf8(header: bytes) -> bool:
    """RFC 6532. What is beyond ASCII but no UTF-8 is old mail, for which there is no extension."""
    try:
        return not header.isascii() and bool(header.decode())
    except UnicodeDecodeError:
        return False
