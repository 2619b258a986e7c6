"""Header fields in the forms of RFC 8621, 4.1.2, and the properties ``header:…`` that name them."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from unicodedata import normalize

from service.jmap.core.errors import invalid
from service.mail.mime.headers.addresses import parse_addresses
from service.mail.mime.headers.dates import parse_date
from service.mail.mime.headers.fields import parse_message_ids
from service.mail.model import Address, Header

_NAME = re.compile(r"[!-9;-~]{1,200}\Z")
_URL = re.compile(r"<\s*([^<>\s]{1,4000})\s*>")
# What is never closed takes the rest, so that no octet is looked at from two starting points.
_GROUP_TOKEN = re.compile(
    rb'"(?>(?:[^"\\]|\\.)*)"?|\((?>(?:[^()\\]|\\.)*)\)?|<(?>[^<>]*)>?|[:;]|(?>[^":;(<]+)|.', re.DOTALL
)
_ADDRESSES = frozenset(
    {"from", "sender", "reply-to", "to", "cc", "bcc"}
    | {f"resent-{name}" for name in ("from", "sender", "reply-to", "to", "cc", "bcc")}
)
_TEXTS = frozenset({"subject", "comments", "keywords", "list-id"})
_IDS = frozenset({"message-id", "in-reply-to", "references", "resent-message-id"})
_DATES = frozenset({"date", "resent-date"})
_URLS = frozenset({"list-help", "list-unsubscribe", "list-subscribe", "list-post", "list-owner", "list-archive"})
_KNOWN = (
    _ADDRESSES
    | _TEXTS
    | _IDS
    | _DATES
    | _URLS
    | {"return-path", "received", "mime-version", "content-type", "content-transfer-encoding"}
)
"""Fields that RFC 5322 or RFC 2369 defines: they have only the forms that fit them."""
MAX_ADDRESSES = 1000


class HeaderProperty(NamedTuple):
    """A property ``header:{name}[:as{form}][:all]``, and its name as the client wrote it."""

    property: str
    name: str
    form: str
    is_all: bool


def read_property(text: str) -> HeaderProperty:
    """Raises invalidArguments for a property that is not of that shape, or a form that does not fit the field."""
    _, name, *rest = text.split(":")
    is_all = bool(rest) and rest[-1] == "all"
    forms = rest[:-1] if is_all else rest
    form = forms[0] if forms else "asRaw"
    if not _NAME.match(name) or len(forms) > 1 or form not in FORMS:
        raise invalid(f"{text[:100]} is not a header property.")
    if not _fits(name.lower(), form):
        raise invalid(f"The field {name[:100]} has no form {form}.")
    return HeaderProperty(text, name.lower(), form, is_all)


def _fits(name: str, form: str) -> bool:
    fields = _FIELDS_OF.get(form)
    return fields is None or name in fields or name not in _KNOWN


class HeaderReader:
    """The values of header properties. Each is read once, even if it is asked for often, in different letter cases."""

    def __init__(self, headers: Iterable[Header]) -> None:
        self._fields: dict[str, list[Header]] = {}
        for header in headers:
            self._fields.setdefault(header.name.lower(), []).append(header)
        self._values: dict[tuple[str, str, bool], Any] = {}

    def value(self, wanted: HeaderProperty) -> Any:
        """Of the last field of that name, or of all of them in order."""
        key = wanted.name, wanted.form, wanted.is_all
        if key not in self._values:
            self._values[key] = self._read(wanted)
        return self._values[key]

    def _read(self, wanted: HeaderProperty) -> Any:
        found, read = self._fields.get(wanted.name, ()), FORMS[wanted.form]
        if wanted.is_all:
            return [read(header) for header in found]
        return read(found[-1]) if found else None

    def octets(self, wanted: Iterable[HeaderProperty]) -> int:
        """How much has to be read for these properties."""
        keys = {(each.name, each.form, each.is_all) for each in wanted}
        return sum(len(field.raw) for name, _, _ in keys for field in self._fields.get(name, ()))


def raw(header: Header) -> str:
    """The octets as they stand, as UTF-8."""
    return _octets(header).decode("utf-8", "replace").replace("\0", "\ufffd")


def _octets(header: Header) -> bytes:
    return header.raw.encode("latin-1", "replace")


def _text(header: Header) -> str:
    return normalize("NFC", header.value.strip())


def address(each: Address) -> dict[str, Any]:
    return {"name": each.name or None, "email": each.email}


def _addresses(header: Header) -> list[dict[str, Any]]:
    return [address(each) for each in parse_addresses(_octets(header), MAX_ADDRESSES)]


def _grouped(header: Header) -> list[dict[str, Any]]:
    """Runs of addresses outside groups have no name. One pass over tokens."""
    groups: list[dict[str, Any]] = []
    name: str | None = None
    begun = bytearray()
    left = MAX_ADDRESSES
    for match in _GROUP_TOKEN.finditer(_octets(header)):
        token = match[0]
        if token == b":" and name is None:
            before, comma, words = bytes(begun).rpartition(b",")
            if comma:
                _add_group(groups, None, before, left)
            name = _text(Header(name="", value=words.decode("utf-8", "replace").strip().strip('"'), raw=""))
            begun = bytearray()
        elif token == b";":
            _add_group(groups, name, bytes(begun), left)
            name, begun = None, bytearray()
        else:
            begun += token
        left = MAX_ADDRESSES - len(groups)
        if left <= 0:
            return groups
    _add_group(groups, name, bytes(begun), left)
    return groups


def _add_group(groups: list[dict[str, Any]], name: str | None, octets: bytes, left: int) -> None:
    found = (
        [address(each) for each in parse_addresses(octets.strip(b", \t\r\n"), left)]
        if octets.strip(b", \t\r\n")
        else []
    )
    if found or name is not None:
        groups.append({"name": name, "addresses": found})


def _ids(header: Header) -> list[str] | None:
    return list(parse_message_ids(_octets(header))) or None


def _date(header: Header) -> str | None:
    moment = parse_date(_octets(header))
    return None if moment is None else moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _urls(header: Header) -> list[str] | None:
    return _URL.findall(header.value) or None


FORMS: Mapping[str, Callable[[Header], Any]] = {
    "asRaw": raw,
    "asText": _text,
    "asAddresses": _addresses,
    "asGroupedAddresses": _grouped,
    "asMessageIds": _ids,
    "asDate": _date,
    "asURLs": _urls,
}
_FIELDS_OF: Mapping[str, frozenset[str]] = {
    "asText": _TEXTS,
    "asAddresses": _ADDRESSES,
    "asGroupedAddresses": _ADDRESSES,
    "asMessageIds": _IDS,
    "asDate": _DATES,
    "asURLs": _URLS,
}
CONVENIENT: Mapping[str, HeaderProperty] = {
    "messageId": HeaderProperty("messageId", "message-id", "asMessageIds", is_all=False),
    "inReplyTo": HeaderProperty("inReplyTo", "in-reply-to", "asMessageIds", is_all=False),
    "references": HeaderProperty("references", "references", "asMessageIds", is_all=False),
    "sender": HeaderProperty("sender", "sender", "asAddresses", is_all=False),
    "from": HeaderProperty("from", "from", "asAddresses", is_all=False),
    "to": HeaderProperty("to", "to", "asAddresses", is_all=False),
    "cc": HeaderProperty("cc", "cc", "asAddresses", is_all=False),
    "bcc": HeaderProperty("bcc", "bcc", "asAddresses", is_all=False),
    "replyTo": HeaderProperty("replyTo", "reply-to", "asAddresses", is_all=False),
    "subject": HeaderProperty("subject", "subject", "asText", is_all=False),
    "sentAt": HeaderProperty("sentAt", "date", "asDate", is_all=False),
}
"""Properties that are short for a field in a form."""
