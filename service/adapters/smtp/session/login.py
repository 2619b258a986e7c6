"""Signing in (RFC 4954): SCRAM-SHA-256, PLAIN or LOGIN with a password, OAUTHBEARER or XOAUTH2 with an access token."""

from service.accounts.credentials import Credentials, SecretKind
from service.adapters.shared.sign_in import sasl
from service.adapters.shared.sign_in.conversation import auth, respond_by, respond_to, respond_with
from service.adapters.shared.sign_in.sasl import Exchange
from service.adapters.shared.sign_in.scram import note_success, scram
from service.adapters.smtp.session.connection import Connection
from service.adapters.smtp.wire.errors import login_error_from
from service.adapters.smtp.wire.replies import PROTOCOL, Reply
from service.mail.errors import InvalidRequest, LoginRefused, UpstreamError

COMMAND_LIMIT = 512
"""Octets of a command line with its CRLF (RFC 5321, 4.5.3.1.4). A longer initial response is sent when the server asks
for it (RFC 4954, 4)."""


async def sign_in(connection: Connection, credentials: Credentials) -> None:
    """Tries once: repeated refused logins lock the account. SCRAM takes three round trips, LOGIN too, all
    else one."""
    if not credentials.username:
        raise InvalidRequest("The login is empty.")
    is_password = credentials.kind is SecretKind.PASSWORD
    reply = await _by_scram(connection, credentials) if is_password else None
    if reply is None:
        reply = await _by_secret(connection, credentials)
    if not reply.is_ok:
        raise login_error_from(reply, is_secure=connection.tls is not None)
    if is_password:
        note_success(connection.wire.link)
    connection.wire.is_signed_in, connection.ends_at = True, credentials.ends_at


async def _by_scram(connection: Connection, credentials: Credentials) -> Reply | None:
    """None if the server has no SCRAM for this user."""
    exchange = scram(credentials, PROTOCOL, connection.wire.link, connection.mechanisms)
    if exchange is None:
        return None
    line, initial = auth(exchange.mechanism, exchange.begin(), COMMAND_LIMIT)
    reply = await connection.converse(line, respond_by(exchange, initial))
    return reply if exchange.is_final(is_ok=reply.is_ok) else None


async def _by_secret(connection: Connection, credentials: Credentials) -> Reply:
    if credentials.kind is SecretKind.ACCESS_TOKEN:
        exchange = sasl.bearer(credentials, connection.mechanisms)
        if exchange is None:
            raise LoginRefused("The mail server accepts no access tokens. Sign in with a password.")
    elif "PLAIN" in connection.mechanisms:
        exchange = sasl.plain(credentials)
    elif "LOGIN" in connection.mechanisms:
        return await _login(connection, sasl.login(credentials))
    else:
        text = "The mail server offers no way to sign in with a password on this port."
        raise UpstreamError(text, protocol=PROTOCOL)
    line, initial = auth(exchange.mechanism, exchange.response, COMMAND_LIMIT)
    return await connection.converse(line, respond_to(exchange, initial, PROTOCOL))


async def _login(connection: Connection, exchange: Exchange) -> Reply:
    """Not every server takes the username with the command."""
    respond = respond_with([exchange.response, exchange.dismissal], PROTOCOL)
    return await connection.converse(f"AUTH {exchange.mechanism}", respond)
