"""What a configuration will do, in the order in which ``casella serve`` does it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from service.accounts.revocation import PATIENCE
from service.accounts.servers import MailServer, ServerTable
from service.probe.line import Line
from service.settings.model import Settings
from service.settings.shown import given_variables

_STORE_ADVICE = "Check `rates.url`, whether Redis runs, and in a cluster the network policy."

_DATABASE_ADVICE = (
    "Check `store.url`, whether the database runs, its user's password, and in a cluster the network policy."
)


_FILE_ADVICE = (
    "Check the path in `store.url`: an absolute one comes after three slashes, as in sqlite:////PATH. Casella's user"
    " has to be able to write into its folder."
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the machine says about it."""

    file: str | None
    clients: int
    """How many clients the open files suffice for."""
    metrics_fault: str | None = None
    """Why the port of the metrics cannot be opened now."""


async def plan(settings: Settings, table: ServerTable, around: Surroundings) -> AsyncIterator[Line]:
    """The lines of the report. Raises nothing, and shows no secret."""
    yield _sources(around)
    yield _keys(settings)
    for line in _sign_in(settings, table):
        yield line
    async for line in _store(settings):
        yield line
    yield _push(settings)
    async for line in _database(settings):
        yield line
    yield _metrics(settings, around)
    for line in _clients(settings, around):
        yield line


def _sources(around: Surroundings) -> Line:
    variables = given_variables()
    sources = [around.file] if around.file else []
    if variables:
        sources.append(", ".join(variables))
    return Line(f"settings are read from {' and '.join(sources)}" if sources else "all settings have their defaults")


def _keys(settings: Settings) -> Line:
    days = settings.session_seconds / 86400
    lives = f"a session lives {days:.3g} days" if days >= 1 else f"a session lives {settings.session_seconds} seconds"
    match len(settings.secret_keys):
        case 0:
            return Line(
                "no key is set (CASELLA_SECRET_KEYS): sessions end with the process, and no other replica accepts them",
                "!",
            )
        case 1:
            return Line(f"sessions are sealed by one key; {lives}")
        case number:
            return Line(f"sessions are sealed by the first of {number} keys, and all of them open; {lives}")


def _sign_in(settings: Settings, table: ServerTable) -> Iterator[Line]:
    for server in table:
        if server.domains:
            yield Line(f"users of {', '.join(sorted(server.domains))} sign in on {_described(server)}")
        elif server is not table.default:
            yield Line(f"{_described(server)} is used by clients that name it")
    if table.default is None:
        yield Line("all other users are refused, unless they name a server: there is no default_server")
    elif settings.default_server:
        yield Line(f"all other users sign in on {_described(table.default)}, which is default_server")
    else:
        yield Line(f"all users sign in on {_described(table.default)}: it is the only server and states no domains")
    if settings.any_server:
        yield Line("clients may name any public host as their server, on the ports of IMAP and POP3 and with TLS", "!")


def _described(server: MailServer) -> str:
    protocols = " and ".join(protocol.upper() for protocol in server.protocols)
    return f"{server.name} ({protocols}, {'sends' if server.smtp else 'cannot send'})"


async def _store(settings: Settings) -> AsyncIterator[Line]:
    if settings.rates.url is None:
        yield Line("no rates.url: each process counts refused logins, and knows ended sessions, for itself", "!")
        return
    try:
        from service.accounts.redis_store import RedisStore  # noqa: PLC0415 - the client is an extra

        store = RedisStore(settings.rates.url.get_secret_value(), max(PATIENCE, 2.0))
        try:
            await store.has("check")
        finally:
            await store.aclose()
    except (OSError, ValueError, ModuleNotFoundError) as error:
        reason = type(error).__name__ if isinstance(error, ValueError) else error
        yield Line(f"the Redis of rates.url cannot be used: {reason}", "✗")
        yield Line(f"  do: {_STORE_ADVICE}")
        return
    yield Line("all replicas share refused logins and ended sessions in the Redis of rates.url")


def _push(settings: Settings) -> Line:
    if settings.push.dovecot is None:
        return Line("no push.dovecot: phones are not woken by what a mail server reports")
    servers = ", ".join(settings.push.dovecot.servers) or "each server that has METADATA"
    if not settings.secret_keys:
        return Line(f"phones are woken for {servers}, until this process ends: no key is set", "!")
    return Line(f"phones are woken for {servers}; --login USER says whether METADATA works")


async def _database(settings: Settings) -> AsyncIterator[Line]:
    """Looks whether it answers, and changes nothing."""
    if settings.store.url is None:
        return
    from service.store.database import Database  # noqa: PLC0415 - its libraries are an extra

    database = Database(settings.store.url.get_secret_value())
    fault = await database.fault()
    await database.aclose()
    if fault is not None:
        yield Line(f"the database of store.url cannot be used: {fault}", "✗")
        yield Line(f"  do: {_DATABASE_ADVICE if database.is_shared else _FILE_ADVICE}")
        return
    kind = "PostgreSQL, which replicas share" if database.is_shared else "SQLite file, for a single process"
    yield Line(f"mailboxes are watched for sleeping phones; the store is a {kind}")


def _metrics(settings: Settings, around: Surroundings) -> Line:
    if settings.metrics_port is None:
        public = "every client can read them on the API's port" if settings.metrics_public else "they are not served"
        return Line(f"no metrics_port: {public}", "!")
    if around.metrics_fault:
        return Line(f"{around.metrics_fault} If Casella already runs here, that is as it should be.", "!")
    return Line(f"metrics are served on {settings.metrics_host}, port {settings.metrics_port}")


def _clients(settings: Settings, around: Surroundings) -> Iterator[Line]:
    if around.clients < settings.max_connections:
        yield Line(
            f"{around.clients} clients at once, as the limit of open files allows; max_connections has more", "!"
        )
    else:
        yield Line(f"{around.clients} clients at once")
    origins = ", ".join(map(str, settings.allowed_origins))
    yield Line(
        f"web pages of {origins} may call the API" if origins else "no web page of another origin may call the API"
    )
    proxies = ", ".join(map(str, settings.trusted_proxies))
    yield Line(
        f"the proxies {proxies} say who the client is" if proxies
        else "no trusted_proxies: behind a proxy, all clients would count as one", "✓" if proxies else "!",
    )  # fmt: skip
    yield Line(f"on SIGTERM, requests are accepted for {settings.drain_seconds:g} seconds more")
