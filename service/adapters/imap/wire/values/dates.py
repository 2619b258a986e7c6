"""Reads and writes dates as IMAP has them (RFC 9051, 9: date, date-time)."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

from service.adapters.imap.wire.tokens import Token
from service.mail.mime.headers.dates import MONTHS, parse_date

_USUAL_LENGTH = len("17-Jul-1996 02:44:25 -0700")
_IMPOSSIBLE_ZONE = re.compile(rb"[+-]\d{5}")
_NUMBERS = {name.lower().encode(): number for number, name in enumerate(MONTHS, 1)}


def write_date(day: date) -> bytes:
    """Returns ``1-Feb-1994``."""
    return f"{day.day}-{MONTHS[day.month - 1]}-{day.year:04}".encode()


def write_date_time(moment: datetime) -> bytes:
    """Returns ``"17-Jul-1996 09:44:25 +0000"``: quoted, in UTC, the day padded with a space."""
    utc = moment.astimezone(UTC)
    return f'"{utc.day:2}-{MONTHS[utc.month - 1]}-{utc.year:04} {utc:%H:%M:%S} +0000"'.encode()


def read_date_time(token: Token) -> datetime | None:
    """Returns the moment of ``17-Jul-1996 02:44:25 -0700`` in UTC. Other forms are read as in a header: servers write
    days of one digit, zones as ``+02`` or ``GMT``, or the header's Date itself. Returns None if it is not a date."""
    if not isinstance(token, bytes):
        return None
    moment = _usual(token) if len(token) == _USUAL_LENGTH else None
    if moment is None and not _IMPOSSIBLE_ZONE.search(token) and (read := parse_date(token)) is not None:
        moment = read.astimezone(UTC)
    return moment


def _usual(token: bytes) -> datetime | None:
    try:
        day, month, year = token[:11].strip().split(b"-")
        hour, minute, second = map(int, token[12:20].split(b":"))
        zone = _zone(int(token[21:26]))
        moment = datetime(int(year), _NUMBERS[month.lower()], int(day), hour, minute, second, tzinfo=zone)
        return moment.astimezone(UTC)
    except (ValueError, KeyError, OverflowError):
        return None


@lru_cache(maxsize=256)
def _zone(number: int) -> timezone:
    """Of ``-0700``, hours and minutes in one number."""
    minutes = abs(number) // 100 * 60 + abs(number) % 100
    return timezone(timedelta(minutes=minutes if number >= 0 else -minutes))
