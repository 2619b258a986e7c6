"""What an account can do once it has signed in. Nothing in the mailbox is changed."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from service.accounts.live import Credentials
from service.accounts.servers import MailServer
from service.adapters.imap.backend import ImapBackend
from service.adapters.maildir.backend import MaildirBackend
from service.adapters.maildir.sign_in import SignIns
from service.adapters.pop3.backend import Pop3Backend
from service.adapters.pop3.session.dialer import Entry
from service.adapters.pop3.wire.timing import DEFAULT_TIMING
from service.mail.backend import ROLES, Backend
from service.mail.model import Capability, Folder, Protocol, Quota
from service.probe.offers import offered


@dataclass(frozen=True, slots=True)
class Account:
    """``offered`` is what the server said after login, None if it did not say or there is no server; ``capabilities``
    are the API's."""

    offered: frozenset[str] | None
    capabilities: frozenset[Capability]
    folders: int
    roles: tuple[str, ...]
    quotas: Sequence[Quota] = ()


async def _imap(row: MailServer, credentials: Credentials) -> Account:
    backend = ImapBackend(row.endpoint(Protocol.IMAP), credentials, connections=1)
    return await _of(backend, lambda: backend.offered)


async def _maildir(row: MailServer, credentials: Credentials) -> Account:
    return await _of(MaildirBackend(SignIns().sign_in(row, credentials), credentials.account), lambda: None)


async def _of(backend: Backend, offered: Callable[[], frozenset[str] | None]) -> Account:
    try:
        await backend.check()
        folders = await backend.list_folders()
        quotas = await backend.list_quotas() if Capability.QUOTA in backend.capabilities else ()
        return Account(offered(), backend.capabilities, len(folders), _roles(folders), quotas)
    finally:
        await backend.aclose()


def _roles(folders: Sequence[Folder]) -> tuple[str, ...]:
    there = {folder.role for folder in folders}
    return tuple(role for role in ROLES if role in there)


async def _pop3(row: MailServer, credentials: Credentials) -> Account:
    """In one session: a server may make one wait between two logins."""
    session = await Entry(row.endpoint(Protocol.POP3), credentials, DEFAULT_TIMING).sign_in()
    try:
        await session.drop()
        return Account(offered(session.connection), Pop3Backend.capabilities, 1, ("inbox",))
    finally:
        await session.connection.leave()


SIGN_IN: Mapping[Protocol, Callable[[MailServer, Credentials], Awaitable[Account]]] = {
    Protocol.IMAP: _imap,
    Protocol.POP3: _pop3,
    Protocol.MAILDIR: _maildir,
}
"""Tries the login once. Raises MailError."""
