"""What ``casella check`` says of a mail server: whether it can be used, and if not, why and what to do."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from service.accounts.credentials import Credentials
from service.accounts.servers import Disk, Endpoint, MailServer
from service.mail.errors import LoginRefused, MailError
from service.mail.model import Protocol, Quota
from service.probe.account import SIGN_IN, Account
from service.probe.causes import Cause, cause_of, unreachable
from service.probe.offers import ASK, users_of

CONNECT_SECONDS = 10.0
_LONGEST = 2000
_REFUSED = Cause(
    "The mail server refused this login and password.",
    "Check both. Some servers want the whole address as login, or a password made for one application. It was tried"
    " once.",
)
_FOREIGN = Cause("This check met something it has no words for: {}.", "Report it, with the kind of the mail server.")


@dataclass(frozen=True, slots=True)
class Login:
    """Who signs in."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Line:
    """A line for people."""

    text: str
    is_good: bool = True


async def describe(row: MailServer, login: Login | None = None) -> list[Line]:
    """What there is to say of each protocol of the server. Never raises for what a server or the network does, and no
    line holds the password, whatever the server says."""
    lines: list[Line] = []
    for protocol in row.protocols:
        lines += [line async for line in _protocol(row, protocol, login)]
    return [Line(_shown(line.text, login), line.is_good) for line in lines]


async def _protocol(row: MailServer, protocol: Protocol, login: Login | None) -> AsyncIterator[Line]:
    place: Endpoint | Disk = getattr(row, protocol)
    where = f"{row.name} {protocol} {_where(place)}"
    try:
        if isinstance(place, Endpoint):
            offered = await _offers(place, protocol)
            told = [Line(f"  before login: {_words(offered)}")]
            if login is None:
                told.append(Line("  (servers often offer more once somebody has signed in; --login USER shows that)"))
        else:
            told = [Line(f"  users: {await users_of(place)}")]
    except Exception as error:  # one server's fault must not hide the others
        for line in await _failed(where, error, place, protocol):
            yield line
        return
    yield Line(f"{where}: ok")
    for line in told:
        yield line
    if login is not None:
        async for line in _signed_in(where, row, protocol, login):
            yield line


async def _offers(endpoint: Endpoint, protocol: Protocol) -> frozenset[str] | None:
    """First the network alone, so that its faults are not taken for the server's."""
    async with asyncio.timeout(CONNECT_SECONDS):
        try:
            transport, _ = await endpoint.connect(asyncio.Protocol, None)
        except (OSError, UnicodeError) as error:
            raise unreachable(error, endpoint) from error
    transport.abort()
    return await ASK[protocol](endpoint)


async def _signed_in(where: str, row: MailServer, protocol: Protocol, login: Login) -> AsyncIterator[Line]:
    credentials = Credentials(row.name, protocol, login.username, login.password)
    try:
        account = await SIGN_IN[protocol](row, credentials)
    except Exception as error:  # as above
        for line in await _failed(f"{where} login of {login.username}", error, getattr(row, protocol), protocol):
            yield line
        return
    yield Line(f"  signed in as {login.username}")
    for text in _account(account):
        yield Line(f"  {text}")


async def _failed(where: str, error: Exception, place: Endpoint | Disk, protocol: Protocol) -> Sequence[Line]:
    cause = _REFUSED if isinstance(error, LoginRefused) else await cause_of(error, place, ASK.get(protocol))
    if cause is None and isinstance(error, MailError):
        cause = Cause(error.detail, "Look into the mail server's log.")
    if cause is None:
        cause = Cause(_FOREIGN.what.format(type(error).__name__), _FOREIGN.advice)
    return Line(f"{where}: FAILED: {cause.what}", is_good=False), Line(f"  do: {cause.advice}")


def _account(account: Account) -> list[str]:
    told = [f"after login: {_words(account.offered)}"] if account.offered is not None else []
    told.append(f"what the API can do with it: {_words(account.capabilities)}")
    folders = "1 folder" if account.folders == 1 else f"{account.folders} folders"
    roles = ", ".join(account.roles) or "none"
    told.append(f"{folders}; roles: {roles}")
    told.append(f"quota: {'; '.join(map(_quota, account.quotas)) or 'none that the server tells'}")
    return told


def _quota(quota: Quota) -> str:
    return f"{quota.resource} {quota.used} of {quota.limit}{' octets' if quota.resource == 'storage' else ''}"


def _where(place: Endpoint | Disk) -> str:
    return place.path if isinstance(place, Disk) else f"{place.host}:{place.port} {place.security}"


def _words(offered: frozenset[str] | None) -> str:
    if offered is None:
        return "the server does not say"
    return " ".join(sorted(offered)) or "nothing"


def _shown(text: str, login: Login | None) -> str:
    """Fit for a terminal, which a server must not steer."""
    if login is not None and login.password:
        text = text.replace(login.password, "(password)")
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:_LONGEST]
