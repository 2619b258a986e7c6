"""The program ``casella`` with its commands."""

import json
from typing import Annotated

import typer

from service import __version__
from service.app import create_app
from service.cli.check import check
from service.cli.demo import demo
from service.cli.importing import import_
from service.cli.serve import serve
from service.settings.model import Settings
from service.telemetry import logs

app = typer.Typer(
    name="casella", help="One HTTP/JSON API in front of any mailbox.", no_args_is_help=True, add_completion=False
)
app.command()(serve)
app.command()(demo)


@app.command()
def openapi() -> None:
    """Print the OpenAPI contract. It does not depend on the settings."""
    logs.configure("ERROR")
    typer.echo(json.dumps(create_app(Settings.model_construct()).openapi(), indent=2, ensure_ascii=False))


app.command()(check)
app.command(name="import")(import_)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """One HTTP/JSON API in front of any mailbox."""
