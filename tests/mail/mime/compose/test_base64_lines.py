"""Base64 of a stream, however it is cut."""

from base64 import encodebytes

from hypothesis import given
from hypothesis import strategies as st

from service.mail.mime.compose.base64_lines import Base64Lines, encoded_size
from tests.mail.mime.compose.assembled import many


@many
@given(pieces=st.lists(st.binary(max_size=200), max_size=8))
def test_lines_are_those_of_the_whole(pieces: list[bytes]) -> None:
    lines = Base64Lines()
    out = b"".join(map(lines.feed, pieces)) + lines.finish()
    whole = b"".join(pieces)
    assert out == encodebytes(whole).replace(b"\n", b"\r\n")
    assert len(out) == encoded_size(len(whole))
    assert lines.finish() == b""
