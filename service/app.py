"""The composition root: the only module that knows all the others."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from secrets import token_bytes
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import structlog
from fastapi import FastAPI, Request
from fastapi.telemetry import TelemetryConfig
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.cors import CORSMiddleware

from service import __version__
from service.accounts.credentials import Credentials
from service.accounts.live import Accounts
from service.accounts.rates import Rates
from service.accounts.revocation import PATIENCE, Revocations, Store
from service.accounts.servers import ServerTable
from service.accounts.states import States
from service.accounts.tokens import Sessions
from service.api import problems
from service.api.deps import Service, caller_of, is_sealed, opened, require_live, session_of, until_sent
from service.api.downloads import respond
from service.api.events.streams import EventStreams
from service.api.idempotency import IdempotencyStore
from service.api.middleware.compression import Compression
from service.api.middleware.errors import ErrorMiddleware
from service.api.middleware.requests import EXPOSED, RequestMiddleware, is_watched
from service.api.openapi import build as contract
from service.api.routes import (
    accounts,
    actions,
    changes,
    drafts,
    events,
    flags,
    folders,
    health,
    messages,
    parts,
    people,
    settings,
    submissions,
)
from service.api.routes.signing_in import discovery, oauth, sessions
from service.api.routes.transfers import fetches, imports
from service.api.routes.waking import hooks, subscriptions
from service.api.sending import Sender
from service.backends import backends, submitters
from service.discovery.finding import Discovery
from service.fetchers import Fetchers
from service.jmap.core.limits import Limits
from service.jmap.host import Host
from service.jmap.routes import Jmap
from service.mail.backend import Backend
from service.mail.submission.model import Identity
from service.oauth.grants import Grants
from service.oauth.issuer import TokenClient
from service.push.model import Pusher
from service.pushers import push_of
from service.settings.model import KEY_OCTETS, Settings
from service.site import routes as site
from service.submission.copies import Filing
from service.telemetry import metrics
from service.watchers import Watchers, shared_states, store_of
from service.web import routes as web

if TYPE_CHECKING:
    from service.discovery.network import Network
    from service.fetches.fetching import Fetching
    from service.push.watch.watching import Watching

_DESCRIPTION = """
An HTTP/JSON API for any mailbox: over IMAP, over POP3 or on disk. Sign in with the mailbox's own credentials, either
with Basic on every request, or once with `POST /v1/sessions`, which returns a token. A request that needs a capability
that the mailbox does not have is answered 501 with the name of the `capability`. Every error is
`application/problem+json`.

