"""The table of adapters: how a mailbox of each protocol is opened, and how mail is sent. A new adapter adds a line."""

from collections.abc import Callable, Mapping

from service.accounts.credentials import Credentials
from service.accounts.servers import ServerTable
from service.adapters.imap.backend import ImapBackend
from service.adapters.imap.messages.cache import MessageCache
from service.adapters.imap.sync.news_record import NewsRecords
from service.adapters.maildir.backend import MaildirBackend
from service.adapters.maildir.sign_in import SignIns
from service.adapters.pop3.backend import Pop3Backend
from service.adapters.pop3.wire.timing import Timing
from service.adapters.shared.cache import RowCache
from service.adapters.shared.connection_limit import ConnectionLimits
from service.adapters.smtp.submitter import SmtpSubmitter
from service.mail.backend import Backend
from service.mail.model import Protocol
from service.mail.submission.submitter import Submitter
from service.settings.model import Settings

Adapter = Callable[[Credentials], Backend]


def backends(settings: Settings, servers: ServerTable) -> Mapping[Protocol, Adapter]:
    """Returns the adapter of each protocol, as a function that opens a mailbox.

    Caches and limits that all mailboxes of a protocol share are made here, once.
    """
    return {
        Protocol.IMAP: _imap(settings, servers),
        Protocol.POP3: _pop3(settings, servers),
        Protocol.MAILDIR: _maildir(settings, servers),
    }


def submitters(settings: Settings, servers: ServerTable) -> Callable[[Credentials], Submitter | None]:
    """Returns the function that opens the way to send for an account; it returns None if its server has no SMTP.

    The limit of connections that all accounts of a server share is made here, once.
    """
    hosts = ConnectionLimits(settings.server_connections)

    def open_submitter(credentials: Credentials) -> Submitter | None:
        endpoint = servers.named(credentials.server).smtp
        if endpoint is None:
            return None
        return SmtpSubmitter(endpoint, credentials, host=hosts.named(servers.key_of(credentials.server)))

    return open_submitter


def _imap(settings: Settings, servers: ServerTable) -> Adapter:
    cache, hosts = MessageCache(settings.cache_octets), ConnectionLimits(settings.server_connections)
    news = NewsRecords()

    def open_mailbox(credentials: Credentials) -> Backend:
        key = servers.key_of(credentials.server)
        return ImapBackend(
            servers.named(credentials.server).endpoint(Protocol.IMAP),
            credentials,
            credentials.account,
            connections=settings.account_connections,
            cache=cache,
            host=hosts.named(key),
            news=news.named(key),
        )

    return open_mailbox


def _pop3(settings: Settings, servers: ServerTable) -> Adapter:
    rows = RowCache(Protocol.POP3, settings.cache_octets)
    timing = Timing(
        queue=settings.pop3_wait_seconds, linger=settings.pop3_linger_seconds, session=settings.pop3_session_seconds
    )

    def open_mailbox(credentials: Credentials) -> Backend:
        endpoint = servers.named(credentials.server).endpoint(Protocol.POP3)
        return Pop3Backend(endpoint, credentials, credentials.account, timing, rows)

    return open_mailbox


def _maildir(settings: Settings, servers: ServerTable) -> Adapter:
    rows, sign_ins = RowCache(Protocol.MAILDIR, settings.cache_octets), SignIns()

    def open_mailbox(credentials: Credentials) -> Backend:
        sign_in = sign_ins.sign_in(servers.named(credentials.server), credentials)
        return MaildirBackend(sign_in, credentials.account, rows)

    return open_mailbox
