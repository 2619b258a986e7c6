"""LIST and UIDL as servers write them."""

import pytest

from service.adapters.pop3.session.maildrop import read_maildrop


@pytest.mark.parametrize("blank", [b" ", b"   ", b"\t", b" \t "])
@pytest.mark.parametrize("end", [b"", b" ", b"\t"])
def test_any_run_of_blanks_separates_number_and_value(blank: bytes, end: bytes) -> None:
    """R-POP-22: the RFC has one space. Other servers pad their columns."""
    listing, unique_ids = (
        b"".join(b"%d%b%b%b\r\n" % (number, blank, value, end) for number, value in enumerate(values, 1))
        for values in ((b"120", b"9 octets"), (b"uid1", b"uid2"))
    )
    maildrop = read_maildrop(listing, unique_ids)
    assert maildrop.sizes == {1: 120, 2: 9}
    assert maildrop.uidls == {1: b"uid1", 2: b"uid2"}
