"""Days, moments and sizes as people write them."""

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta

MAX_SIZE = 2**63 - 1
_DATE = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})",
    re.IGNORECASE,
)
_AGE = re.compile(r"([0-9]{1,5})([dwmy])", re.IGNORECASE)
_NAMED_DAYS = {"today": 0, "yesterday": 1}
_NUMBER = re.compile(r"([0-9]{1,19})(?:\.([0-9]{1,9}))?(?:([kmg])(?:i?b)?|b)?", re.IGNORECASE)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


class BadValueError(Exception):
    """A value that is not valid for its field. The caller knows its position in the text."""


def moment(text: str) -> datetime | None:
    """An instant of RFC 3339, in UTC; None for a text of another form."""
    if _MOMENT.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadValueError("There is no such moment.") from None


def day(text: str, today: date) -> date:
    """A date, an age such as ``7d``, or a named day. BadValueError for anything else."""
    try:
        if (match := _DATE.fullmatch(text)) is not None:
            return date(int(match[1]), int(match[3]), int(match[4]))
        if (match := _AGE.fullmatch(text)) is not None:
            return _days_ago(today, int(match[1]), match[2].lower())
        if text.lower() in _NAMED_DAYS:
            return today - timedelta(days=_NAMED_DAYS[text.lower()])
    except (ValueError, OverflowError):
        raise BadValueError("There is no such day.") from None
    raise BadValueError("Not a date. Write 2026-01-31, an age such as 7d, 2w, 3m or 1y, today or yesterday.")


def _days_ago(today: date, number: int, unit: str) -> date:
    """A month ago is the same day of the month before, or its last."""
    if unit in {"d", "w"}:
        return today - timedelta(days=number * (7 if unit == "w" else 1))
    year, month = divmod(today.year * 12 + today.month - 1 - number * (12 if unit == "y" else 1), 12)
    if year < 1:
        raise ValueError(number)
    return date(year, month + 1, min(today.day, monthrange(year, month + 1)[1]))


def size(text: str) -> int:
    """The number of octets. Raises BadValueError for another text, and for more than a message can have."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise BadValueError("Not a size. Write octets, or 10K, 1.5M, 1G.")
    fraction = match[2] or ""
    octets: int = int(match[1] + fraction) * _UNITS[(match[3] or "").lower()] // 10 ** len(fraction)
    if octets >= MAX_SIZE:
        raise BadValueError("No mail is that large.")
    return octets
