"""What a client says to sign in: PLAIN (RFC 4616), LOGIN, OAUTHBEARER (RFC 7628), and XOAUTH2, which Google had before
it."""

from base64 import b64encode
from collections.abc import Container
from typing import NamedTuple

from service.accounts.credentials import Credentials
from service.mail.errors import InvalidRequest

CANCEL = "*"


class Exchange(NamedTuple):
    """``response`` is the initial response. The client answers any further challenge with ``dismissal``: if the server
    refuses an access token, it sends the reason as a challenge first (RFC 7628, 3.2.3). Both are in base64."""

    mechanism: str
    response: str
    dismissal: str = CANCEL


def plain(credentials: Credentials) -> Exchange:
    """A password, in UTF-8. Raises InvalidRequest for NUL, which separates the fields."""
    if "\0" in credentials.username + credentials.secret:
        raise InvalidRequest("A username or password must not contain NUL.")
    return Exchange("PLAIN", _base64(f"\0{credentials.username}\0{credentials.secret}"))


def login(credentials: Credentials) -> Exchange:
    """A username, and the password as the ``dismissal`` of what the server asks next (LOGIN, which no RFC has): for
    servers that know nothing better. Both are in UTF-8. Raises InvalidRequest for NUL."""
    if "\0" in credentials.username + credentials.secret:
        raise InvalidRequest("A username or password must not contain NUL.")
    return Exchange("LOGIN", _base64(credentials.username), _base64(credentials.secret))


def bearer(credentials: Credentials, mechanisms: Container[str]) -> Exchange | None:
    """An access token, by OAUTHBEARER if the server has it, else by XOAUTH2; None if it has neither. Raises
    InvalidRequest for characters that could end a field, and a token that is not ASCII."""
    user, token = credentials.username, credentials.secret
    if not token.isascii() or not token.isprintable() or not user.isprintable():
        raise InvalidRequest("An access token is printable ASCII, a username printable.")
    field = f"auth=Bearer {token}\x01\x01"
    if "OAUTHBEARER" in mechanisms:
        name = user.replace("=", "=3D").replace(",", "=2C")  # both separate fields of the header (RFC 5801, 4)
        return Exchange("OAUTHBEARER", _base64(f"n,a={name},\x01{field}"), _base64("\x01"))
    if "XOAUTH2" in mechanisms:
        return Exchange("XOAUTH2", _base64(f"user={user}\x01{field}"), "")
    return None


def _base64(text: str) -> str:
    return b64encode(text.encode(errors="replace")).decode()
