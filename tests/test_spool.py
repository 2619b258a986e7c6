"""Octets put aside, in memory and in a file."""

from pathlib import Path

import pytest

from service.mail.errors import TooLarge
from service.spool import Spool


def test_a_spool_reads_the_same_from_memory_and_file() -> None:
    spool = Spool(10_000_000)
    whole = b""
    for number in range(40):
        piece = bytes([number]) * 100_000
        spool.write(piece)
        whole += piece
        assert spool.read(0, spool.size) == whole
    assert spool.read(999_990, 1_000_010) == whole[999_990:1_000_010]
    assert spool.read(3_999_999, 5_000_000) == whole[3_999_999:]
    with pytest.raises(TooLarge):
        spool.write(b"x" * 6_000_001)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files by /proc")
def test_a_spool_gives_its_file_back() -> None:
    """Nobody closes a spool: it goes with its last reader, even one that never read."""

    def files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = files()
    spool = Spool(10_000_000)
    spool.write(b"x" * 2_000_000)
    chunks = spool.chunks(0, 10)
    assert files() == before + 1
    del spool, chunks
    assert files() == before
