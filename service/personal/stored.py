"""Identities as they are stored, to be changed one by one: with all that apps keep in them, and beside them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from service.mail.backend import Backend
from service.mail.model import Capability
from service.mail.settings import settings_version
from service.mail.submission.model import Identity
from service.personal.identities import LOGIN, login_identity
from service.personal.settings import MEMBER, StoredIdentity, identities_in, read_settings, write_settings

Member = dict[str, Any]


class Stored(NamedTuple):
    """``members`` has what is stored of each identity, in the same order, with its id. If none are stored, it is what
    stands for the login."""

    settings: dict[str, Any]
    version: str
    identities: tuple[Identity, ...]
    members: tuple[Member, ...]


async def read_stored(mailbox: Backend, username: str) -> Stored:
    """The identities of now. The round trips of ``get_settings``."""
    await mailbox.check()
    octets = await mailbox.get_settings() if Capability.SETTINGS in mailbox.capabilities else None
    settings = read_settings(octets)
    identities = identities_in(settings)
    members = [{**member, "id": each.id} for each, member in zip(identities, settings.get(MEMBER, ()), strict=True)]
    if not identities and (login := login_identity(username)):
        identities, members = (login,), [{"id": LOGIN, "email": login.email}]
    return Stored(settings, settings_version(octets), identities, tuple(members))


async def write_stored(mailbox: Backend, stored: Stored, members: Sequence[Member]) -> None:
    """Replace the identities. Raises Changed if the settings were changed meanwhile, and as ``write_settings``."""
    octets = write_settings({**stored.settings, MEMBER: list(members)})
    await mailbox.set_settings(octets, version=stored.version)


def wrong_members(member: Member) -> list[str]:
    """The names of what cannot be stored, as paths: ``email``, ``signature.text``."""
    try:
        StoredIdentity.model_validate(member)
    except ValidationError as error:
        places = (each["loc"] for each in error.errors(include_input=False, include_url=False))
        return list(dict.fromkeys(".".join(str(step) for step in place if isinstance(step, str)) for place in places))
    return []
