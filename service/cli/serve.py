"""``casella serve``."""

from typing import Annotated

import structlog
import typer

from service.cli.configuration import settings_of
from service.cli.options import Config, Host, MetricsHost, MetricsPort, Port, with_metrics
from service.http import run as serving
from service.http.ports import PortUnavailable
from service.settings import errors as setting_errors
from service.settings.shown import effective
from service.telemetry import logs

_log = structlog.get_logger("service.cli")


def serve(
    config: Config = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the port. Each uses one core.")] = 1,
    metrics_host: MetricsHost = None,
    metrics_port: MetricsPort = None,
) -> None:
    """Serve the API for the mail servers of the configuration."""
    settings = with_metrics(settings_of(config), metrics_host, metrics_port)
    logs.configure(settings.log_level)
    _log.debug("effective settings", **effective(settings))
    for line in setting_errors.unknown():
        _log.warning(line)
    if not (settings.servers or settings.any_server):
        typer.echo(
            "No mail server is configured: give --config FILE with a [servers.NAME] table (see README).", err=True
        )
        raise typer.Exit(2)
    if workers > 1 and not settings.secret_keys:
        typer.echo("Several workers need common secret_keys, or each would refuse the tokens of the others.", err=True)
        raise typer.Exit(2)
    if workers > 1 and settings.store.url and settings.store.url.get_secret_value().startswith("sqlite:"):
        _log.warning("store.url names SQLite, which is for a single process: workers notice subscriptions late")
    if workers > 1 and settings.rates.url is None:
        _log.warning("no rates.url: a session that is ended stays valid in the other workers until its token expires")
    try:
        serving.serve(settings, config, host, port, workers)
    except PortUnavailable as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
