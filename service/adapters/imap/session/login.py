"""Opens and authenticates a connection: TCP, TLS, greeting, STARTTLS, credentials (RFC 9051, 6.2; RFC 4959, 7628).

Nothing that a server says in clear survives into TLS, and no credential is sent in clear unless the operator configured
exactly that.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from service.accounts.credentials import Credentials, SecretKind
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.wire import arguments
from service.adapters.imap.wire.client import Client
from service.adapters.imap.wire.commands import After, Answer, Timing
from service.adapters.imap.wire.octets.framing import Limits
from service.adapters.imap.wire.protocol import WireProtocol
from service.adapters.imap.wire.status import login_error_from
from service.adapters.shared.network_errors import network_errors
from service.adapters.shared.sign_in import sasl
from service.adapters.shared.sign_in.conversation import respond_by
from service.adapters.shared.sign_in.sasl import Exchange
from service.adapters.shared.sign_in.scram import note_success, scram
from service.mail.errors import (
    LoginRefused,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamTls,
    UpstreamUnavailable,
)
from service.mail.model import Protocol
from service.telemetry.upstream import Command

_MAX_CAPABILITIES = 16 << 10
"""Octets of a list of capabilities that are read; the longest known have 1 KiB."""
_network_errors = partial(network_errors, Protocol.IMAP, retry_after=5)


async def connect(endpoint: Endpoint, timing: Timing, limits: Limits) -> WireProtocol:
    """Returns a connection that has greeted and is as secure as ``endpoint`` demands."""
    context = endpoint.tls_context() if endpoint.security is Security.TLS else None
    with _network_errors():
        protocol = await Client(endpoint, limits, context).connected(timing.connect)
    try:
        await _greeting(protocol, timing)
        if endpoint.security is Security.STARTTLS:
            await _start_tls(protocol, endpoint, timing)
    except BaseException:
        protocol.fail(UpstreamUnavailable(protocol="imap"))
        raise
    return protocol


async def _greeting(protocol: WireProtocol, timing: Timing) -> None:
    try:
        async with asyncio.timeout(timing.greeting):
            status = await protocol.greeting
    except TimeoutError:
        raise UpstreamTimeout("The mail server sends no greeting.", protocol="imap") from None
    if status.kind == "BYE":
        raise login_error_from(status)
    if status.kind == "PREAUTH":
        # A user is logged in, but not by our credentials: the mail could be another person's.
        raise UpstreamTls("The mail server skips the login (PREAUTH), which is not accepted.", protocol="imap")


async def _start_tls(protocol: WireProtocol, endpoint: Endpoint, timing: Timing) -> None:
    sent = protocol.send([(tag := protocol.tag(), arguments.chunks(tag, [b"STARTTLS"]))], after=After.TLS)
    try:
        answer = await _answer(protocol, "STARTTLS", sent, timing, timing.greeting)
    except UpstreamProtocol as error:
        raise UpstreamTls(error.detail, protocol="imap") from None
    if answer.status.kind != "OK":
        raise UpstreamTls("The mail server refuses STARTTLS.", protocol="imap")
    if protocol.error is not None:
        raise UpstreamTls(protocol.error.detail, protocol="imap")
    with _network_errors():
        async with asyncio.timeout(timing.connect):
            transport = await protocol.loop.start_tls(
                protocol.transport, protocol, endpoint.tls_context(), server_hostname=endpoint.host
            )
    if transport is None or protocol.error is not None:
        raise UpstreamTls("TLS could not be started.", protocol="imap")
    protocol.secure(transport)


async def capabilities(protocol: WireProtocol, timing: Timing) -> frozenset[str]:
    """Returns the present capabilities, upper case. One round trip."""
    sent = protocol.send([(tag := protocol.tag(), arguments.chunks(tag, [b"CAPABILITY"]))])
    answer = await _answer(protocol, "CAPABILITY", sent, timing, timing.greeting)
    return _announced(answer) or frozenset()


def _announced(answer: Answer) -> frozenset[str] | None:
    """Returns the capabilities in the answer to CAPABILITY or to a login; None if it has none."""
    lists = [line[11:] for line in answer.untagged if line[:11].upper() == b"CAPABILITY "]
    if answer.status.code == "CAPABILITY":
        lists.append(answer.status.argument)
    return frozenset(lists[-1][:_MAX_CAPABILITIES].decode("ascii", "replace").upper().split()) if lists else None


async def log_in(protocol: WireProtocol, credentials: Credentials, timing: Timing) -> frozenset[str]:
    """Log in by a method that the server offers. Returns the capabilities after login, which may differ from before."""
    offered = await capabilities(protocol, timing)
    answer = await _by_scram(protocol, credentials, offered, timing)
    if answer is None:
        answer = await _by_secret(protocol, credentials, offered, timing)
    if answer.status.kind != "OK":
        raise login_error_from(answer.status)
    if credentials.kind is SecretKind.PASSWORD:
        note_success(protocol.transport)
    protocol.is_logged_in = True
    announced = _announced(answer)
    return announced if announced is not None else await capabilities(protocol, timing)


async def _by_scram(
    protocol: WireProtocol, credentials: Credentials, offered: frozenset[str], timing: Timing
) -> Answer | None:
    """Sign in without showing the password: three round trips. None if that is not possible for this user."""
    if credentials.kind is not SecretKind.PASSWORD:
        return None
    exchange = scram(credentials, Protocol.IMAP, protocol.transport, _mechanisms(offered))
    if exchange is None:
        return None
    initial = exchange.begin()
    [line, *later] = _authenticate(tag := protocol.tag(), exchange.mechanism, initial, offered)
    respond = respond_by(exchange, [initial] if later else [])
    with Command("imap", protocol.server, "AUTHENTICATE") as command:
        answer = await protocol.converse(tag, line + b"\r\n", respond, timing)
        command.outcome = answer.status.kind.lower()
    return answer if exchange.is_final(is_ok=answer.status.kind == "OK") else None


async def _by_secret(
    protocol: WireProtocol, credentials: Credentials, offered: frozenset[str], timing: Timing
) -> Answer:
    tag, verb = protocol.tag(), "AUTHENTICATE"
    if credentials.kind is SecretKind.ACCESS_TOKEN:
        exchange = _bearer(credentials, offered)
        lines = [*_authenticate(tag, *exchange[:2], offered), exchange.dismissal.encode()]
        sent = protocol.send([(tag, [line + b"\r\n" for line in lines])], optional=True)
    elif _needs_plain(credentials, offered):
        lines = _authenticate(tag, *sasl.plain(credentials)[:2], offered)
        sent = protocol.send([(tag, [line + b"\r\n" for line in lines])])
    else:
        pieces = [b"LOGIN", arguments.string(credentials.username), arguments.string(credentials.secret)]
        sent, verb = protocol.send([(tag, arguments.chunks(tag, pieces))]), "LOGIN"
    return await _answer(protocol, verb, sent, timing, timing.login)


async def _answer(
    protocol: WireProtocol, verb: str, sent: Sequence["asyncio.Future[Answer]"], timing: Timing, seconds: float
) -> Answer:
    with Command("imap", protocol.server, verb) as command:
        [answer] = await protocol.wait(sent, timing, seconds)
        command.outcome = answer.status.kind.lower()
    return answer


def _needs_plain(credentials: Credentials, offered: frozenset[str]) -> bool:
    """Whether to use SASL PLAIN: LOGIN has no rule for letters beyond ASCII, SASL PLAIN says UTF-8 (RFC 4616)."""
    disabled = "LOGINDISABLED" in offered
    if disabled and "AUTH=PLAIN" not in offered:
        raise UpstreamTls("The mail server accepts no password on this connection.", protocol="imap")
    return disabled or ("AUTH=PLAIN" in offered and not (credentials.username + credentials.secret).isascii())


def _bearer(credentials: Credentials, offered: frozenset[str]) -> Exchange:
    exchange = sasl.bearer(credentials, _mechanisms(offered))
    if exchange is None:
        raise LoginRefused("The mail server accepts no access tokens. Sign in with a password.")
    return exchange


def _mechanisms(offered: frozenset[str]) -> frozenset[str]:
    return frozenset(word.removeprefix("AUTH=") for word in offered if word.startswith("AUTH="))


def _authenticate(tag: bytes, mechanism: str, response: str, offered: frozenset[str]) -> list[bytes]:
    """Returns the lines to send. The initial response is in the command if the server allows it (RFC 4959)."""
    command = b"%b AUTHENTICATE %b" % (tag, mechanism.encode())
    return [command + b" " + response.encode()] if "SASL-IR" in offered else [command, response.encode()]


def literal_plus(offered: frozenset[str]) -> int:
    """Returns how large a literal may be to be sent without waiting for the server (RFC 7888)."""
    if "LITERAL+" in offered:
        return 1 << 20
    return 4096 if "LITERAL-" in offered else 0
