"""``casella import``."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from service.accounts.credentials import Credentials
from service.backends import backends
from service.cli.configuration import no_server, settings_of
from service.cli.options import Config
from service.cli.passwords import password_of
from service.mail.errors import MailError, NotFound
from service.mail.model import Protocol
from service.telemetry import logs
from service.transfer.model import Options

_FROM_PASSWORD = "CASELLA_FROM_PASSWORD"  # noqa: S105 - the variable's name
_TO_PASSWORD = "CASELLA_TO_PASSWORD"  # noqa: S105


def import_(
    source: Annotated[str, typer.Argument(metavar="FROM", help="Login of the mailbox to copy from.")],
    destination: Annotated[str, typer.Argument(metavar="TO", help="Login of the mailbox to copy into.")],
    config: Config = None,
    from_server: Annotated[
        str | None, typer.Option(help="Mail server of FROM: a name of the configuration; a host if there is none.")
    ] = None,
    to_server: Annotated[str | None, typer.Option(help="Mail server of TO, in the same way.")] = None,
    from_protocol: Annotated[str | None, typer.Option(help="imap, pop3 or maildir; by default what there is.")] = None,
    folder: Annotated[
        list[str] | None, typer.Option(help="Role or id of a folder of FROM, again for more. By default all.")
    ] = None,
    into: Annotated[str | None, typer.Option(help="Role or id of the folder of TO that gets all messages.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only messages that were received since then (UTC).")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Copy nothing, and say what would be copied.")] = False,
    delete_source: Annotated[
        bool, typer.Option("--delete-source", help="Delete messages from FROM whose copies were read back unaltered.")
    ] = False,
) -> None:
    """Copy the mail of one mailbox into another.

    What is there already is not copied again, so it can be broken off at any moment and run again. The passwords are
    read from CASELLA_FROM_PASSWORD and CASELLA_TO_PASSWORD, or asked for; without a terminal they are the first two
    lines of the input. The exit code is 1 if something could not be copied.
    """
    from rich.console import Console  # noqa: PLC0415 - 60 ms that other commands need not take

    from service.cli.progress import explain, run_import  # noqa: PLC0415

    settings = settings_of(config)
    if not (settings.servers or settings.any_server):
        settings = settings.model_copy(update={"any_server": True})
    logs.configure("ERROR")
    table = settings.server_table()
    adapters = backends(settings, table)
    start = since.replace(tzinfo=UTC) if since else None
    options = Options(tuple(folder) if folder else None, into, start, dry_run, delete_source)
    try:
        rows = table.pick(source, from_server), table.pick(destination, to_server)
        protocol = Protocol(from_protocol.lower()) if from_protocol else rows[0].protocol
        rows[0].require(protocol)
    except NotFound as error:
        typer.echo(no_server(error, table, "--from-server and --to-server"), err=True)
        raise typer.Exit(2) from None
    except (MailError, ValueError) as error:
        typer.echo(error.detail if isinstance(error, MailError) else "There is no such protocol.", err=True)
        raise typer.Exit(2) from None
    old = Credentials(rows[0].name, protocol, source, password_of(_FROM_PASSWORD, f"Password of {source}"))
    new = Credentials(
        rows[1].name, rows[1].protocol, destination, password_of(_TO_PASSWORD, f"Password of {destination}")
    )
    console = Console()
    try:
        code = asyncio.run(run_import(adapters.__getitem__, old, new, options, console))
    except MailError as error:
        typer.echo(explain(error), err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("Broken off. The same command goes on.", err=True)
        raise typer.Exit(130) from None
    raise typer.Exit(code)
