"""What stays of a message that was fetched."""

import asyncio
import gc
from weakref import ref

from service.adapters.pop3.source import KEPT, Source, SourceCache
from service.spool import Spool


def made() -> Source:
    spool = Spool(1000)
    spool.write(b"Subject: hello\r\n\r\nworld\r\n")
    return Source(spool)


async def test_a_fetched_message_is_freed_even_if_it_is_not_read_again() -> None:
    """R-OPS-22: at most a few are kept, the one used least recently goes first, and all go by themselves."""
    shelf = SourceCache(0.2)
    kept = ref(source := made())
    shelf.put(b"0", source)
    del source
    for number in range(1, KEPT + 1):
        shelf.get(b"0")
        shelf.put(b"%d" % number, made())
    assert shelf.get(b"0") is kept()
    assert shelf.get(b"1") is None
    async with asyncio.timeout(20):
        while kept() is not None:
            await asyncio.sleep(0.02)
            gc.collect()
    assert shelf.get(b"0") is None


async def test_a_message_that_was_deleted_is_forgotten_and_a_closed_account_keeps_none() -> None:
    """R-OPS-22"""
    shelf = SourceCache(60)
    for place in (b"one", b"two"):
        shelf.put(place, made())
    shelf.forget(b"one")
    shelf.forget(b"one")
    assert shelf.get(b"one") is None
    shelf.clear()
    assert shelf.get(b"two") is None
