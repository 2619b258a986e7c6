"""The addresses that an account sends from: those of its settings, else its username if that is an address."""

from collections.abc import Sequence

import structlog
from cachetools import TTLCache

from service.mail.backend import Backend
from service.mail.errors import MailError
from service.mail.model import Address, Capability, Message
from service.mail.submission.model import Identity, NewDraft
from service.personal.settings import identities_in, read_settings

LOGIN = "login"
"""The id of the identity that stands for the username."""
KEPT_SECONDS = 60.0
"""How old the identities may be that a draft is written with, if another replica has changed them."""
_KEPT = 1000
_log = structlog.get_logger("service.personal.identities")


def login_identity(username: str) -> Identity | None:
    """The address that the username is, if it is one."""
    local, at, domain = username.rpartition("@")
    return Identity(id=LOGIN, email=username) if at and local and domain else None


class Identities:
    """The identities of the accounts that were used lately."""

    def __init__(self) -> None:
        self._known: TTLCache[str, tuple[Identity, ...]] = TTLCache(_KEPT, KEPT_SECONDS)

    async def read(self, mailbox: Backend, username: str) -> tuple[Identity, ...]:
        """The identities, the default one first. The round trips of ``get_settings``."""
        await mailbox.check()
        stored = await mailbox.get_settings() if Capability.SETTINGS in mailbox.capabilities else None
        login = login_identity(username)
        found = identities_in(read_settings(stored)) or ((login,) if login else ())
        self._known[mailbox.account] = found
        return found

    async def known(self, mailbox: Backend, username: str) -> tuple[Identity, ...]:
        """As ``read``, but at most ``KEPT_SECONDS`` old. If the settings cannot be read, a draft is written as if there
        were none."""
        found = self._known.get(mailbox.account)
        if found is not None:
            return found
        try:
            return await self.read(mailbox, username)
        except MailError as error:
            _log.warning("identities could not be read", error=type(error).__name__)
            login = login_identity(username)
            return (login,) if login else ()

    def forget(self, account: str) -> None:
        """The settings were changed."""
        self._known.pop(account, None)


def with_identity(draft: NewDraft, identities: Sequence[Identity], original: Message | None = None) -> NewDraft:
    """The draft, from one of these identities: the one that it names, else the one that the original was sent to, else
    the default. The identity gives the name and Reply-To that the draft does not have."""
    identity = _chosen(draft, identities, original)
    if identity is None:
        return draft
    changes: dict[str, object] = {}
    if draft.from_ is None or draft.from_.name is None:
        email = draft.from_.email if draft.from_ else identity.email
        changes["from_"] = Address(name=identity.name, email=email)
    if identity.reply_to and "reply_to" not in draft.given:
        changes["reply_to"] = identity.reply_to
    return draft.model_copy(update=changes)


def _chosen(draft: NewDraft, identities: Sequence[Identity], original: Message | None) -> Identity | None:
    if draft.from_ is not None:
        return _named([draft.from_], identities)
    named = _named([*original.to, *original.cc], identities) if original else None
    return named or next(iter(identities), None)


def _named(addresses: Sequence[Address], identities: Sequence[Identity]) -> Identity | None:
    emails = {address.email.lower() for address in addresses}
    return next((identity for identity in identities if identity.email.lower() in emails), None)
