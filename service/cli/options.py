"""The options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from service.http.workers import CONFIG
from service.settings.model import Settings

Config = Annotated[
    Path | None,
    typer.Option("--config", envvar=CONFIG, help="TOML file with the server table and all settings."),
]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")]
MetricsPort = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Separate port for /metrics, instead of the setting metrics_port."),
]
MetricsHost = Annotated[
    str | None, typer.Option(help="Address for /metrics, instead of the setting metrics_host (127.0.0.1).")
]


def with_metrics(settings: Settings, host: str | None, port: int | None) -> Settings:
    """Returns the settings with the address of the metrics from the command line, if it is given there."""
    options = {"metrics_host": host, "metrics_port": port}
    return settings.model_copy(update={name: value for name, value in options.items() if value is not None})
