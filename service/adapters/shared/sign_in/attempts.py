"""How often a login is tried: once with what a person gave, and once more if an access token was refused that a grant
can replace."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from service.accounts.credentials import AccessToken, Credentials, SecretKind
from service.mail.errors import LoginRefused

T = TypeVar("T")


async def signed_in(credentials: Credentials, attempt: Callable[[Credentials], Awaitable[T]]) -> T:
    """Returns what ``attempt`` returns, which connects and logs in with the credentials that it gets. A mail server may
    refuse an access token before its time, so a grant gets a second attempt with a fresh one."""
    grant = credentials.grant
    if grant is None:
        return await attempt(credentials)
    token = await grant.access_token()
    try:
        return await attempt(_with_token(credentials, token))
    except LoginRefused:
        fresh = await grant.replacement(token)
    return await attempt(_with_token(credentials, fresh))


def _with_token(credentials: Credentials, token: AccessToken) -> Credentials:
    kind = SecretKind.ACCESS_TOKEN
    return replace(credentials, secret=token.value, kind=kind, grant=None, ends_at=token.ends_at)
