"""Content transfer encodings, good and bad."""

import base64
import binascii

import pytest

from service.mail.mime.transfer.decoding import decode, decoder


def flawed(octets: bytes, encoding: str) -> bool:
    found = decoder(encoding)
    found.feed(octets)
    found.finish()
    return found.flawed


@pytest.mark.parametrize(
    ("octets", "text", "is_flawed"),
    [
        (b"aGVs\r\nbG8=\r\n", b"hello", False),
        (b"aGVsbG8", b"hello", True),
        (b"aG V*s!bG8=", b"hello", True),
        (b"aGVsbG8=aGVsbG8=", b"hellohello", True),
        (b"aGVsbG8==", b"hello", False),
        (b"aGVsbG8=\r\n\r\n", b"hello", False),
        (b"aGVsbG8hI", b"hello!", True),
        (b"", b"", False),
        (b"====", b"", False),
        (b"\xff\0", b"", True),
    ],
)
def test_base64_gives_what_it_holds(octets: bytes, text: bytes, is_flawed: bool) -> None:
    """R-MIME-09."""
    assert decode(octets, "BASE64 ") == text
    assert flawed(octets, "base64") is is_flawed


@pytest.mark.parametrize(
    ("octets", "text", "is_flawed"),
    [
        (b"gr=C3=BCn", "grün".encode(), False),
        (b"soft=\r\nbreak", b"softbreak", False),
        (b"soft=  \r\nbreak", b"softbreak", False),
        (b"space \t\r\nline", b"space\r\nline", False),
        (b"end=", b"end", True),
        (b"end  ", b"end", False),
        (b"bad=ZZ", b"bad=ZZ", True),
        (b"low=c3=bc", "lowü".encode(), False),
        (b"a=\rb", b"ab", True),
        (b"a_b", b"a_b", False),
    ],
)
def test_quoted_printable_gives_what_it_holds(octets: bytes, text: bytes, is_flawed: bool) -> None:
    """R-MIME-09."""
    assert decode(octets, "quoted-printable") == text
    assert flawed(octets, "quoted-printable") is is_flawed


def test_uuencode_is_read_between_begin_and_end() -> None:
    """R-MIME-09."""
    lines = b"".join(binascii.b2a_uu(bytes(range(start, start + 40))) for start in range(0, 200, 40))
    octets = b"preface\r\nbegin 644 a.bin\n" + lines + b"`\nend\nepilogue\n"
    assert decode(octets, "x-uuencode") == bytes(range(200))
    assert not flawed(octets, "x-uuencode")
    assert flawed(b"begin 644 a\n#abc", "uuencode")


@pytest.mark.parametrize("encoding", [None, "", "7bit", "8bit", "binary", "8BIT"])
def test_what_is_not_encoded_is_passed_on(encoding: str | None) -> None:
    """R-MIME-09."""
    assert decode(b"a=3D\0\xff\r\n", encoding) == b"a=3D\0\xff\r\n"


def test_what_is_unknown_is_passed_on_with_a_flag() -> None:
    """R-MIME-09."""
    assert decode(b"a=3D", "x-yenc") == b"a=3D"
    assert flawed(b"a", "x-yenc")


def test_a_double_encoded_body_is_decoded_once() -> None:
    """R-MIME-09."""
    assert decode(base64.b64encode(b"aGVsbG8="), "base64") == b"aGVsbG8="
