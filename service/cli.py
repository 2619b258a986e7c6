"""``casella serve``, ``casella demo``, ``casella check``, ``casella openapi``."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_bytes
from socket import socket
from ssl import SSLError
from typing import Annotated

import structlog
import typer
import uvicorn
from pydantic import SecretBytes, ValidationError

from service import __version__, probe
from service.accounts.servers import Endpoint, MailServer, Security, ServerTable
from service.app import create_app
from service.http import run as serving
from service.http.metrics_port import Place, Unbindable
from service.mail.errors import MailError
from service.settings import errors as setting_errors
from service.settings.model import KEY_OCTETS, Settings, read_settings
from service.telemetry import logs

app = typer.Typer(
    name="casella", help="One HTTP/JSON API in front of any mailbox.", no_args_is_help=True, add_completion=False
)

Config = Annotated[
    Path | None,
    typer.Option("--config", envvar=serving.CONFIG, help="TOML file with the server table and all settings."),
]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")]
_log = structlog.get_logger("service.cli")
MetricsPort = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Port of its own for /metrics, instead of the setting metrics_port."),
]
MetricsHost = Annotated[
    str | None, typer.Option(help="Address for /metrics, instead of the setting metrics_host (127.0.0.1).")
]
_PASSWORD = "CASELLA_CHECK_PASSWORD"  # noqa: S105 - the variable's name
_WELCOME = """
Casella shows a demo mailbox of {count} messages on {url}
Login and password: {login}    Reference: {url}/docs    End: Ctrl-C

  curl -s -u {login} {url}/v1/accounts/me
  curl -s -u {login} {url}/v1/accounts/me/folders
  curl -s -u {login} "{url}/v1/accounts/me/folders/inbox/messages?limit=3&unread=true"
  curl -s -u {login} "{url}/v1/accounts/me/folders/inbox/messages?limit=3&subject=%C3%9Cbersicht"
  curl -s -u {login} -H "Casella-Protocol: pop3" "{url}/v1/accounts/me/folders/inbox/messages?limit=3"
"""


def _settings(config: Path | None) -> Settings:
    """The settings, or a list of what is wrong with them and exit code 2."""
    return _sound(lambda: read_settings(config), config)


def _sound(read: Callable[[], Settings], config: Path | None = None) -> Settings:
    try:
        settings = read()
        _load_authorities(settings)
    except ValidationError as wrong:
        lines = setting_errors.describe(wrong, config)
    except FileNotFoundError as missing:
        lines = [f"There is no file {missing.filename or missing}."]
    except OSError as error:
        lines = [f"{error.filename or config} cannot be read: {error.strerror or error}."]
    except ValueError as wrong:
        lines = [f"{config} is no TOML: {wrong}"]
    else:
        return settings
    for line in lines:
        typer.echo(line, err=True)
    raise typer.Exit(2)


def _load_authorities(settings: Settings) -> None:
    """OSError for a ``ca_file`` that is not there or holds no certificate: now, rather than at the first sign-in."""
    for name, row in settings.servers.items():
        for listener in (row.imap, row.pop3, row.smtp):
            if listener and listener.ca_file:
                try:
                    listener.endpoint(name).tls_context()
                except SSLError as error:
                    raise OSError(error.errno, "no certificate in it", str(listener.ca_file)) from None
                except OSError as error:
                    raise OSError(error.errno, error.strerror, str(listener.ca_file)) from None


def _warn_of_unknown() -> None:
    for line in setting_errors.unknown():
        typer.echo(line, err=True)


@app.command()
def serve(
    config: Config = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the port. One uses one core.")] = 1,
    metrics_host: MetricsHost = None,
    metrics_port: MetricsPort = None,
) -> None:
    """Serve the API for the mail servers of the configuration."""
    settings = _scraped(_settings(config), metrics_host, metrics_port)
    logs.configure(settings.log_level)
    for line in setting_errors.unknown():
        _log.warning(line)
    if not (settings.servers or settings.any_server):
        typer.echo(
            "No mail server is configured: give --config FILE with a [servers.NAME] table (see README).", err=True
        )
        raise typer.Exit(2)
    if workers > 1 and not settings.secret_keys:
        typer.echo("Several workers need secret_keys in common, or each would refuse the others' tokens.", err=True)
        raise typer.Exit(2)
    if workers > 1 and settings.rates.url is None:
        _log.warning("no rates.url: a session that is ended goes on in the other workers until its token expires")
    try:
        serving.serve(settings, config, host, port, workers)
    except Unbindable as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


def _scraped(settings: Settings, host: str | None, port: int | None) -> Settings:
    """The settings, with what the command line says of the metrics."""
    said = {"metrics_host": host, "metrics_port": port}
    return settings.model_copy(update={name: value for name, value in said.items() if value is not None})


@app.command()
def demo(
    host: Host = "127.0.0.1", port: Port = 8000, metrics_host: MetricsHost = None, metrics_port: MetricsPort = None
) -> None:
    """Serve an embedded demo mailbox, by IMAP and by POP3. Needs nothing else; Ctrl-C ends it."""
    key = SecretBytes(token_bytes(KEY_OCTETS))
    settings = _sound(lambda: Settings(servers={}, default_server=None, secret_keys=(key,)))
    _warn_of_unknown()
    try:
        with suppress(KeyboardInterrupt):  # uvicorn raises it again, and asyncio may have nothing left to interrupt
            asyncio.run(_demo(_scraped(settings, metrics_host, metrics_port), host, port))
    except Unbindable as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    except ModuleNotFoundError as missing:
        typer.echo(f"The demo needs its extra: pip install 'casella[demo]' ({missing}).", err=True)
        raise typer.Exit(2) from None
    typer.echo("The demo has ended, and its mailbox with it.")


async def _demo(settings: Settings, host: str, port: int) -> None:
    from service.demo import DEMO_PASSWORD, DEMO_USER  # noqa: PLC0415 - pymap is an extra
    from service.demo.imap import imap_mailbox  # noqa: PLC0415
    from service.demo.messages import demo_messages  # noqa: PLC0415
    from service.demo.pop3 import pop3_mailbox  # noqa: PLC0415

    logs.configure("WARNING")
    messages = list(demo_messages())
    async with (
        imap_mailbox(messages, DEMO_USER, DEMO_PASSWORD) as imap_port,
        pop3_mailbox(messages, DEMO_USER, DEMO_PASSWORD) as pop3_port,
    ):
        imap, pop3 = (Endpoint("127.0.0.1", at, Security.NONE, server="demo") for at in (imap_port, pop3_port))
        table = ServerTable({"demo": MailServer("demo", frozenset({"example.org"}), imap, pop3)})
        place = Place.of(settings)
        if place:
            place.require_free(port)
        await _Announcing(serving.http(settings, host, port, table), len(messages), place).serve()


class _Announcing(serving.Scraped):
    """Says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, count: int, place: Place | None) -> None:
        super().__init__(config, place)
        self._count = count

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            from service.demo import DEMO_PASSWORD, DEMO_USER  # noqa: PLC0415

            port = self.servers[0].sockets[0].getsockname()[1]
            url, login = f"http://{self.config.host}:{port}", f"{DEMO_USER}:{DEMO_PASSWORD}"
            typer.echo(_WELCOME.format(url=url, login=login, count=self._count))


