"""The report of ``casella check`` on a mail server: whether it can be used, and if not, why and what to do."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from service.accounts.credentials import Credentials
from service.accounts.servers import Disk, Endpoint, MailServer
from service.adapters.smtp.wire.replies import PROTOCOL as SMTP
from service.mail.errors import LoginRefused, MailError
from service.mail.model import Protocol
from service.probe.account import SIGN_IN, words
from service.probe.capabilities import CAPABILITIES, count_users
from service.probe.diagnosis import Cause, cause_of, unreachable
from service.probe.issuers import describe_issuer
from service.probe.line import Line

__all__ = ["Line", "Login", "describe", "describe_issuer"]

CONNECT_SECONDS = 10.0
_MAX_LINE = 2000
_REFUSED = Cause(
    "The mail server refused this login and password.",
    "Check both. Some servers want the whole address as login, or a password made for one application. It was tried"
    " only once.",
)
_UNEXPECTED = Cause("This check met an unexpected error: {}.", "Report it, with the kind of the mail server.")


@dataclass(frozen=True, slots=True)
class Login:
    """The user who signs in."""

    username: str
    password: str = field(repr=False)


async def describe(row: MailServer, login: Login | None = None) -> list[Line]:
    """Returns the report on each protocol of the server.

    Raises nothing, faults of the server and of the network become lines of the report. No line holds the
    password, even if the server repeats it.
    """
    lines: list[Line] = []
    for protocol in (*row.protocols, *([SMTP] if row.smtp else [])):
        lines += [line async for line in _protocol(row, protocol, login)]
    return [Line(_shown(line.text, login), line.mark) for line in lines]


async def _protocol(row: MailServer, protocol: str, login: Login | None) -> AsyncIterator[Line]:
    place: Endpoint | Disk = getattr(row, protocol)
    where = f"{row.name} {protocol} {_where(place)}"
    try:
        if isinstance(place, Endpoint):
            announced = await _capabilities(place, protocol)
            details = [Line(f"  before login: {words(announced)}")]
            if login is None:
                details.append(Line("  (servers often announce more after login; --login USER shows that)"))
        else:
            details = [Line(f"  users: {await count_users(place)}")]
    except Exception as error:  # one faulty server must not hide the report on the others
        for line in await _failed(where, error, place, protocol):
            yield line
        return
    yield Line(f"{where}: ok")
    for line in details:
        yield line
    if login is not None:
        async for line in _signed_in(where, row, protocol, login):
            yield line


async def _capabilities(endpoint: Endpoint, protocol: str) -> frozenset[str] | None:
    """Tries the network first, so that its faults are not reported as faults of the server."""
    async with asyncio.timeout(CONNECT_SECONDS):
        try:
            transport, _ = await endpoint.connect(asyncio.Protocol, None)
        except (OSError, UnicodeError) as error:
            raise unreachable(error, endpoint) from error
    transport.abort()
    return await CAPABILITIES[protocol](endpoint)


async def _signed_in(where: str, row: MailServer, protocol: str, login: Login) -> AsyncIterator[Line]:
    own = Protocol(protocol) if protocol in row.protocols else row.protocol
    credentials = Credentials(row.name, own, login.username, login.password)
    try:
        account = await SIGN_IN[protocol](row, credentials)
    except Exception as error:
        for line in await _failed(f"{where} login of {login.username}", error, getattr(row, protocol), protocol):
            yield line
        return
    yield Line(f"  signed in as {login.username}")
    for text in account.lines:
        yield Line(f"  {text}")


async def _failed(where: str, error: Exception, place: Endpoint | Disk, protocol: str) -> Sequence[Line]:
    cause = _REFUSED if isinstance(error, LoginRefused) else await cause_of(error, place, CAPABILITIES.get(protocol))
    if cause is None and isinstance(error, MailError):
        cause = Cause(error.detail, "See the mail server's log.")
    if cause is None:
        cause = Cause(_UNEXPECTED.what.format(type(error).__name__), _UNEXPECTED.advice)
    return Line(f"{where}: FAILED: {cause.what}", "✗"), Line(f"  do: {cause.advice}")


def _where(place: Endpoint | Disk) -> str:
    return place.path if isinstance(place, Disk) else f"{place.host}:{place.port} {place.security}"


def _shown(text: str, login: Login | None) -> str:
    """Removes the password, and the control characters by which a server could steer the terminal."""
    if login is not None and login.password:
        text = text.replace(login.password, "(password)")
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:_MAX_LINE]