The service also has guides at [/guides](guides): getting started, search, synchronization, errors and more.
"""
_TELEMETRY: TelemetryConfig = {
    "auto_configure": True,  # by OTEL_EXPORTER_OTLP_ENDPOINT and related variables; without them there are no traces
    "metrics": False,  # Prometheus has them
    "logs": False,  # they would contain the texts of exceptions
    "operation_spans": False,
    "exclude": lambda scope: not is_watched(scope["path"]),
}
_log = structlog.get_logger("service.app")


def create_app(settings: Settings, table: ServerTable | None = None, pusher: Pusher | None = None) -> FastAPI:
    """Returns the application. ``table`` replaces the servers of the settings: the demo makes its own at run time.
    ``pusher`` wakes devices."""
    servers = table or settings.server_table()
    adapters = backends(settings, servers)

    def open_backend(credentials: Credentials) -> Backend:
        return adapters[credentials.protocol](credentials)

    url = settings.rates.url.get_secret_value() if settings.rates.url else None
    rates = Rates(settings.rates.bounds(), url, servers.key_of)

    keys = [key.get_secret_value() for key in settings.secret_keys]
    if not keys:
        keys = [token_bytes(KEY_OCTETS)]
        _log.warning("no secret_keys: session tokens end with this process, and no other replica accepts them")
    if servers.default and not settings.default_server:
        _log.info("the only server states no domains: every username is sent to it", server=servers.default.name)
    store = store_of(settings, keys)
    watchers, fetchers = Watchers(store), Fetchers(store)
    service = Service(
        servers,
        Accounts(open_backend, settings.account_idle_seconds, submitters(settings, servers)),
        Sessions(keys, settings.session_seconds),
        IdempotencyStore(),
        EventStreams(),
        rates,
        Revocations(_store(url) if url else None),
        filing=Filing(_filing(servers)),
        grants=Grants(_issuers(settings), settings.session_seconds, shared_states(store)),
        discovery=Discovery(servers, _network(settings, servers)),
        push=push_of(settings, keys, watchers.keeper, pusher),
        fetches=fetchers.desk,
        max_recipients=settings.max_recipients,
        max_body_octets=settings.max_body_octets,
        public_url=settings.public_url,
    )
    app = FastAPI(
        title="Casella",
        version=__version__,
        summary="Any mailbox over HTTP.",
        description=_DESCRIPTION,
        lifespan=_lifespan,
        license_info={"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        openapi_url=None,  # the site has it, and pages of its own
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_TELEMETRY,
    )
    app.state.service = service
    watchers.join(settings, service, service.push.pusher)
    fetchers.join(settings, service, watchers.watching)
    app.state.watching, app.state.fetching = watchers.watching, fetchers.fetching
    app.state.is_ready = False
    app.state.has_page = settings.page
    problems.install(app)
    _add_routes(app, settings.max_message_octets, _jmap(service, keys, settings))
    if settings.page:
        app.router.routes.extend(web.router.routes)
    if settings.metrics_public:
        app.include_router(health.metrics)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=settings.max_body_octets)
    app.add_middleware(Compression)
    app.add_middleware(ErrorMiddleware, rates=rates)
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
            max_age=3600,
        )
        app.add_middleware(ErrorMiddleware)
    app.add_middleware(RequestMiddleware, access_log=settings.access_log)
    app.openapi = lambda: contract.build(app)  # type: ignore[method-assign]
    return app


def _add_routes(app: FastAPI, max_upload: int, jmap: Jmap) -> None:
    """Routes are tried in this order, so the most frequent come first. Those of included routers are searched twice, so
    only uploads, which have a limit of their own, are included."""
    for module in (messages, flags, parts, folders, changes):
        app.router.routes.extend(module.router.routes)
    app.router.routes.extend(jmap.router.routes)
    for uploads in (jmap, submissions, drafts, actions):
        app.include_router(uploads.uploading, max_body_size=max_upload)
    for module in (
        actions,
        drafts,
        submissions,
        settings,
        people,
        imports,
        fetches,
        accounts,
        events,
        subscriptions,
        hooks,
        sessions,
        discovery,
        oauth,
        health,
        site,
    ):
        app.router.routes.extend(module.router.routes)


def _jmap(service: Service, keys: Sequence[bytes], settings: Settings) -> Jmap:
    """JMAP signs in, sends and downloads as the REST API does."""
    return Jmap(
        Host(
            caller=caller_of,
            mailbox=lambda request, caller: until_sent(request, opened(request, caller, is_sealed=is_sealed(request))),
            identities=_identities,
            forget_identities=service.identities.forget,
            sending=lambda request, caller, mailbox: Sender(request, caller, mailbox).outbox(),
            respond=respond,
            require_live=lambda request: require_live(request, session_of(request)),
            count=service.rates.account,
            states=States(keys),
            streams=service.streams,
            limits=Limits(settings.max_body_octets, settings.max_message_octets),
            public_url=service.public_url,
        )
    )


async def _identities(request: Request, caller: Credentials, mailbox: Backend) -> Sequence[Identity]:
    """The addresses that an account sends from."""
    return await Sender(request, caller, mailbox).identities()


def _filing(servers: ServerTable) -> dict[str, bool]:
    """The servers of which the operator says whether they file copies of what is sent."""
    sending = {server.name: server.smtp for server in servers}
    return {name: smtp.files_sent for name, smtp in sending.items() if smtp and smtp.files_sent is not None}


def _issuers(settings: Settings) -> Mapping[str, TokenClient]:
    issuers = settings.issuers()
    if not issuers:
        return {}
    from service.oauth.client import IssuerClient  # noqa: PLC0415 - its libraries are an extra

    return {issuer.name: IssuerClient(issuer) for issuer in issuers}


def _network(settings: Settings, servers: ServerTable) -> "Network | None":
    """What discovery reads of domains that are in no table; None unless the operator allows it."""
    if not (servers.address_policy or settings.discovery_mx):
        return None
    if any(find_spec(name) is None for name in ("defusedxml", "dns", "httpx2")):
        _log.warning("discovery answers from its tables alone: pip install 'casella[discovery]'")
        return None
    from service.discovery.dns_records import Records  # noqa: PLC0415 - the libraries are an extra
    from service.discovery.fetching import Fetcher  # noqa: PLC0415
    from service.discovery.network import Network, Reach  # noqa: PLC0415

    policy = servers.address_policy
    if policy is None:
        return Network(Records())
    reach = Reach(policy, lambda listener: servers.at(listener.host, listener.port) is not None)
    return Network(Records(), Fetcher(policy), reach)


def _store(url: str) -> Store:
    from service.accounts.redis_store import RedisStore  # noqa: PLC0415 - the client is an extra

    return RedisStore(url, PATIENCE)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    watching: Watching | None = app.state.watching
    fetching: Fetching | None = app.state.fetching
    tasks = [
        asyncio.create_task(work)
        for work in (
            service.accounts.sweep(),
            metrics.watch_loop(),
            service.rates.watch(),
            service.push.work(),
            *(standing.run() for standing in (watching, fetching) if standing),
        )
    ]
    # anyio loads most of itself on first use: 30 ms of delay for the first request, if not done here.
    await anyio.lowlevel.checkpoint()
    app.state.is_ready = True
    try:
        yield
    finally:
        app.state.is_ready = False
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for standing in (fetching, watching):
            if standing is not None:
                await standing.aclose()
        await service.push.aclose()
        await service.accounts.aclose()
        await service.discovery.aclose()
        await service.grants.aclose()
        await service.rates.aclose()
        await service.revocations.aclose()
