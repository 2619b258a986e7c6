"""Dates of mail (RFC 5322, 3.3 and 4.3), and the ways they are written wrong."""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

MAX_OCTETS = 200

_COMMENT = re.compile(r"\([^()]*\)")
_CLOCK = r"(?P<hour>\d{1,2})[:.](?P<minute>\d{1,2})(?:[:.](?P<second>\d{1,2})(?:\.\d{1,9})?)?\s*(?P<noon>[ap]m\b)?"
_ZONE = r"\s*(?P<zone>(?:gmt|utc?)?\s*[+-](?:\d{1,2}:?\d{2}(?!\d)|\d{1,2}(?![\d:]))|[a-z]{1,5}\b)?"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?<!\d)(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s.,-]{{1,9}}(?P<month>[a-z]{{3,9}})[\s.,-]{{1,9}}(?P<year>\d{{2,4}})[\s,]{{1,9}}{_CLOCK}{_ZONE}",
        rf"\b(?P<month>[a-z]{{3,9}})[\s.]{{1,9}}(?P<day>\d{{1,2}})\s{{1,9}}{_CLOCK}{_ZONE}\s{{1,9}}(?P<year>\d{{4}})(?!\d)",
        rf"\b(?P<month>[a-z]{{3,9}})[\s.]{{1,9}}(?P<day>\d{{1,2}}),?\s{{1,9}}(?P<year>\d{{4}})[\s,]{{1,9}}{_CLOCK}{_ZONE}",
        rf"(?<!\d)(?P<year>\d{{4}})-(?P<month>\d{{2}})-(?P<day>\d{{2}})[T\s]{{1,9}}{_CLOCK}{_ZONE}",
    )
)
# As nearly all mail software writes it.
_USUAL = re.compile(
    rb"(?:[A-Z][a-z]{2}, )?(\d{1,2}) ([A-Z][a-z]{2}) (2\d{3}|19[5-9]\d) ([01]\d|2[0-3]):([0-5]\d):([0-5]\d)"
    rb" ([+-](?:0\d|1[0-5])[0-5]\d)(?: \([A-Z]{1,5}\))?"
)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBERS = {name.encode(): number for number, name in enumerate(MONTHS, 1)}
# RFC 5322, 4.3: the zones with a known offset; all other letters count as UTC.
_ZONES = {"edt": -4, "est": -5, "cdt": -5, "cst": -6, "mdt": -6, "mst": -7, "pdt": -7, "pst": -8, "cet": 1, "cest": 2}


def parse_date(raw: bytes | str | None) -> datetime | None:
    """The moment with the offset it was written with; None for anything else, such as year 0 or zone +9999."""
    if not raw:
        return None
    if isinstance(raw, bytes) and (usual := _USUAL.fullmatch(raw.strip())) and (moment := _usual(usual)) is not None:
        return moment
    text = raw[:MAX_OCTETS].decode("latin-1") if isinstance(raw, bytes) else raw[:MAX_OCTETS]
    for _ in range(text.count("(")):
        text = _COMMENT.sub(" ", text)
    for form in _FORMS:
        match = form.search(text)
        if match is not None and (moment := _date(match.groupdict())) is not None:
            return moment
    return None


def _usual(match: re.Match[bytes]) -> datetime | None:
    day, month, year, hour, minute, second, zone = match.groups()
    try:
        return datetime(
            int(year), _NUMBERS[month], int(day), int(hour), int(minute), int(second), tzinfo=_known_zone(zone)
        )
    except (KeyError, ValueError):
        return None


@lru_cache(maxsize=256)
def _known_zone(digits: bytes) -> timezone:
    return _zone(digits.decode())


def _date(fields: dict[str, str | None]) -> datetime | None:
    month, hour = _month(fields["month"] or ""), int(fields["hour"] or 0)
    if fields["noon"]:
        hour = hour % 12 + (12 if fields["noon"].lower() == "pm" else 0)
    try:
        date = datetime(
            _year(fields["year"] or ""),
            month,
            int(fields["day"] or 0),
            hour,
            int(fields["minute"] or 0),
            min(int(fields["second"] or 0), 59),
            tzinfo=_zone(fields["zone"] or ""),
        )
        # Near year 1 and 9999 a date may exist that UTC cannot say.
        return date if date.astimezone(UTC).year >= 1900 else None
    except (ValueError, OverflowError):
        return None


def _month(name: str) -> int:
    if name.isdecimal():
        return int(name)
    short = name[:3].capitalize()
    return MONTHS.index(short) + 1 if short in MONTHS else 0


def _year(digits: str) -> int:
    """RFC 5322, 4.3: two digits from 50 and three digits are years after 1900."""
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(digits) == 3 else year


def _zone(text: str) -> timezone:
    digits = re.sub(r"[^0-9+-]", "", text)
    if not digits:
        return timezone(timedelta(hours=_ZONES.get(text.lower(), 0)))
    sign, number = (-1 if digits[0] == "-" else 1), digits[1:]
    number = number.zfill(4) if len(number) > 2 else f"{number:0>2}00"  # +02 is hours
    hours, minutes = int(number[:2]), int(number[2:])
    if hours > 15 or minutes > 59:
        raise ValueError(text)
    return timezone(sign * timedelta(hours=hours, minutes=minutes))
