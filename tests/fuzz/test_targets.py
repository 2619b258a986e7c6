"""The targets of `make fuzz` on their seeds, on these cut anywhere, and on whatever hypothesis makes of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

SEEDS = [(name, seed) for name, (_, seeds) in TARGETS.items() for seed in seeds]


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_cut_anywhere_break_nothing(name: str) -> None:
    target, seeds = TARGETS[name]
    for seed in seeds:
        for at in range(len(seed) + 1):
            target(seed[:at])
            target(seed[at:])


@given(st.sampled_from(SEEDS), st.binary(max_size=20), st.data())
def test_seeds_with_anything_in_them_break_nothing(
    named: tuple[str, bytes], inserted: bytes, data: st.DataObject
) -> None:
    name, seed = named
    start, end = sorted(data.draw(st.tuples(st.integers(0, len(seed)), st.integers(0, len(seed)))))
    TARGETS[name][0](seed[:start] + inserted + seed[end:])
