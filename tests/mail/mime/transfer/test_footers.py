"""Footers below base64."""

from base64 import encodebytes

import pytest

from service.mail.mime.message import read_message
from service.mail.mime.transfer.footers import MAX_FOOTER, part_footer
from tests.pumps import growth

TEXT = "grün und blau, "
HEADER = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
LIST = b"_______________________________________________\r\nA list\r\nlist@example.org\r\nhttps://lists.example.org/a"


def base64(text: str) -> bytes:
    return encodebytes(text.encode()).replace(b"\n", b"\r\n")


@pytest.mark.parametrize("repeated", [5, 7, 8])  # with and without padding
@pytest.mark.parametrize(
    "footer", [LIST, b"\r\n" + LIST, b"\r\nDisclaimer\r\nThis mail is for you alone.", b"-- \r\nscanned by example.org"]
)
def test_a_footer_does_not_spoil_the_text(repeated: int, footer: bytes) -> None:
    """R-MIME-09: a mailing list or a scanner added text to a body in base64, which was all read in a wrong charset."""
    source = HEADER + base64(TEXT * repeated) + footer + b"\r\n"
    body = read_message(source, id="m", folder_id="f", size=len(source)).body
    shown = footer.strip().replace(b"\r\n", b"\n").decode()
    assert body.text == f"{TEXT * repeated}\n{shown}"
    assert body.warnings == ("encoding-problem",)


@pytest.mark.parametrize(
    "stored",
    [
        base64(TEXT * 20),
        base64(TEXT * 20)[:-10] + b"!\r\n",
        base64(TEXT * 20)[:80] + b"\r\n\r\n-- \r\na footer?\r\n" + base64(TEXT * 20),
        b"Z3LD vG4=\r\nZ3L!DvG4=\r\n",
        LIST,
        base64(TEXT * 20) + b"_ a\r\n" * MAX_FOOTER,
    ],
)
def test_other_odd_characters_are_left_to_the_decoder(stored: bytes) -> None:
    """R-MIME-09."""
    assert part_footer(stored) == (stored, b"")


@pytest.mark.parametrize("ends", [b"", b"_", b"\n-- \na b"])
def test_the_search_is_linear(ends: bytes) -> None:
    """R-MIME-19."""
    pumps = [b"A" * 60 + b"\r\n", b"A", b"A\n", b"\n", b"\n \r\n", b"_\n", b" ", b"=\n", b"A" * 60 + b" ", b"ab a"]
    sizes = (64 << 10, 256 << 10, 1 << 20)
    grown = growth(lambda pumped: [part_footer(b"_\n" + pumped + ends), part_footer(pumped + ends)], pumps, sizes, 1.0)
    assert not [each for each in grown if each.seconds[-1] > 0.05]
