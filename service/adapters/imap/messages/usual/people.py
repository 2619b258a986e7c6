"""A field of addresses of an ENVELOPE, made into JSON of what the server wrote."""

import re
from functools import lru_cache
from typing import NamedTuple

from pydantic_core import to_json

from service.adapters.imap.messages.doubts import is_placeholder
from service.adapters.imap.messages.envelope import CACHED, people_of
from service.adapters.imap.wire.tokens import parse
from service.mail.mime.headers.words import shown_text

_MAILBOX = rb'\((?:NIL|"([^"\\]*+)") NIL "([^"\\]++)" "([^"\\]++)"\) ?+'
_EACH = re.compile(_MAILBOX)
_ALL = re.compile(rb"\((?>(?:%b)+)\)" % _MAILBOX)


class UsualPeople(NamedTuple):
    """As ``envelope.People``, with the addresses as JSON."""

    json: bytes
    at_signs: int
    is_missing: bool


def people(written: bytes) -> UsualPeople:
    """The field. Those of usual length are kept for the next message: people write more than once."""
    return _known(written) if len(written) <= CACHED else _by_tokens(written)


def _read(written: bytes) -> UsualPeople:
    mailboxes = _EACH.findall(written) if _ALL.fullmatch(written) else []
    if not mailboxes or any(is_placeholder(local) or is_placeholder(domain) for _, local, domain in mailboxes):
        return _by_tokens(written)
    addresses = [_json(shown_text(name), shown_text(b"%b@%b" % (local, domain))) for name, local, domain in mailboxes]
    return UsualPeople(
        b"[%b]" % b",".join(filter(None, addresses)), len(mailboxes) + written.count(b"@"), is_missing=False
    )


def _json(name: str, email: str) -> bytes:
    """Empty if nothing of it can be shown."""
    if name:
        return b'{"name":%b,"email":%b}' % (to_json(name), to_json(email))
    return b'{"email":%b}' % to_json(email) if email else b""


def _by_tokens(written: bytes) -> UsualPeople:
    [token] = parse(written)
    addresses, at_signs, is_missing = people_of(token)
    return UsualPeople(to_json(addresses, by_alias=True, exclude_none=True), at_signs, is_missing)


_known = lru_cache(maxsize=4096)(_read)
