"""``casella demo``."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from secrets import token_bytes
from socket import socket
from typing import Annotated

import typer
import uvicorn
from pydantic import SecretBytes

from service.accounts.servers import Endpoint, MailServer, Security, ServerTable
from service.cli.configuration import valid, warn_of_unknown_variables
from service.cli.options import Host, MetricsHost, MetricsPort, Port, with_metrics
from service.http import run as serving
from service.http.metrics_port import MetricsAddress
from service.http.ports import PortUnavailable, url_of
from service.http.servers import ApiServer
from service.settings.model import KEY_OCTETS, Settings
from service.telemetry import logs

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
  curl -s -u {login} {url}/v1/accounts/me/submissions -H "Content-Type: application/json" -d '{message}'
  curl -s -u {login} "{url}/v1/accounts/me/folders/inbox/messages?limit=1"
  curl -s -u {login} -H "Casella-Protocol: pop3" "{url}/v1/accounts/me/folders/inbox/messages?limit=3"
"""
_LIVE = """  A message arrives every {seconds:g} seconds. This shows it:

  curl -sN -u {login} {url}/v1/accounts/me/events
"""


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
    settings = valid(lambda: Settings(servers={}, default_server=None, secret_keys=(key,)))
    warn_of_unknown_variables()
    try:
        with suppress(KeyboardInterrupt):  # uvicorn raises it again, after asyncio has ended
            arrivals = live_seconds if live else None
            asyncio.run(_demo(with_metrics(settings, metrics_host, metrics_port), host, port, arrivals))
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
    metrics = MetricsAddress.of(settings)
    if metrics:
        metrics.require_free(port)
    sockets = serving.listeners(host, port)
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
        welcome = partial(_welcome, count=len(messages), live_seconds=live_seconds, has_page=settings.page)
        await _DemoServer(serving.config_of(settings, host, port, table), welcome, metrics).serve(sockets)


def _welcome(url: str, count: int, live_seconds: float | None, has_page: bool) -> str:
    from service.demo import DEMO_PASSWORD, DEMO_USER  # noqa: PLC0415

    text = (_PAGE if has_page else "") + _WELCOME + (_LIVE if live_seconds else "")
    login, message = f"{DEMO_USER}:{DEMO_PASSWORD}", f'{{"to":[{{"email":"{DEMO_USER}"}}],"text":"Hi!"}}'
    return text.format(url=url, login=login, message=message, count=count, seconds=live_seconds)


class _DemoServer(ApiServer):
    """Prints its address and example requests when it listens. ``welcome`` makes the text from the address."""

    def __init__(self, config: uvicorn.Config, welcome: Callable[[str], str], metrics: MetricsAddress | None) -> None:
        super().__init__(config, metrics)
        self._welcome = welcome

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            typer.echo(self._welcome(url_of(self.config.host, port)))
