"""The engine that looks for growth sees it, and does not see it elsewhere."""

import re

from tests.pumps import Growth, growth, pairs, pumped

SIZES = (4 << 10, 8 << 10, 16 << 10)
_TRAILING = re.compile(rb" +\n")


def quadratic(octets: bytes) -> None:
    """At every space looks for the end of all of them."""
    _TRAILING.search(octets)


def linear(octets: bytes) -> None:
    for _ in range(20):
        [each for each in octets if each == 32]


def test_quadratic_work_is_found_by_the_prefix_that_causes_it() -> None:
    """R-MIME-23."""
    assert [each.prefix for each in growth(quadratic, [b"a", b" ", b" \n"], SIZES)] == [b" "]


def test_linear_work_is_not() -> None:
    """R-MIME-23."""
    assert growth(linear, [b"a", b" "], (16 << 10, 32 << 10, 64 << 10)) == []


def test_work_beyond_the_bound_is_found_however_it_grows() -> None:
    """R-MIME-23."""
    assert [each.prefix for each in growth(linear, [b"a"], (64 << 10, 128 << 10, 256 << 10), bound=0.0001)] == [b"a"]


def test_what_a_function_raises_is_none_of_the_engine_s_business() -> None:
    """R-MIME-23."""
    assert growth(int, [b"x"], SIZES) == []


def test_one_step_is_no_growth() -> None:
    """R-MIME-23."""
    assert Growth(b"a", (1, 2, 4), (0.001, 0.1, 0.2)).is_linear
    assert Growth(b"a", (1, 2, 4), (0.001, 0.002, 0.039)).is_linear
    assert not Growth(b"a", (1, 2, 4), (0.003, 0.012, 0.048)).is_linear


def test_a_prefix_fills_the_size() -> None:
    """R-MIME-23."""
    assert pumped(b"abc", 7) == b"abcabca"
    assert list(pairs([b"a", b"b"])) == [b"a", b"b", b"ab", b"ba"]
