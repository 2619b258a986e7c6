"""Settings as JSON. Their member ``identities`` is ours, all others belong to the apps."""

from collections.abc import Iterable, Sequence
from hashlib import blake2s
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticSerializationError, from_json, to_json

from service.mail.errors import InvalidField, InvalidRequest, TooLarge, UpstreamError
from service.mail.mime.compose.checks import one_line
from service.mail.model import Address
from service.mail.settings import MAX_SETTINGS
from service.mail.submission.model import Identity, Signature

MAX_IDENTITIES = 100
MEMBER = "identities"


def _require_lines(texts: Iterable[str | None]) -> None:
    """Raises InvalidField for what no header field can hold: every draft of the identity would be refused."""
    try:
        for text in texts:
            one_line(text or "", "It")
    except InvalidRequest:
        raise InvalidField("A name or an address has a line break or a control character.") from None


class StoredIdentity(BaseModel):
    """An identity as an app stores it. Members that are not known here are the app's."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    name: Annotated[str, Field(max_length=500)] | None = None
    email: Annotated[str, Field(max_length=320, pattern=r'^[^\s<>,;:"@\x00-\x1f\x7f]+@[^\s<>,;:"@\x00-\x1f\x7f]+$')]
    reply_to: Annotated[tuple[Address, ...], Field(max_length=20, fail_fast=True)] | None = None
    signature: Signature | None = None

    @field_validator("name")
    @classmethod
    def _is_line(cls, name: str | None) -> str | None:
        _require_lines([name])
        return name

    @field_validator("reply_to")
    @classmethod
    def _are_lines(cls, addresses: tuple[Address, ...] | None) -> tuple[Address, ...] | None:
        for address in addresses or ():
            _require_lines([address.name, address.email])
        return addresses


_IDENTITIES = TypeAdapter(Annotated[tuple[StoredIdentity, ...], Field(max_length=MAX_IDENTITIES, fail_fast=True)])


def write_settings(settings: dict[str, Any]) -> bytes:
    """The settings as they are stored. Raises InvalidRequest if their identities are not identities, or if they would
    not be read as they are, and TooLarge."""
    try:
        octets = to_json(settings, inf_nan_mode="null")
        is_same = len(octets) > MAX_SETTINGS or from_json(octets) == settings
    except (PydanticSerializationError, ValueError, RecursionError):
        is_same = False
    if not is_same:
        raise InvalidRequest("The settings cannot be stored as JSON: a number is too large, or they are too deep.")
    if len(octets) > MAX_SETTINGS:
        raise TooLarge(f"The settings have at most {MAX_SETTINGS} octets of JSON; these have {len(octets)}.")
    if MEMBER in settings:
        _identities(settings[MEMBER])
    return octets


def read_settings(octets: bytes | None) -> dict[str, Any]:
    """Empty if there are none. Raises UpstreamError if another program wrote something else in their place."""
    try:
        settings = {} if octets is None else from_json(octets)
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise UpstreamError("The mailbox has something else in place of the settings. Replace it.")
    return settings


def identities_in(settings: dict[str, Any]) -> tuple[Identity, ...]:
    """The identities, the default one first. Raises InvalidRequest as ``write_settings``."""
    stored = _identities(settings.get(MEMBER, ()))
    ids = [each.id or _made_id(each) for each in stored]
    return tuple(
        Identity(
            id=own if own not in ids[:at] else f"{own}-{at}",
            name=each.name,
            email=each.email,
            reply_to=each.reply_to,
            signature=each.signature,
        )
        for at, (own, each) in enumerate(zip(ids, stored, strict=True))
    )


def _identities(value: Any) -> Sequence[StoredIdentity]:
    try:
        return _IDENTITIES.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, (MEMBER, *first["loc"])))
        raise InvalidRequest(f"settings.{place[:200]}: {first['msg'].removeprefix('Value error, ')[:200]}") from None


def _made_id(identity: StoredIdentity) -> str:
    """The same on every replica, as long as the address is the same."""
    return f"i_{blake2s(identity.email.lower().encode(errors='replace'), digest_size=8).hexdigest()}"
