"""Identities as clients see them (RFC 8621, 6), and as they are stored."""

from collections.abc import Mapping
from hashlib import blake2s
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from service.jmap.core.errors import SetError, invalid_properties
from service.mail.model import Address
from service.mail.submission.model import Identity
from service.personal.identities import LOGIN
from service.personal.stored import Member, wrong_members

Record = dict[str, Any]
PROPERTIES = ("id", "name", "email", "replyTo", "bcc", "textSignature", "htmlSignature", "mayDelete")
_DEFAULTS: Mapping[str, Any] = {"name": "", "replyTo": None, "bcc": None, "textSignature": "", "htmlSignature": ""}
_FIXED = ("id", "email", "mayDelete")
_PROPERTY_OF = {"signature.text": "textSignature", "signature.html": "htmlSignature"}
_ADDRESSES = TypeAdapter(Annotated[tuple[Address, ...], Field(max_length=20)])


def record_of(identity: Identity, member: Member, *, is_writable: bool) -> Record:
    """``bcc`` is JMAP's alone: the API does not have it. The identity of the login stays."""
    signature = identity.signature
    return {
        "id": identity.id,
        "name": identity.name or "",
        "email": identity.email,
        "replyTo": _written(identity.reply_to),
        "bcc": _written(_read(member.get("bcc"))),
        "textSignature": (signature and signature.text) or "",
        "htmlSignature": (signature and signature.html) or "",
        "mayDelete": is_writable and identity.id != LOGIN,
    }


def digest_of(record: Record) -> str:
    """Changes with the record."""
    return blake2s(repr([record[name] for name in PROPERTIES]).encode(errors="replace"), digest_size=5).hexdigest()


def created(identity: str, values: Mapping[str, Any]) -> Record:
    """A new record. Raises invalidProperties."""
    if wrong := [name for name in values if name not in _DEFAULTS and name != "email"]:
        raise invalid_properties(*wrong[:20])
    if not isinstance(values.get("email"), str):
        raise invalid_properties("email", why="An identity has an address.")
    given = {name: value for name, value in values.items() if value is not None}
    return {"id": identity, **_DEFAULTS, **given, "mayDelete": True}


def updated(record: Record, patch: Mapping[str, Any]) -> Record:
    """The record with changes; null stands for the default. Raises invalidProperties and invalidPatch."""
    result = dict(record)
    for name, value in patch.items():
        if "/" in name:
            raise SetError("invalidPatch", "The properties of identities are replaced as a whole.")
        if name in _DEFAULTS:
            result[name] = _DEFAULTS[name] if value is None else value
        elif name not in _FIXED or value != record[name]:
            raise invalid_properties(name[:100])
    return result


def member_of(record: Record, before: Member) -> Member:
    """What is stored of a record. Raises invalidProperties. What apps keep in it stays."""
    member = {**before, "id": record["id"], "email": record["email"], "name": record["name"] or None}
    member |= {name: _written(_read(record[name])) for name in ("replyTo", "bcc")}
    if wrong := [name for name in ("replyTo", "bcc") if record[name] is not None and _read(record[name]) is None]:
        raise invalid_properties(*wrong)
    texts = {"text": record["textSignature"] or None, "html": record["htmlSignature"] or None}
    member["signature"] = _without_nothing(texts)
    if wrong := wrong_members(member):
        raise invalid_properties(*(_PROPERTY_OF.get(name, name.partition(".")[0]) for name in wrong))
    return _without_nothing(member)


def _without_nothing(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value != {}}


def _read(addresses: Any) -> tuple[Address, ...] | None:
    """None if there are none, or if they are something else."""
    try:
        return None if addresses is None else _ADDRESSES.validate_python(addresses)
    except ValidationError:
        return None


def _written(addresses: tuple[Address, ...] | None) -> list[Record] | None:
    return [{"name": each.name, "email": each.email} for each in addresses or ()] or None
