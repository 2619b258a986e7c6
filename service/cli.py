"""The commands ``casella serve``, ``casella demo``, ``casella check``, ``casella import`` and ``casella openapi``."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
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
from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, MailServer, Security, ServerTable, trusting
from service.app import create_app
from service.backends import backends
from service.http import run as serving
from service.http.metrics_port import MetricsAddress, PortUnavailable
from service.http.open_files import affordable
from service.http.servers import ApiServer
from service.http.workers import CONFIG
from service.mail.errors import MailError
from service.mail.model import Protocol
from service.probe.line import Line
from service.probe.plan import Surroundings, plan
from service.settings import errors as setting_errors
from service.settings.model import KEY_OCTETS, Settings, read_settings
from service.settings.shown import effective
from service.telemetry import logs
from service.transfer.model import Options

app = typer.Typer(
    name="casella", help="One HTTP/JSON API in front of any mailbox.", no_args_is_help=True, add_completion=False
)

Config = Annotated[
    Path | None,
    typer.Option("--config", envvar=CONFIG, help="TOML file with the server table and all settings."),
]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")]
_log = structlog.get_logger("service.cli")
MetricsPort = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Separate port for /metrics, instead of the setting metrics_port."),
]
MetricsHost = Annotated[
    str | None, typer.Option(help="Address for /metrics, instead of the setting metrics_host (127.0.0.1).")
]
_PASSWORD = "CASELLA_CHECK_PASSWORD"  # noqa: S105 - the variable's name
_FROM_PASSWORD = "CASELLA_FROM_PASSWORD"  # noqa: S105
_TO_PASSWORD = "CASELLA_TO_PASSWORD"  # noqa: S105
_PAGE = """
Mail in your browser: {url}/app/
"""
_WELCOME = """
Casella shows a demo mailbox of {count} messages on {url}
Login and password: {login}    Reference: {url}/docs    End: Ctrl-C

  curl -s -u {login} {url}/v1/accounts/me
  curl -s -u {login} {url}/v1/accounts/me/folders
  curl -s -u {login} "{url}/v1/accounts/me/folders/inbox/messages?limit=3&unread=true"
  curl -s -u {login} "{url}/v1/accounts/me/folders/inbox/messages?limit=3&subject=%C3%9Cbersicht"
  curl -s -u {login} --json '{{"to":[{{"email":"demo@example.org"}}],"text":"Hi!"}}' {url}/v1/accounts/me/submissions
  curl -s -u {login} "{url}/v1/accounts/me/folders/inbox/messages?limit=1"
  curl -s -u {login} -H "Casella-Protocol: pop3" "{url}/v1/accounts/me/folders/inbox/messages?limit=3"
"""
_LIVE = """  A message arrives every {seconds:g} seconds. This shows it:

  curl -sN -u {login} {url}/v1/accounts/me/events
