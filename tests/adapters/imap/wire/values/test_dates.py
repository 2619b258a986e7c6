"""Dates of messages as servers write them."""

from datetime import UTC, datetime

import pytest

from service.adapters.imap.wire.values.dates import read_date_time, write_date_time
from service.mail.mime.headers.dates import parse_date

NOON = datetime(2023, 3, 8, 12, 16, 47, tzinfo=UTC)


@pytest.mark.parametrize(
    "date",
    [
        b"08-Mar-2023 12:16:47 +0000", b" 8-Mar-2023 20:16:47 +0800", b"8-Mar-2023 20:16:47 +0800",
        b"8-Mar-2023 04:16:47 -0800", b"08-Mar-2023 14:16:47 +02", b"8-Mar-2023 14:16:47 +02:00",
        b"08-Mar-2023 12:16:47 GMT", b"08-Mar-2023 12:16:47", b"08-March-2023 14:16:47 +0200",
        b"08-Mar-23 14:16:47 +0200", b"Wed, 08 Mar 2023 20:16:47 +0800", b"08-mar-2023 14:16:47 +0200",
    ],
)  # fmt: skip
def test_a_date_is_read_with_its_zone(date: bytes) -> None:
    """R-IMAP-49: days of one digit, zones in other forms, the date of a header."""
    assert read_date_time(date) == NOON


@pytest.mark.parametrize("date", [b"00-Jan-0000 00:00:00 +0000", b"08-Mar-2023 12:16:47 +2400", b"8-Mar-2023", b"NIL"])
def test_an_impossible_date_is_absent(date: bytes) -> None:
    """R-IMAP-49."""
    assert read_date_time(date) is None


def test_a_date_is_read_back_as_it_was_written() -> None:
    assert read_date_time(write_date_time(NOON).strip(b'"')) == NOON


@pytest.mark.parametrize(
    ("date", "hours"),
    [("+02", 2), ("-3", -3), ("GMT+2", 2), ("+0200", 2), ("+200", 2), ("+02:00", 2)],
)
def test_a_zone_of_hours_alone_is_read(date: str, hours: int) -> None:
    """R-IMAP-49: in a header too."""
    moment = parse_date(f"Wed, 8 Mar 2023 12:00:00 {date}")
    assert moment is not None
    offset = moment.utcoffset()
    assert offset is not None
    assert offset.total_seconds() == hours * 3600
