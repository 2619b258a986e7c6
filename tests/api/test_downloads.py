"""Names and types from hostile mail as headers."""

import re
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.downloads import _headers, disposition
from service.mail.exchange import Download, Span


async def nothing() -> AsyncGenerator[bytes, None]:
    """An octet outside every requested range."""
    yield b"x"


@given(st.text(max_size=400))
def test_any_name_is_one_harmless_header(name: str) -> None:
    """R-HTTP-10: encodable, one line, nothing that ends a quoted string."""
    header = disposition("attachment", name)
    header.encode("ascii")
    assert not set(header) & set("\r\n\0\\/")
    assert header.count('"') in {0, 2}
    assert len(header) < 2500


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.pdf", 'attachment; filename="a.pdf"'), (None, "attachment"), ("", "attachment"),
        ('a"b', 'attachment; filename="a_b"'), ("a\r\nb", 'attachment; filename="a__b"'), ("../x", 'attachment; filename=".._x"'),
        ("é.pdf", "attachment; filename=\"_.pdf\"; filename*=UTF-8''%C3%A9.pdf"), ("a;b", "attachment; filename=\"a_b\"; filename*=UTF-8''a%3Bb"),
        ("gpj.\u202eexe", 'attachment; filename="gpj._exe"'), ("\ud800x", "attachment; filename=\"_x\"; filename*=UTF-8''%3Fx"),
    ],
)  # fmt: skip
def test_names_are_written_as_rfc_6266_says(name: str | None, header: str) -> None:
    """R-HTTP-10, R-MIME-17."""
    assert disposition("attachment", name) == header


@pytest.mark.parametrize(
    ("declared", "inline", "type_", "placed"),
    [
        ("text/html", True, "application/octet-stream", "attachment"), ("image/svg+xml", True, "application/octet-stream", "attachment"),
        ("application/xhtml+xml", True, "application/octet-stream", "attachment"), ("text/javascript", True, "application/octet-stream", "attachment"),
        ("application/pdf", True, "application/pdf", "attachment"), ("image/png", True, "image/png", "inline"),
        ("image/png", False, "image/png", "attachment"), ("text/plain", True, "text/plain", "inline"),
        ("text/x-weird", True, "application/octet-stream", "attachment"), ("text/html; x", False, "application/octet-stream", "attachment"),
        ("a/b\r\nX: y", False, "application/octet-stream", "attachment"), ("", False, "application/octet-stream", "attachment"),
        ("message/rfc822", False, "message/rfc822", "attachment"), ("multipart/mixed", True, "application/octet-stream", "attachment"),
    ],
)  # fmt: skip
def test_no_type_that_could_run_is_sent_under_its_name(declared: str, inline: bool, type_: str, placed: str) -> None:
    """R-MIME-16: and every answer is sandboxed."""
    headers = _headers(Download(nothing(), "tag", declared, "x"), inline)
    assert headers["Content-Type"] == type_
    assert re.match(placed + ";", headers["Content-Disposition"])
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]


@given(st.integers(0, 50), st.none() | st.integers(0, 60), st.integers(1, 50))
def test_a_span_is_what_slices_are(first: int, last: int | None, size: int) -> None:
    """R-HTTP-09."""
    from service.mail.errors import RangeNotSatisfiable

    octets = bytes(range(size))
    expected = octets[first : size if last is None else last + 1]
    try:
        start, stop = Span(first, last).within(size)
    except RangeNotSatisfiable:
        assert not expected
    else:
        assert octets[start:stop] == expected
