"""The inventory of a folder, and the octets of many small messages at once."""

from collections.abc import Collection, Sequence

from service.adapters.imap.session.access import Access, again
from service.adapters.imap.session.fetch import fetch, find_all
from service.adapters.imap.session.pool import Lane
from service.adapters.imap.wire.responses import FetchResponse, header_fields, octets
from service.adapters.imap.wire.values.dates import read_date_time
from service.adapters.imap.wire.values.flags import from_wire
from service.adapters.imap.writes.batch import Group
from service.mail.inventory import BEGINNING, UNNAMED, Item, header_name, id_name
from service.mail.numbers import read_number

_ITEMS = b"FLAGS RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
_BEGINNING = b"BODY.PEEK[]<0.%d>" % BEGINNING


class Inventory:
    """Reads inventories."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._ids = access.ids

    @again
    async def ids(self, folder: bytes) -> list[str]:
        """The ids of all messages, by UID. One round trip, and one to learn what is new."""
        async with self.access.within(folder, Lane.BULK) as selection:
            await selection.refresh()
            uids = await find_all(selection)
            return [self._ids.message(folder, selection.uid_validity, uid) for uid in uids]

    @again
    async def items(self, group: Group) -> dict[str, Item]:
        """One round trip; another one if there are messages without a Message-ID."""
        async with self.access.messages(group.folder, group.uid_validity, group.ids, Lane.BULK) as selection:
            rows = await fetch(selection, group.ids, _ITEMS)
            names = {uid: id_name(header_fields(row)) for uid, row in rows.items()}
            bare = [uid for uid, name in names.items() if name is None]
            beginnings = await fetch(selection, bare, _BEGINNING)
        for uid in bare:
            beginning = octets(beginnings.get(uid, {}), b"BODY[]<0>")
            names[uid] = header_name(beginning) if beginning else UNNAMED
        return {group.ids[uid]: _item(group.ids[uid], row, names[uid] or UNNAMED) for uid, row in rows.items()}

    @again
    async def sources(self, group: Group) -> dict[str, bytes]:
        """One round trip."""
        async with self.access.messages(group.folder, group.uid_validity, group.ids, Lane.BULK) as selection:
            rows = await fetch(selection, group.ids, b"BODY.PEEK[]")
        found = {group.ids[uid]: octets(row, b"BODY[]") for uid, row in rows.items()}
        return {message: source for message, source in found.items() if source is not None}

    @again
    async def kept_flags(self, folder: bytes, flags: Collection[str], wire: Sequence[str]) -> frozenset[str]:
        """By PERMANENTFLAGS (RFC 9051, 7.1). ``wire`` are the names of the flags in IMAP."""
        async with self.access.within(folder, Lane.BULK) as selection:
            return frozenset(flag for flag, word in zip(flags, wire, strict=True) if selection.keeps(word))


def _item(message: str, row: FetchResponse, name: bytes) -> Item:
    return Item(
        message,
        name,
        read_number(row.get(b"RFC822.SIZE")),
        read_date_time(row.get(b"INTERNALDATE")),
        from_wire(row.get(b"FLAGS")),
    )
