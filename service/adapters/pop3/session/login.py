"""Signing in: USER and PASS (RFC 1939, 7), or SASL (RFC 5034): PLAIN (RFC 4616), OAUTHBEARER (RFC 7628), XOAUTH2. APOP
(RFC 1939, 7) only if the operator enables it: an impostor learns a digest by which passwords can be guessed."""

import re
from collections.abc import Awaitable, Callable
from hashlib import md5
from typing import TypeAlias

from service.accounts.credentials import Credentials, SecretKind
from service.adapters.pop3.wire.connection import Connection
from service.adapters.pop3.wire.replies import LOGIN_DELAY_SECONDS, PROTOCOL, Reply, login_error_from
from service.adapters.shared.sign_in import sasl
from service.adapters.shared.sign_in.conversation import auth, respond_by, respond_to
from service.adapters.shared.sign_in.sasl import Exchange
from service.adapters.shared.sign_in.scram import note_success, scram
from service.mail.errors import InvalidRequest, UpstreamError
from service.mail.model import Protocol

UNSENDABLE = re.compile("[\r\n\0\ud800-\udfff]")
COMMAND_LIMIT = 255
"""Octets of a command line with its CRLF. A longer initial response is sent after the challenge (RFC 5034, 4)."""

Method: TypeAlias = Callable[[Connection, Credentials], Awaitable[Reply]]


def require_sendable(credentials: Credentials) -> None:
    """Raises InvalidRequest for characters that would end the line, so that the rest would be a command of its own."""
    if UNSENDABLE.search(credentials.username) or UNSENDABLE.search(credentials.secret):
        raise InvalidRequest("Login and password cannot hold line breaks or NUL.")
    if not credentials.username:
        raise InvalidRequest("The login is empty.")


async def sign_in(connection: Connection, credentials: Credentials, *, apop: bool = False) -> None:
    """Tries once: repeated refused logins lock the account."""
    is_password = credentials.kind is SecretKind.PASSWORD
    reply = await _by_scram(connection, credentials) if is_password and not apop else None
    if reply is None:
        method = _apop if apop and is_password else _method(connection, credentials)
        reply = await method(connection, credentials)
    if not reply.ok:
        raise login_error_from(reply, login_delay(connection) or LOGIN_DELAY_SECONDS)
    if is_password:
        note_success(connection.transport)
    await connection.learn()


def login_delay(connection: Connection) -> int | None:
    """The seconds LOGIN-DELAY announces (RFC 2449, 6.5), within reason."""
    announced = (connection.capabilities or {}).get("LOGIN-DELAY", ())[:1]
    known = bool(announced) and re.fullmatch("[0-9]{1,4}", announced[0]) is not None
    return max(1, int(announced[0])) if known else None


async def _by_scram(connection: Connection, credentials: Credentials) -> Reply | None:
    """None if the server has no SCRAM for this user."""
    exchange = scram(credentials, Protocol.POP3, connection.transport, _mechanisms(connection))
    if exchange is None:
        return None
    line, initial = auth(exchange.mechanism, exchange.begin(), COMMAND_LIMIT)
    reply = await connection.converse(line, respond_by(exchange, initial))
    return reply if exchange.is_final(is_ok=reply.ok) else None


async def _user_pass(connection: Connection, credentials: Credentials) -> Reply:
    reply = await connection.ask(f"USER {credentials.username}")
    # PASS takes the rest of its line, spaces included.
    return await connection.ask(f"PASS {credentials.secret}") if reply.ok else reply


async def _apop(connection: Connection, credentials: Credentials) -> Reply:
    """If the greeting has no challenge, the password itself is not sent instead."""
    _require_one_word(credentials.username)
    if connection.challenge is None:
        raise _unoffered("APOP")
    digest = md5(connection.challenge + credentials.secret.encode(), usedforsecurity=False).hexdigest()
    return await connection.ask(f"APOP {credentials.username} {digest}")


async def _plain(connection: Connection, credentials: Credentials) -> Reply:
    return await _authenticate(connection, sasl.plain(credentials))


async def _bearer(connection: Connection, credentials: Credentials) -> Reply:
    """By XOAUTH2 if the server does not know CAPA."""
    known = connection.capabilities is not None
    exchange = sasl.bearer(credentials, _mechanisms(connection) if known else ("XOAUTH2",))
    if exchange is None:
        raise _unoffered("an access token")
    return await _authenticate(connection, exchange)


async def _authenticate(connection: Connection, exchange: Exchange) -> Reply:
    line, initial = auth(exchange.mechanism, exchange.response, COMMAND_LIMIT)
    return await connection.converse(line, respond_to(exchange, initial, PROTOCOL))


def _method(connection: Connection, credentials: Credentials) -> Method:
    """The method that the server offers for these credentials. A secret is never sent to a server that does not accept
    it."""
    offered = _mechanisms(connection)
    if credentials.kind is SecretKind.ACCESS_TOKEN:
        return _bearer
    spaced = " " in credentials.username + credentials.secret
    user = connection.capabilities is None or connection.offers("USER")
    if "PLAIN" in offered and (spaced or not user):
        return _plain
    if not user:
        raise _unoffered("a password")
    _require_one_word(credentials.username)
    return _user_pass


def _mechanisms(connection: Connection) -> tuple[str, ...]:
    return (connection.capabilities or {}).get("SASL", ())


def _require_one_word(username: str) -> None:
    if " " in username:
        raise InvalidRequest("A login with a space in it cannot be sent to this mail server.")


def _unoffered(what: str) -> UpstreamError:
    return UpstreamError(f"The mail server offers no way to sign in with {what} on this port.", protocol=PROTOCOL)
