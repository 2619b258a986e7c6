"""The composition root: the only file that knows everybody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from secrets import token_bytes

import structlog
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.cors import CORSMiddleware

from service import __version__
from service.accounts import Accounts, Credentials
from service.adapters.imap.backend import ImapBackend
from service.adapters.imap.rows import Rows
from service.adapters.pop3.backend import Pop3Backend
from service.api import accounts, content, contract, flags, folders, health, messages, problems, sessions, writing
from service.api.caller import Service
from service.api.edge import EXPOSED, Edge
from service.api.idempotency import Repeats
from service.config import KEY_OCTETS, Settings
from service.mail.backend import Backend
from service.mail.model import Protocol
from service.rates import Rates
from service.servers import ServerTable
from service.sessions import Sessions

_DESCRIPTION = """
One HTTP/JSON API in front of any mailbox, by IMAP or POP3. Sign in with the mailbox's own credentials: by Basic on any
request, or once with `POST /v1/sessions` for a token. What a mailbox cannot do is answered 501 with the `capability`
it lacks; every error is `application/problem+json`.
"""
_log = structlog.get_logger("service.app")


def create_app(settings: Settings, table: ServerTable | None = None) -> FastAPI:
    """The application; ``table`` stands in for the settings' servers where they are made at run time (the demo)."""
    servers = table or settings.server_table()

    def open_backend(credentials: Credentials) -> Backend:
        endpoint = servers.named(credentials.server).endpoint(credentials.protocol)
        if credentials.protocol is Protocol.POP3:
            return Pop3Backend(endpoint, credentials, credentials.account)
        return ImapBackend(
            endpoint, credentials, credentials.account, connections=settings.account_connections, rows=rows
        )

    rows = Rows(settings.cache_octets)
    url = settings.rates.url
    rates = Rates(settings.rates.bounds(), url.get_secret_value() if url else None)

    keys = [key.get_secret_value() for key in settings.secret_keys]
    if not keys:
        keys = [token_bytes(KEY_OCTETS)]
        _log.warning("no secret_keys: session tokens end with this process, and no other replica opens them")
    service = Service(
        servers,
        Accounts(open_backend, settings.account_idle_seconds),
        Sessions(keys, settings.session_seconds),
        Repeats(),
        rates,
        settings.public_url,
    )
    app = FastAPIOffline(
        title="Casella",
        version=__version__,
        summary="Any mailbox over HTTP.",
        description=_DESCRIPTION,
        lifespan=_lifespan,
        generate_unique_id_function=contract.operation_id,
        license_info={"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        redirect_slashes=False,
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    app.state.service = service
    app.state.is_ready = False
    problems.install(app)
    for module in (sessions, accounts, folders, messages, writing, flags, content, health):
        app.include_router(module.router)
    app.include_router(writing.appending, max_body_size=settings.max_message_octets)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=settings.max_body_octets)
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
            max_age=3600,
        )
    app.add_middleware(Edge, rates=rates, access_log=settings.access_log)
    app.openapi = lambda: contract.build(app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    sweep = asyncio.create_task(service.accounts.sweep())
    app.state.is_ready = True
    try:
        yield
    finally:
        app.state.is_ready = False
        sweep.cancel()
        with suppress(asyncio.CancelledError):
            await sweep
        await service.accounts.aclose()
        await service.rates.aclose()
