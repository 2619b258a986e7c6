"""The recipients of a reply (RFC 5322, 3.6.3; Mail-Followup-To; RFC 2369, 3.4).

| the original | reply | reply to all |
|---|---|---|
| from others | Reply-To, else From, else Sender | that and To; copies to Cc |
| with Mail-Followup-To | the same | to those alone |
| of a list (List-Post) | the same | the list too; and From, if Reply-To is the list |
| one's own, sent | To | To, copies to Cc and Bcc |

A message from an own address counts as received if its Reply-To is of another and its To is own: forms on a website
send such mail. Own addresses, broken ones and repetitions are left out. A note to oneself is answered to oneself.
"""

import re
from collections.abc import Collection, Sequence
from itertools import chain, islice
from typing import NamedTuple
from urllib.parse import unquote

from service.mail.mime.headers.addresses import parse_addresses
from service.mail.mime.headers.fields import first_value
from service.mail.model import Address, Header, Message
from service.mail.submission.model import MAX_RECIPIENTS
from service.submission.replies.addresses import OwnAddresses, address_key, usable

Addresses = tuple[Address, ...]
_LIST_POST = re.compile(r"<\s*mailto:([^<>?\s]{1,1000})", re.IGNORECASE)


class Recipients(NamedTuple):
    """Named as the fields of a draft."""

    to: Addresses = ()
    cc: Addresses = ()
    bcc: Addresses = ()


def reply_recipients(
    original: Message,
    headers: Sequence[Header],
    *,
    all: bool,  # noqa: A002 - named as in the API
    own: Collection[str],
) -> Recipients:
    """At most MAX_RECIPIENTS in each field. ``headers`` are those of the original, or only its Mail-Followup-To and
    List-Post."""
    mine = OwnAddresses(own)
    if _is_sent(original, mine):
        found = _to_the_same(original, all=all)
    elif all:
        found = _to_all(original, headers, mine)
    else:
        found = Recipients(_authors(original, mine))
    left = _each_once(found, mine)
    return left if any(left) else _each_once(Recipients(_own_author(original, mine)), OwnAddresses(()))


def _is_sent(original: Message, mine: OwnAddresses) -> bool:
    is_own = any(each in mine for each in original.from_)
    is_form = bool(_others(original.reply_to, mine)) and not _others(original.to, mine)
    return is_own and not is_form


def _to_the_same(original: Message, *, all: bool) -> Recipients:  # noqa: A002
    """If all its recipients are hidden, so are those of the reply."""
    if all or not usable((*original.to, *original.cc)):
        return Recipients(original.to, original.cc, original.bcc)
    return Recipients(original.to or original.cc)


def _to_all(original: Message, headers: Sequence[Header], mine: OwnAddresses) -> Recipients:
    followup = _field(headers, "mail-followup-to")
    if _others(followup, mine):
        return Recipients(followup)
    posts = _list_posts(headers)
    authors = _authors(original, mine)
    if posts and _keys(authors) <= _keys(posts):
        authors = (*authors, *original.from_)
    return Recipients((*authors, *original.to), (*original.cc, *posts))


def _authors(original: Message, mine: OwnAddresses) -> Addresses:
    """The first field that names another person."""
    fields = (original.reply_to, original.from_, original.sender)
    return next((field for field in fields if _others(field, mine)), ())


def _own_author(original: Message, mine: OwnAddresses) -> Addresses:
    return tuple(each for each in original.from_ if each in mine)


def _others(addresses: Addresses, mine: OwnAddresses) -> Addresses:
    return tuple(each for each in usable(addresses) if each not in mine)


def _keys(addresses: Addresses) -> set[str]:
    return {key for each in addresses if (key := address_key(each.email)) is not None}


def _field(headers: Sequence[Header], name: str) -> Addresses:
    """The addresses of the topmost field of that name."""
    raw = next((header.raw for header in headers if header.name.lower() == name), "")
    return parse_addresses(raw.encode("latin-1", "replace"), MAX_RECIPIENTS)


def _list_posts(headers: Sequence[Header]) -> Addresses:
    """The address of the list: none if it says ``NO``."""
    value = first_value(headers, "List-Post") or ""
    emails = (unquote(match[1]) for match in _LIST_POST.finditer(value[:10_000]))
    return usable(Address(email=email) for email in emails)[:1]


def _each_once(found: Recipients, mine: OwnAddresses) -> Recipients:
    """The first place of each address counts. If there are only copies, they are the recipients."""
    seen: set[str] = set()
    kept = [(each for each in field if _is_new(each, seen, mine)) for field in found]
    fields = Recipients(*(tuple(islice(field, MAX_RECIPIENTS)) for field in kept))
    return fields if fields.to else Recipients(fields.cc, (), fields.bcc)


def _is_new(address: Address, seen: set[str], mine: OwnAddresses) -> bool:
    key = address_key(address.email)
    if key is None or key in seen or address in mine:
        return False
    seen.add(key)
    return True


def without(recipients: Recipients, taken: Sequence[Address]) -> Recipients:
    """Those that are not among the others."""
    keys = {address_key(each.email) for each in taken}
    return Recipients(*(tuple(each for each in field if address_key(each.email) not in keys) for field in recipients))


def everybody(original: Message, headers: Sequence[Header]) -> Addresses:
    """All addresses that the header of the message names. A reply has no other recipient."""
    named = (original.from_, original.sender, original.reply_to, original.to, original.cc, original.bcc)
    return tuple(chain(*named, _field(headers, "mail-followup-to"), _list_posts(headers)))
