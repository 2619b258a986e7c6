"""Numbers that mail servers write."""

MAX_NUMBER = (1 << 63) - 1
"""The largest number of RFC 9051 (number64), and larger than any that POP3 needs."""
_MAX_DIGITS = 20


def read_number(token: object, most: int = MAX_NUMBER) -> int | None:
    """The number that these digits write; None for anything else, and beyond ``most``. Python itself refuses numbers of
    4,300 digits."""
    if not isinstance(token, bytes) or not token.isdigit() or len(token) > _MAX_DIGITS:
        return None
    value = int(token)
    return value if value <= most else None
