"""``casella check``."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine, Sequence
from pathlib import Path
from typing import Annotated

import typer

from service import probe
from service.cli.configuration import no_server, settings_of, warn_of_unknown_variables
from service.cli.options import Config
from service.cli.passwords import password_of
from service.http.metrics_port import MetricsAddress
from service.http.open_files import affordable
from service.http.ports import PortUnavailable
from service.mail.errors import MailError
from service.probe.line import Line
from service.probe.plan import Surroundings, plan
from service.settings.model import Settings
from service.telemetry import logs

_PASSWORD = "CASELLA_CHECK_PASSWORD"  # noqa: S105 - the variable's name


def check(
    config: Config = None,
    login: Annotated[
        str | None,
        typer.Option(
            help="Sign in as this user, on the server that serves the user's domain. The password is read from"
            f" {_PASSWORD}, or asked for."
        ),
    ] = None,
    server: Annotated[str | None, typer.Option(help="Try this server only, and sign in there.")] = None,
) -> None:
    """Say what the configuration will do, in order. Then try each mail server and each issuer of tokens: what it
    supports, or why it cannot be used and what to do.

    A line begins with ✓ if all is well, ! if there is something to know, and ✗ if it failed. The exit code is 1 if
    anything failed.
    """
    settings = settings_of(config)
    warn_of_unknown_variables()
    logs.configure("ERROR")
    table = settings.server_table()
    try:
        rows = [table.named(server)] if server else list(table)
        login_server = table.pick(login, server) if login else None
    except MailError as error:
        typer.echo(no_server(error, table, "--server"), err=True)
        raise typer.Exit(2) from None
    if not rows:
        typer.echo("No mail server is configured, so there is nothing to check: give --config FILE.", err=True)
        raise typer.Exit(2)
    credentials = probe.Login(login, password_of(_PASSWORD)) if login else None
    before = None if server else plan(settings, table, _surroundings(settings, config))
    issuers = [issuer for issuer in settings.issuers() if server is None or issuer.name in {row.oauth for row in rows}]
    described = [probe.describe(row, credentials if row is login_server else None) for row in rows]
    described += [probe.describe_issuer(issuer) for issuer in issuers]
    raise typer.Exit(asyncio.run(_check_all(before, described)))


def _surroundings(settings: Settings, config: Path | None) -> Surroundings:
    fault = None
    try:
        if metrics := MetricsAddress.of(settings):
            metrics.require_free(0)
    except PortUnavailable as error:
        fault = str(error)
    return Surroundings(str(config) if config else None, affordable(settings.max_connections), fault)


async def _check_all(before: AsyncIterator[Line] | None, described: Sequence[Coroutine[None, None, list[Line]]]) -> int:
    """Checks all servers and issuers concurrently, prints the plan and then the results in their order, and returns the
    exit code."""
    checks = [asyncio.create_task(each) for each in described]
    failures = 0
    async for line in _lines(before, checks):
        failures += not line.is_good
        typer.echo(line)
    return 1 if failures else 0


async def _lines(before: AsyncIterator[Line] | None, checks: Sequence[Awaitable[list[Line]]]) -> AsyncIterator[Line]:
    """As soon as they are known."""
    if before is not None:
        async for line in before:
            yield line
    for check in checks:
        for line in await check:
            yield line
