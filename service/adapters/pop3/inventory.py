"""The inventory of a maildrop, and the octets of several messages."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from service.adapters.pop3.session.session import Outdated, Session
from service.adapters.pop3.wire.replies import PROTOCOL
from service.adapters.shared.threads import in_thread
from service.mail.errors import MailError, NotFound, UpstreamProtocol, UpstreamTimeout, UpstreamUnavailable
from service.mail.inventory import UNNAMED, Item, arrival, name_of

AT_ONCE = 50
"""How many headers are in memory at a time."""
SMALL = 4 << 20
"""Octets of a message that is not small: the mail server sends more than it listed."""
_LOST = (UpstreamProtocol, UpstreamTimeout, UpstreamUnavailable)


async def list_keys(session: Session) -> list[bytes]:
    """The key of each message, in the order of their numbers, as the maildrop is now. Copies without unique-ids share
    one."""
    if session.reused:
        raise Outdated("The mail server shows new mail in a new session only.", protocol=PROTOCOL)
    maildrop = await session.maildrop()
    unnamed = [number for number in maildrop.sizes if number not in maildrop.uidls]
    for start in range(0, len(unnamed), AT_ONCE):
        await session.blocks(unnamed[start : start + AT_ONCE])
    return [await session.key(number) for number in maildrop.sizes]


async def get_items(keys: Sequence[bytes], session: Session) -> dict[bytes, Item]:
    """Of those that exist, without ids. A message whose header the server does not give alone has no name."""
    numbers, sizes = await _numbers(keys, session), (await session.maildrop()).sizes
    items: dict[bytes, Item] = {}
    found = list(numbers)
    for start in range(0, len(found), AT_ONCE):
        piece = found[start : start + AT_ONCE]
        blocks = await session.blocks([numbers[key] for key in piece])
        for key in piece:
            block, size = blocks.get(numbers[key], b""), sizes[numbers[key]]
            items[key] = await in_thread(partial(_item, block, size), len(block))
        await asyncio.sleep(0)
    return items


def _item(block: bytes, size: int) -> Item:
    return Item("", name_of(block) if block else UNNAMED, size, arrival(block), ())


async def read_sources(keys: Sequence[bytes], session: Session) -> dict[bytes, bytes]:
    """Of those that exist and that the server gives. One round trip for each. Without the last ones if the server
    sends much more than it listed."""
    sources: dict[bytes, bytes] = {}
    octets = 0
    for key, number in (await _numbers(keys, session)).items():
        if octets > SMALL:
            break
        try:
            spool = await session.fetch(number, SMALL)
        except _LOST:
            raise
        except MailError:  # it is read alone, and then the error is seen
            continue
        sources[key] = spool.read(0, spool.size)
        octets += spool.size
    return sources


async def _numbers(keys: Sequence[bytes], session: Session) -> dict[bytes, int]:
    numbers: dict[bytes, int] = {}
    for key in keys:
        with suppress(NotFound):
            numbers[key] = (await session.find(key))[0]
    return numbers