"""


def _settings(config: Path | None) -> Settings:
    """Returns the settings. Prints what is wrong with them and exits with 2 if they are not valid."""
    return _valid(lambda: read_settings(config), config)


def _valid(read: Callable[[], Settings], config: Path | None = None) -> Settings:
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
        lines = [f"{config} is not valid TOML: {wrong}"]
    else:
        return settings
    for line in lines:
        typer.echo(line, err=True)
    raise typer.Exit(2)


def _load_authorities(settings: Settings) -> None:
    """Raises OSError if a ``ca_file`` is missing or holds no certificate: at the start, not at the first sign-in."""
    listeners = [listener for row in settings.servers.values() for listener in (row.imap, row.pop3, row.smtp)]
    for file in {each.ca_file for each in (*listeners, *settings.oauth.values()) if each and each.ca_file}:
        try:
            trusting(file)
        except SSLError as error:
            raise OSError(error.errno, "it holds no certificate", str(file)) from None
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(file)) from None


def _warn_of_unknown_variables() -> None:
    for line in setting_errors.unknown():
        typer.echo(line, err=True)


@app.command()
def serve(
    config: Config = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the port. Each uses one core.")] = 1,
    metrics_host: MetricsHost = None,
    metrics_port: MetricsPort = None,
) -> None:
    """Serve the API for the mail servers of the configuration."""
    settings = _with_metrics(_settings(config), metrics_host, metrics_port)
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


def _with_metrics(settings: Settings, host: str | None, port: int | None) -> Settings:
    """Returns the settings with the address of the metrics from the command line, if it is given there."""
    options = {"metrics_host": host, "metrics_port": port}
    return settings.model_copy(update={name: value for name, value in options.items() if value is not None})


@app.command()
def demo(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    metrics_host: MetricsHost = None,
    metrics_port: MetricsPort = None,
    live: Annotated[
        bool, typer.Option("--live", help="A message arrives every minute, so that events happen.")
    ] = False,
    live_seconds: Annotated[float, typer.Option(min=0.1, help="Seconds between two messages of --live.")] = 60,
) -> None:
    """Serve an embedded demo mailbox over IMAP and POP3, without a mail server. Ctrl-C ends it."""
    key = SecretBytes(token_bytes(KEY_OCTETS))
    settings = _valid(lambda: Settings(servers={}, default_server=None, secret_keys=(key,)))
    _warn_of_unknown_variables()
    try:
        with suppress(KeyboardInterrupt):  # uvicorn raises it again, after asyncio has ended
            arrivals = live_seconds if live else None
            asyncio.run(_demo(_with_metrics(settings, metrics_host, metrics_port), host, port, arrivals))
    except PortUnavailable as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    except ModuleNotFoundError as missing:
        typer.echo(f"The demo needs an extra: pip install 'casella[demo]' ({missing}).", err=True)
        raise typer.Exit(2) from None
    typer.echo("The demo has ended. Its mailbox is deleted.")


async def _demo(settings: Settings, host: str, port: int, live_seconds: float | None) -> None:
    from service.demo import DEMO_PASSWORD, DEMO_USER  # noqa: PLC0415 - pymap is an extra
    from service.demo.delivery import arriving, inbox  # noqa: PLC0415
    from service.demo.imap import imap_mailbox  # noqa: PLC0415
    from service.demo.messages import demo_messages  # noqa: PLC0415
    from service.demo.pop3 import pop3_mailbox  # noqa: PLC0415
    from service.demo.smtp import smtp_server  # noqa: PLC0415

    logs.configure("WARNING")
    messages = list(demo_messages())
    async with (
        imap_mailbox(messages, DEMO_USER, DEMO_PASSWORD) as imap_port,
        pop3_mailbox(messages, DEMO_USER, DEMO_PASSWORD) as pop3_port,
        inbox(imap_port, DEMO_USER, DEMO_PASSWORD) as deliver,
        smtp_server(deliver, DEMO_USER, DEMO_PASSWORD) as smtp_port,
        arriving(deliver, len(messages), live_seconds) if live_seconds else nullcontext(),
    ):
        ports = (imap_port, pop3_port, smtp_port)
        imap, pop3, smtp = (Endpoint("127.0.0.1", own, Security.NONE, server="demo") for own in ports)
        smtp = replace(smtp, files_sent=False)
        table = ServerTable({"demo": MailServer("demo", frozenset({"example.org"}), imap, pop3, smtp)})
        metrics = MetricsAddress.of(settings)
        if metrics:
            metrics.require_free(port)
        welcome = partial(_welcome, count=len(messages), live_seconds=live_seconds, has_page=settings.page)
        await _DemoServer(serving.config_of(settings, host, port, table), welcome, metrics).serve()


def _welcome(url: str, count: int, live_seconds: float | None, has_page: bool) -> str:
    from service.demo import DEMO_PASSWORD, DEMO_USER  # noqa: PLC0415

    text = (_PAGE if has_page else "") + _WELCOME + (_LIVE if live_seconds else "")
    return text.format(url=url, login=f"{DEMO_USER}:{DEMO_PASSWORD}", count=count, seconds=live_seconds)


class _DemoServer(ApiServer):
    """Prints its address and example requests when it listens. ``welcome`` makes the text from the address."""

    def __init__(self, config: uvicorn.Config, welcome: Callable[[str], str], metrics: MetricsAddress | None) -> None:
        super().__init__(config, metrics)
        self._welcome = welcome

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            typer.echo(self._welcome(f"http://{self.config.host}:{port}"))


@app.command()
def openapi() -> None:
    """Print the OpenAPI contract. It does not depend on the settings."""
    logs.configure("ERROR")
    typer.echo(json.dumps(create_app(Settings.model_construct()).openapi(), indent=2, ensure_ascii=False))


@app.command()
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
    settings = _settings(config)
    _warn_of_unknown_variables()
    logs.configure("ERROR")
    table = settings.server_table()
    try:
        rows = [table.named(server)] if server else list(table)
        login_server = table.pick(login, server) if login else None
    except MailError as error:
        typer.echo(f"{error.detail} Name one with --server.", err=True)
        raise typer.Exit(2) from None
    if not rows:
        typer.echo("No mail server is configured, so there is nothing to check.", err=True)
        raise typer.Exit(2)
    credentials = probe.Login(login, _password()) if login else None
    before = None if server else plan(settings, table, _surroundings(settings, config))
    issuers = [issuer for issuer in settings.issuers() if server is None or issuer.name in {row.oauth for row in rows}]
    described = [probe.describe(row, credentials if row is login_server else None) for row in rows]
    described += [probe.describe_issuer(issuer) for issuer in issuers]
    raise typer.Exit(asyncio.run(_check_all(before, described)))


@app.command(name="import")
def import_(
    source: Annotated[str, typer.Argument(metavar="FROM", help="Login of the mailbox to copy from.")],
    destination: Annotated[str, typer.Argument(metavar="TO", help="Login of the mailbox to copy into.")],
    config: Config = None,
    from_server: Annotated[
        str | None, typer.Option(help="Mail server of FROM: a name of the configuration, or a host without one.")
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

    from service.importing import explain, run_import  # noqa: PLC0415

    settings = _settings(config)
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
    except (MailError, ValueError) as error:
        typer.echo(error.detail if isinstance(error, MailError) else "There is no such protocol.", err=True)
        raise typer.Exit(2) from None
    old = Credentials(rows[0].name, protocol, source, _password(_FROM_PASSWORD, f"Password of {source}"))
    new = Credentials(
        rows[1].name, rows[1].protocol, destination, _password(_TO_PASSWORD, f"Password of {destination}")
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


def _password(variable: str = _PASSWORD, prompt: str = "Password") -> str:
    """Returns the password from the environment, else from a hidden prompt, or the next line of a pipe."""
    password = os.environ.get(variable)
    if password is None and sys.stdin.isatty():
        password = typer.prompt(prompt, hide_input=True, err=True)
    elif password is None:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        typer.echo(f"There is no password: set {variable}, or type it at the prompt.", err=True)
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