@app.command()
def openapi() -> None:
    """Print the OpenAPI contract, which no setting changes."""
    logs.configure("ERROR")
    typer.echo(json.dumps(create_app(Settings.model_construct()).openapi(), indent=2, ensure_ascii=False))


@app.command()
def check(
    config: Config = None,
    login: Annotated[
        str | None,
        typer.Option(
            help="Sign in as this user, on the one server that serves the user. The password comes from"
            f" {_PASSWORD}, or is asked for."
        ),
    ] = None,
    server: Annotated[str | None, typer.Option(help="Try this server alone, and sign in there.")] = None,
) -> None:
    """Try each mail server of the configuration: say what it can do, or why it cannot be used and what to do.

    The exit code is 1 if anything failed.
    """
    settings = _settings(config)
    _warn_of_unknown()
    logs.configure("ERROR")
    table = settings.server_table()
    try:
        rows = [table.named(server)] if server else list(table)
        own = table.pick(login, server) if login else None
    except MailError as error:
        typer.echo(f"{error.detail} Give one by --server.", err=True)
        raise typer.Exit(2) from None
    if not rows:
        typer.echo("No mail server is configured, so there is nothing to try.", err=True)
        raise typer.Exit(2)
    who = probe.Login(login, _password()) if login else None
    raise typer.Exit(asyncio.run(_checked(rows, own, who)))


async def _checked(rows: list[MailServer], own: MailServer | None, who: probe.Login | None) -> int:
    """Prints what is found, in the order of the table, and returns the exit code. The servers are tried at once."""
    trying = [asyncio.create_task(probe.describe(row, who if row is own else None)) for row in rows]
    failures = 0
    for one in trying:
        for line in await one:
            failures += not line.is_good
            typer.echo(line.text)
    return 1 if failures else 0


def _password() -> str:
    """From the environment; else typed without being shown, or the first line of what is piped in."""
    password = os.environ.get(_PASSWORD)
    if password is None and sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, err=True)
    elif password is None:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        typer.echo(f"There is no password: set {_PASSWORD}, or type it in.", err=True)
        raise typer.Exit(2)
    return str(password)


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
