"""Which messages are the same, whatever their server does with the ends of lines."""

import pytest

from service.mail.mime.digest import Digest

WHOLE = b"A: b\r\n\r\none\r\n\r\ntwo\r\n"


def digests(*octets: bytes) -> tuple[bytes, bytes]:
    digest = Digest()
    for piece in octets:
        digest.feed(piece)
    return digest.finish(), digest.finish_exactly()


@pytest.mark.parametrize("octets", [WHOLE, WHOLE.replace(b"\r\n", b"\n"), WHOLE.replace(b"\r\n", b"\r")])
def test_how_lines_end_and_how_octets_arrive_makes_no_difference(octets: bytes) -> None:
    for at in range(len(octets)):
        assert digests(octets[:at], octets[at:]) == digests(WHOLE)
    assert digests(*(octets[at : at + 1] for at in range(len(octets)))) == digests(WHOLE)


@pytest.mark.parametrize(
    "octets", [WHOLE.replace(b"\r\n\r\n", b"\r\n"), WHOLE.replace(b"one\r\n", b"one"), b"\r\n" + WHOLE]
)
def test_other_lines_make_other_messages(octets: bytes) -> None:
    assert digests(octets)[0] != digests(WHOLE)[0]


def test_the_last_line_ends_count_only_exactly() -> None:
    for octets in (WHOLE.removesuffix(b"\r\n"), WHOLE + b"\r\n", WHOLE + b"\r"):
        assert digests(octets)[0] == digests(WHOLE)[0]
        assert digests(octets)[1] != digests(WHOLE)[1]


def test_a_digest_may_be_asked_for_on_the_way() -> None:
    digest = Digest()
    for piece in (b"a\r", b"\n\n", b"b\r\n"):
        digest.feed(piece)
        digest.finish()
        digest.finish_exactly()
    assert (digest.finish(), digest.finish_exactly()) == digests(b"a\r\n\r\nb\r\n")
