"""Finds messages that another process has moved, in the folder that they were moved to."""

from collections.abc import Mapping
from typing import NamedTuple

from service.adapters.imap.session.fetch import fetch
from service.adapters.imap.session.selection import Selection
from service.adapters.imap.wire.responses import FetchResponse, fetch_rows, octets
from service.mail.errors import UpstreamProtocol
from service.mail.numbers import read_number

START = 4096
"""Octets from the start of a message that are compared: all of a small one, else the header fields that tell deliveries
apart."""
CONTENT = b"RFC822.SIZE INTERNALDATE BODY.PEEK[]<0.%d>" % START
_MORE = 100
"""Messages that may have arrived since, beside as many as are looked for."""


class Likeness(NamedTuple):
    """What does not change if a message is moved: size, INTERNALDATE, the first ``START`` octets."""

    size: int
    received: bytes
    start: bytes


def likeness_of(row: FetchResponse) -> Likeness | None:
    """Of a row with ``CONTENT``. None if the server leaves something out: then the message cannot be found again."""
    size, received = read_number(row.get(b"RFC822.SIZE")), row.get(b"INTERNALDATE")
    try:
        start = octets(row, b"BODY[]<0>")
    except UpstreamProtocol:
        return None
    if size is None or not isinstance(received, bytes) or start is None:
        return None
    return Likeness(size, received.strip().lower(), start)


async def find_moved(selection: Selection, wanted: Mapping[int, Likeness]) -> dict[int, int]:
    """The UIDs in the selected folder of messages that left another one, by their old UIDs: looked for among the
    newest. Up to three round trips. Of messages that are alike, the order decides, which MOVE keeps."""
    await selection.refresh()
    if not selection.exists or not wanted:
        return {}
    oldest = max(1, selection.exists - 2 * len(wanted) - _MORE)
    answer = await selection.connection.run([b"FETCH", b"%d:*" % oldest, b"(UID RFC822.SIZE)"])
    sizes = {each.size for each in wanted.values()}
    sized = {uid: read_number(row.get(b"RFC822.SIZE")) for uid, row in (await fetch_rows(answer.untagged)).items()}
    rows = await fetch(selection, [uid for uid, size in sized.items() if size in sizes], CONTENT)
    found: dict[Likeness, list[int]] = {}
    for uid in sorted(rows):
        if (likeness := likeness_of(rows[uid])) is not None:
            found.setdefault(likeness, []).append(uid)
    return _matched(wanted, found)


def _matched(wanted: Mapping[int, Likeness], found: Mapping[Likeness, list[int]]) -> dict[int, int]:
    """From the newest back: older ones that are alike may have been there before."""
    pairs = ((old, found.get(wanted[old])) for old in sorted(wanted, reverse=True))
    return {old: uids.pop() for old, uids in pairs if uids}
