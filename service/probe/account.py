"""What an account can do after login. Nothing in the mailbox is changed."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from service.accounts.credentials import Credentials
from service.accounts.servers import MailServer
from service.adapters.imap.backend import ImapBackend
from service.adapters.maildir.backend import MaildirBackend
from service.adapters.maildir.sign_in import SignIns
from service.adapters.pop3.backend import Pop3Backend
from service.adapters.pop3.session.dialer import Dialer
from service.adapters.pop3.wire.timing import DEFAULT_TIMING
from service.adapters.smtp.session.connection import Connection
from service.adapters.smtp.session.login import sign_in
from service.adapters.smtp.wire.replies import PROTOCOL as SMTP
from service.adapters.smtp.wire.timing import DEFAULT_TIMING as SMTP_TIMING
from service.mail.backend import ROLES, Backend
from service.mail.errors import NotSupported
from service.mail.model import Capability, Folder, Protocol, Quota
from service.probe.capabilities import announced_by, extensions_of

_METADATA = "METADATA works: this mailbox can keep subscriptions of phones (push.dovecot)"
_NO_METADATA = (
    "no METADATA: this server cannot wake phones by itself; Dovecot needs imap_metadata and mail_attribute_dict"
)


@dataclass(frozen=True, slots=True)
class Account:
    """``announced`` are the capabilities of the server after login; None if it announced none, or there is no server.
    ``capabilities`` are those of the API."""

    announced: frozenset[str] | None
    capabilities: frozenset[Capability]
    folders: int
    roles: tuple[str, ...]
    quotas: Sequence[Quota] = ()
    has_metadata: bool | None = None
    """Whether the mailbox keeps what wakes phones; None if its protocol has nothing like it."""

    @property
    def lines(self) -> list[str]:
        """As the report says it."""
        lines = [f"after login: {words(self.announced)}"] if self.announced is not None else []
        lines.append(f"what the API can do with it: {words(self.capabilities)}")
        folders = "1 folder" if self.folders == 1 else f"{self.folders} folders"
        lines.append(f"{folders}; roles: {', '.join(self.roles) or 'none'}")
        lines.append(f"quota: {'; '.join(map(_quota, self.quotas)) or 'none reported'}")
        if self.has_metadata is not None:
            lines.append(_METADATA if self.has_metadata else _NO_METADATA)
        return lines


def _quota(quota: Quota) -> str:
    return f"{quota.resource} {quota.used} of {quota.limit}{' octets' if quota.resource == 'storage' else ''}"


@dataclass(frozen=True, slots=True)
class Sending:
    """What the server offers for sending. The check sends no message. ``limit`` is in octets."""

    announced: frozenset[str]
    limit: int | None

    @property
    def lines(self) -> list[str]:
        """As the report says it."""
        limit = f"{self.limit} octets" if self.limit else "not stated"
        return [f"can send; offered: {words(self.announced)}", f"largest message: {limit}"]


def words(capabilities: frozenset[str] | None) -> str:
    """The capabilities in one line."""
    if capabilities is None:
        return "the server does not say"
    return " ".join(sorted(capabilities)) or "nothing"


async def _imap(row: MailServer, credentials: Credentials) -> Account:
    backend = ImapBackend(row.endpoint(Protocol.IMAP), credentials, connections=1)
    return await _account(backend, lambda: backend.offered, has_metadata=_keeps_notes)


async def _maildir(row: MailServer, credentials: Credentials) -> Account:
    return await _account(MaildirBackend(SignIns().sign_in(row, credentials), credentials.account), lambda: None)


async def _keeps_notes(backend: Backend) -> bool:
    try:
        await backend.get_delivery_note()
    except NotSupported:
        return False
    return True


async def _no_answer(_: Backend) -> None:
    return None


async def _account(
    backend: Backend,
    announced: Callable[[], frozenset[str] | None],
    has_metadata: Callable[[Backend], Awaitable[bool | None]] = _no_answer,
) -> Account:
    try:
        await backend.check()
        folders = await backend.list_folders()
        quotas = await backend.list_quotas() if Capability.QUOTA in backend.capabilities else ()
        metadata = await has_metadata(backend)
        return Account(announced(), backend.capabilities, len(folders), _roles(folders), quotas, metadata)
    finally:
        await backend.aclose()


def _roles(folders: Sequence[Folder]) -> tuple[str, ...]:
    present = {folder.role for folder in folders}
    return tuple(role for role in ROLES if role in present)


async def _pop3(row: MailServer, credentials: Credentials) -> Account:
    """Uses one session, because a server may demand a delay between two logins."""
    session = await Dialer(row.endpoint(Protocol.POP3), credentials, DEFAULT_TIMING).sign_in()
    try:
        await session.maildrop()
        return Account(announced_by(session.connection), Pop3Backend.capabilities, 1, ("inbox",))
    finally:
        await session.connection.leave()


async def _smtp(row: MailServer, credentials: Credentials) -> Sending:
    assert row.smtp is not None
    connection = await Connection.open(row.smtp, SMTP_TIMING)
    try:
        await sign_in(connection, credentials)
        await connection.learn_late()
        return Sending(extensions_of(connection), connection.limit)
    finally:
        connection.leave()
        await connection.wait_closed()


SIGN_IN: Mapping[str, Callable[[MailServer, Credentials], Awaitable[Account | Sending]]] = {
    Protocol.IMAP: _imap,
    Protocol.POP3: _pop3,
    Protocol.MAILDIR: _maildir,
    SMTP: _smtp,
}
"""How to sign in by each protocol. The login is tried once. Raises MailError."""
