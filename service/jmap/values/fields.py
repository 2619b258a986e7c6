"""Header fields of a new Email, written in the forms of RFC 8621, 4.1.2."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from service.jmap.core.errors import MethodError, invalid_properties
from service.jmap.values.headers import CONVENIENT, HeaderProperty, read_property
from service.mail.errors import InvalidRequest
from service.mail.mime.compose.addresses import address_field, check_address, phrase
from service.mail.mime.compose.checks import INTERNAL, is_id, is_token
from service.mail.mime.compose.header import date_field
from service.mail.mime.compose.words import fold, subject_field, value_field
from service.mail.model import Address

MAX_ADDRESSES = 1000
MAX_VALUE = 60_000
_URL = re.compile(r"[!-;=?-~]{1,2000}\Z")
_RAW = re.compile(r"(?:[^\r\n\0]|\r?\n(?=[ \t]))*\Z")
_WRITTEN = {
    "messageId": "Message-ID", "inReplyTo": "In-Reply-To", "references": "References", "sender": "Sender",
    "from": "From", "to": "To", "cc": "Cc", "bcc": "Bcc", "replyTo": "Reply-To", "subject": "Subject",
    "sentAt": "Date",
}  # fmt: skip
_SINGLE = frozenset({"mime-version"})


class Fields:
    """The header fields of an Email or a part: each at most once, unless all of a name are given at once. Raises
    invalidProperties for one that cannot be written."""

    def __init__(self, record: Mapping[str, Any], *, of_part: bool = False) -> None:
        self.octets = b""
        self.names: set[str] = set()
        for name, value in record.items():
            if name.startswith("header:"):
                self._add(name, _named(name), _spelt(name), value, of_part=of_part)
            elif not of_part and name in CONVENIENT and value is not None:
                self._add(name, CONVENIENT[name], _WRITTEN[name], value, of_part=False)

    def _add(self, key: str, wanted: HeaderProperty, spelt: str, value: Any, *, of_part: bool) -> None:
        if wanted.name in self.names or wanted.name in _SINGLE or wanted.name.startswith(INTERNAL):
            raise invalid_properties(key, why="A header field can be given once.")
        if (wanted.name.startswith("content-") and not of_part) or not is_token(spelt):
            raise invalid_properties(key, why="This field belongs to the parts.")
        if wanted.name in {"content-type", "content-transfer-encoding", "content-disposition", "content-id"}:
            raise invalid_properties(key, why="The part has a property for it.")
        self.names.add(wanted.name)
        values = value if wanted.is_all else [value]
        if not isinstance(values, list) or len(values) > MAX_ADDRESSES:
            raise invalid_properties(key)
        for each in values:
            if each is not None:
                self.octets += _written(key, wanted.form, spelt, each)


def _named(name: str) -> HeaderProperty:
    try:
        return read_property(name)
    except MethodError as error:
        raise invalid_properties(name[:200], why=error.body.get("description")) from None


def _spelt(name: str) -> str:
    return name.split(":")[1]


def _written(key: str, form: str, name: str, value: Any) -> bytes:
    try:
        return _WRITERS[form](name, value)
    except (InvalidRequest, TypeError, KeyError, ValueError, AttributeError):
        raise invalid_properties(key[:200]) from None


def _raw(name: str, value: str) -> bytes:
    if len(value) > MAX_VALUE or not _RAW.match(value):
        raise ValueError
    return f"{name}:{value}\r\n".encode()


def _text(name: str, value: str) -> bytes:
    if len(value) > MAX_VALUE or any(each in value for each in "\r\n\0"):
        raise ValueError
    if not value:
        return b""
    return (subject_field if name.lower() == "subject" else value_field)(name, value)


def _addresses(name: str, value: list[Any]) -> bytes:
    addresses = read_addresses(value)
    return address_field(name, addresses) if addresses else b""


def read_addresses(value: Any) -> list[Address]:
    """Raises ValueError or InvalidRequest for anything but a list of addresses."""
    if not isinstance(value, list) or len(value) > MAX_ADDRESSES:
        raise ValueError
    addresses = []
    for each in value:
        name, email = each.get("name"), each["email"]
        if not isinstance(email, str) or not (name is None or isinstance(name, str)) or len(name or "") > 1000:
            raise ValueError
        addresses.append(Address(name=name or None, email=email))
    return addresses


def _groups(name: str, value: list[Any]) -> bytes:
    words: list[str] = []
    for number, group in enumerate(value):
        last = number == len(value) - 1
        members = [_mailbox(each) for each in read_addresses(group["addresses"])]
        listed = [word for at, member in enumerate(members) for word in _listed(member, is_last=at == len(members) - 1)]
        if group.get("name") is not None:
            listed = [*phrase(group["name"]), ":", *listed, ";"]
        words += listed if last or not listed else [*listed[:-1], f"{listed[-1]},"]
    return fold(name, words) if words else b""


def _mailbox(address: Address) -> list[str]:
    email = check_address(address.email)
    return [*phrase(address.name), f"<{email}>"] if address.name else [email]


def _listed(words: list[str], *, is_last: bool) -> list[str]:
    return words if is_last else [*words[:-1], f"{words[-1]},"]


def _ids(name: str, value: list[str]) -> bytes:
    if not isinstance(value, list) or not all(isinstance(each, str) and is_id(each) for each in value):
        raise ValueError
    return fold(name, [f"<{each}>" for each in value]) if value else b""


def _date(name: str, value: str) -> bytes:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError
    return name.encode() + date_field(moment)[len("Date") :]


def _urls(name: str, value: list[str]) -> bytes:
    if not isinstance(value, list) or not all(isinstance(each, str) and _URL.match(each) for each in value):
        raise ValueError
    return fold(name, _listed_urls(value)) if value else b""


def _listed_urls(urls: list[str]) -> list[str]:
    return [f"<{url}>" if at == len(urls) - 1 else f"<{url}>," for at, url in enumerate(urls)]


_WRITERS: Mapping[str, Callable[[str, Any], bytes]] = {
    "asRaw": _raw,
    "asText": _text,
    "asAddresses": _addresses,
    "asGroupedAddresses": _groups,
    "asMessageIds": _ids,
    "asDate": _date,
    "asURLs": _urls,
}
