"""The secrets by which back ends verify webhooks, in the form of Standard Webhooks."""

from base64 import b64decode, b64encode
from binascii import Error
from secrets import token_bytes

_PREFIX = "whsec_"


def new_secret() -> str:
    """A new one."""
    return _PREFIX + b64encode(token_bytes(32)).decode()


def key_in(secret: str) -> bytes:
    """Empty if it is none."""
    try:
        return b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (Error, ValueError):
        return b""
