"""The place of an octet in base64, by arithmetic."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.mail.mime.transfer.grid import grid_of


def written(octets: bytes, width: int, end: bytes = b"\r\n") -> bytes:
    text = b64encode(octets)
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    return b"\r\n".join(lines) + end


@given(
    st.binary(min_size=1, max_size=2000), st.integers(1, 25), st.sampled_from([b"", b"\r\n", b"\r\n\r\n"]), st.data()
)
def test_any_octet_is_where_the_grid_says(octets: bytes, quads: int, end: bytes, data: st.DataObject) -> None:
    """As decoding from the start would find it."""
    width = quads * 4
    text = written(octets, width, end)
    grid = grid_of(text[: len(text) * 2 // 3], len(text))
    if grid is None:  # not one whole line before the end
        assert len(text) * 2 // 3 < width + 2
        return
    assert grid.size(text[grid.last :]) == len(octets)
    start = data.draw(st.integers(0, len(octets) - 1))
    stop = data.draw(st.integers(start + 1, len(octets)))
    first, last = grid.place(start), min(len(text), grid.place(stop - 1) + grid.row)
    found = grid.decode(first, text[first:last])
    assert found is not None
    skipped = first // grid.row * grid.yields
    assert found[start - skipped : stop - skipped] == octets[start:stop]


@pytest.mark.parametrize(
    "text",
    [
        b"QUJD\r\nQUJDQUJD\r\n" * 10, b"QUJD\n" * 20, b"QUJDQ\r\n" * 20, b"QQ==\r\n" * 20, b"", b"QUJD", b"!UJD\r\n" * 20,
    ],
)  # fmt: skip
def test_what_has_no_lines_of_one_length_has_no_grid(text: bytes) -> None:
    assert grid_of(text, len(text) + 100) is None


@pytest.mark.parametrize(
    "end", [b"QUJD\r\nQU", b"QUJD\r\nQ===", b"QU==\r\nQUJD", b"QUJDQUJD", b"QUJD\r\n\r\n\r\n\r\n", b"Q!JD\r\n"]
)
def test_an_end_off_the_grid_has_no_size(end: bytes) -> None:
    head = b"QUJD\r\n" * 10
    grid = grid_of(head, len(head) + len(end))
    assert grid is not None
    text = head + end
    assert grid.size(text[grid.last :]) is None
    assert grid.size(text[grid.last :] + b"x") is None


def test_lines_off_the_grid_are_not_decoded() -> None:
    grid = grid_of(b"QUJD\r\n" * 10, 1000)
    assert grid is not None
    assert grid.decode(0, b"QUJD\r\n" * 2) == b"ABCABC"
    for rows in (b"QUJD\r\nQU\r\nQU", b"UJD\r\nQUJD\r\nQ", b"QUJD\r\nQU==\r\n"):
        assert grid.decode(0, rows) is None
