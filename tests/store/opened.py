"""Stores for tests, and work in them."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from service.store.model import Item
from service.store.opened import Store
from service.store.subscriptions import Watched

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
SECRET = b"canary-of-the-content"


@asynccontextmanager
async def opened(url: str, keys: Sequence[bytes] = (OLD,)) -> AsyncIterator[Store]:
    store = Store(url, keys)
    try:
        yield store
    finally:
        await store.aclose()


async def keep(
    store: Store,
    account: str,
    number: str | None = None,
    *,
    name: str = "phone",
    seconds: float = 600,
    most: int | None = None,
) -> None:
    """An active subscription of an account that has a mark."""
    item = Item(number or f"{account}-{name}", SECRET, 0, time.time() + seconds)
    watched = Watched(account, SECRET, f"session of {account}", b"mark")
    await store.subscriptions.keep(watched, item, name, is_active=True, most=most)
