"""Numbers and sets of numbers, as servers write them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.adapters.imap.wire.arguments import uid_set
from service.adapters.imap.wire.values.numbers import (
    MAX_RUNS,
    MAX_UID,
    clip,
    count,
    members,
    number,
    read_ranges,
    read_runs,
)
from service.mail.errors import UpstreamProtocol
from service.mail.numbers import read_number

uids = st.integers(1, MAX_UID)


@pytest.mark.parametrize(
    ("token", "value"),
    [(b"0", 0), (b"9", 9), (b"4294967295", MAX_UID), (b"4294967296", None), (b"9" * 5000, None), (b"-1", None),
     (b"", None), (b"1e9", None), (b"\xb2", None), (None, None), ([b"1"], None)],
)  # fmt: skip
def test_a_number_is_digits_within_its_bound(token: object, value: int | None) -> None:
    """R-IMAP-33: Python refuses to read more than 4,300 digits, by an error of its own."""
    assert read_number(token, MAX_UID) == value
    if value is None:
        with pytest.raises(UpstreamProtocol):
            number(token, MAX_UID)


@given(st.sets(uids, min_size=1))
def test_a_set_is_read_as_it_was_written(found: set[int]) -> None:
    ranges = read_ranges(uid_set(found))
    assert count(ranges) == len(found)
    assert list(members(ranges)) == sorted(found)


@given(st.lists(st.tuples(uids, uids), min_size=1, max_size=5), uids)
def test_ranges_are_ascending_disjoint_and_cut(runs: list[tuple[int, int]], most: int) -> None:
    """R-IMAP-32: whatever order and overlap a server writes."""
    ranges = read_ranges(b",".join(b"%d:%d" % run for run in runs))
    assert all(low <= high for low, high in ranges)
    assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(ranges))
    assert all(any(low <= min(run) and max(run) <= high for low, high in ranges) for run in runs)
    assert count(clip(ranges, most)) == sum(max(0, min(high, most) - low + 1) for low, high in ranges)


def test_runs_keep_their_order() -> None:
    """COPYUID pairs two sets by their order (RFC 4315, 3)."""
    assert list(members(read_runs(b"9,3:1,7"))) == [9, 1, 2, 3, 7]


@pytest.mark.parametrize("text", [b"*", b"1:*", b"", b"1,,2", b"1:2:3", b"a", b"4294967296", b"1," * MAX_RUNS + b"1"])
def test_an_invalid_set_is_a_broken_answer(text: bytes) -> None:
    """R-IMAP-32."""
    with pytest.raises(UpstreamProtocol):
        read_ranges(text)


def test_four_billion_numbers_are_counted_and_not_created() -> None:
    """R-IMAP-32."""
    assert count(read_ranges(b"1:4294967295," * 300 + b"1")) == MAX_UID
