"""Reads the folders of a mailbox: names, counts, owners (RFC 9051, 6.3.9; RFC 5819, 2342)."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from service.adapters.imap.folders.namespace import Namespaces, namespace_lines, read_namespaces, read_rights
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.wire.arguments import Literal, Piece, string
from service.adapters.imap.wire.pace import paced
from service.adapters.imap.wire.responses import ListedFolder, list_rows, status_rows
from service.adapters.imap.wire.status import error_from
from service.mail.errors import NotFound
from service.mail.model import Namespace

INBOX = b"INBOX"
OWN_FOLDER = b"Casella-Settings"
"""Holds the settings on a server without METADATA. No list has it, because it contains no mail."""
UNSELECTABLE = frozenset({"\\noselect", "\\nonexistent"})
_BATCH = 100
"""Commands in flight at once: few enough that neither side waits for the other with full buffers."""
_MAX_RIGHTS = 500
_ALL = b"*"
_ONE_ROUND_TRIP = frozenset({"LIST-EXTENDED", "LIST-STATUS", "SPECIAL-USE"})
Counts = dict[bytes, dict[bytes, int]]


class FolderListing:
    """The folders as the server lists them."""

    def __init__(
        self,
        rows: list[ListedFolder],
        counts: Counts,
        namespaces: Namespaces,
        rights: dict[bytes, str],
        digest: bytes | None = None,
    ) -> None:
        """``digest`` is that of ``read_new_listing``; None if no single answer says all of it."""
        own = namespaces.personal + OWN_FOLDER
        self.rows = [row for row in _with_inbox(rows) if row.name != own]
        self._names = frozenset(row.name for row in self.rows)
        self.counts = {canonical(name): numbers for name, numbers in counts.items()}
        self.namespaces = namespaces
        self.rights = {canonical(name): letters for name, letters in rights.items()}
        self.digest = digest

    def shown(self, name: bytes) -> bytes:
        """The name without the prefix that all of the user's folders have (``INBOX.`` on Courier and Cyrus). With it if
        another of the user's folders has the rest as its name, or if the rest would look like the inbox."""
        bare = self.namespaces.bare(name)
        delimiter = self.namespaces.delimiter
        top = bare.partition(delimiter)[0] if delimiter else bare
        is_taken = bare in self._names and self.namespaces.of(bare) is Namespace.PERSONAL
        return name if top.upper() == INBOX or is_taken else bare

    def is_inbox(self, name: bytes) -> bool:
        """Whether people see the name as that of the inbox."""
        return self.namespaces.bare(name).upper() == INBOX

    def row(self, name: bytes) -> ListedFolder:
        """The row of this name. Raises NotFound("folder") if it is not listed."""
        folder = next((row for row in self.rows if row.name == name), None)
        if folder is None:
            raise NotFound("folder")
        return folder


def _with_inbox(listed: list[ListedFolder]) -> list[ListedFolder]:
    """INBOX exists even if LIST leaves it out, and has one spelling here (RFC 9051, 5.1)."""
    rows = {name: row._replace(name=name) for row in listed for name in (canonical(row.name),)}
    return list(rows.values()) if INBOX in rows else [ListedFolder(INBOX, None, frozenset()), *rows.values()]


def canonical(name: bytes) -> bytes:
    """The name, with INBOX in capitals: servers take it in any letter case (RFC 9051, 5.1), and may write ``Inbox`` in
    one response and ``INBOX`` in another. Names below it are kept as they are: for those the case may matter."""
    return INBOX if name.upper() == INBOX else name


async def read_listing(connection: Connection, items: bytes) -> FolderListing:
    """One round trip with LIST-STATUS; with plain IMAP4rev1 two, and one more for each hundred folders. The first of a
    connection costs one more for folders of others that the server does not list with the rest. If there are such
    folders, one more for the rights on each hundred of them. If there is news of a folder that is selected,
    one more: Dovecot answers STATUS of that one from what the connection knows already."""
    listing = await read_new_listing(connection, items, None)
    assert listing is not None
    return listing


async def read_new_listing(connection: Connection, items: bytes, known: bytes | None) -> FolderListing | None:
    """As ``read_listing``. None if the server answers, octet by octet, as it did for the listing whose digest is
    ``known``: then nothing has to be parsed."""
    selection = connection.selection
    was_quiet = selection.quiet_since() if selection is not None else lambda: True
    is_asked = "NAMESPACE" in connection.capabilities and not connection.namespaces
    asked: list[list[Piece]] = [[b"NAMESPACE"]] if is_asked else []
    if selection is not None:
        asked.append([b"NOOP"])
    listed = first = await _list_and_count(connection, asked, items, known=None if is_asked else known)
    if not was_quiet():
        listed = await _list_and_count(connection, [], items, known=known)
    if is_asked and first is not None:
        connection.namespaces = namespace_lines(first.untagged)
    if listed is None:
        return None
    rows, counts, _, digest = listed
    if (
        selection is not None
        and counts
        and selection.name not in map(canonical, counts)
        and _is_open_to(selection.name, rows)
    ):
        raise selection.lost()  # another folder has the name now, and Dovecot counts neither
    namespaces = read_namespaces(connection.namespaces)
    missing = [prefix for prefix in namespaces.unlisted(row.name for row in rows) if prefix not in connection.unlisted]
    for prefix in missing:
        more = await _list_and_count(connection, [], items, prefix + b"*")
        assert more is not None
        names = {row.name for row in rows}
        rows += [row for row in more.rows if row.name not in names]
        counts |= more.counts
    if connection.capabilities >= _ONE_ROUND_TRIP:
        connection.unlisted += tuple(missing)
    foreign = [row.name async for row in paced(rows) if namespaces.of(row.name) is not Namespace.PERSONAL]
    rights = await _rights(connection, foreign[:_MAX_RIGHTS]) if foreign and "ACL" in connection.capabilities else {}
    return FolderListing(rows, counts, namespaces, rights, None if missing else digest)


def _is_open_to(name: bytes, rows: Sequence[ListedFolder]) -> bool:
    return any(canonical(row.name) == name and not row.attributes & UNSELECTABLE for row in rows)


class _Listed(NamedTuple):
    """The untagged responses, read. ``digest`` is None if they are not those of one command."""

    rows: list[ListedFolder]
    counts: Counts
    untagged: list[bytes]
    digest: bytes | None = None


async def _list_and_count(
    connection: Connection,
    asked: Sequence[Sequence[Piece]],
    items: bytes,
    pattern: bytes = _ALL,
    known: bytes | None = None,
) -> _Listed | None:
    """LIST with counts, and the commands ``asked`` in the same round trip; the untagged responses are those of all.
    None if their digest is ``known``."""
    if connection.capabilities >= _ONE_ROUND_TRIP:
        wanted = b"(SUBSCRIBED SPECIAL-USE STATUS %b)" % items
        patterns = _patterns(connection) if pattern == _ALL else string(pattern)
        *_, answer = await connection.attempt(*asked, [b"LIST", b'""', patterns, b"RETURN", wanted])
        if answer.status.kind == "OK":
            untagged = answer.untagged
            digest = _digest(connection, untagged)
            if digest == known:
                return None
            return _Listed(await list_rows(untagged), await status_rows(untagged), untagged, digest)
        if answer.status.kind == "NO":
            raise error_from(answer.status)
        connection.disable("LIST-STATUS")
        connection.unlisted = ()
    return await _list_then_count(connection, asked, items, pattern)


def _digest(connection: Connection, untagged: Sequence[bytes]) -> bytes:
    """What was answered, and for which selection: what a server says of the folder that is selected may be untrue."""
    selected = connection.selection.name if connection.selection is not None else b""
    return blake2b(b"\r\n".join((selected, *untagged)), digest_size=16).digest()


def _patterns(connection: Connection) -> Piece:
    """All folders, those too that ``*`` leaves out (RFC 5258, 3: several patterns in one command)."""
    more = [piece for prefix in connection.unlisted if not isinstance(piece := string(prefix + _ALL), Literal)]
    return b"(%b)" % b" ".join([b'"*"', *more]) if more else string(_ALL)


async def _list_then_count(
    connection: Connection, asked: Sequence[Sequence[Piece]], items: bytes, pattern: bytes
) -> _Listed:
    listing = [[b"LIST", b'""', string(pattern)], [b"LSUB", b'""', string(pattern)]]
    *_, listed, subscribed = await connection.attempt(*asked, *listing)
    if listed.status.kind != "OK":
        raise error_from(listed.status)
    chosen = {
        canonical(row.name)
        for row in await list_rows(subscribed.untagged, b"LSUB")
        if "\\noselect" not in row.attributes
    }
    rows = [
        row._replace(attributes=row.attributes | {"\\subscribed"}) if canonical(row.name) in chosen else row
        for row in await list_rows(listed.untagged)
    ]
    countable = [row.name for row in rows if not row.attributes & UNSELECTABLE]
    counts: Counts = {}
    for at in range(0, len(countable), _BATCH):
        counts.update(await _count(connection, countable[at : at + _BATCH], items))
    return _Listed(rows, counts, listed.untagged)


async def _count(connection: Connection, names: list[bytes], items: bytes) -> Counts:
    """The counts by name, in one round trip. A folder has none if the server refuses STATUS, or if its name needs a
    literal."""
    plain = [piece for name in names if not isinstance(piece := string(name), Literal)]
    if not plain:
        return {}
    answers = await connection.attempt(*([b"STATUS", piece, items] for piece in plain))
    return await status_rows(answers[-1].untagged)


async def _rights(connection: Connection, names: list[bytes]) -> dict[bytes, str]:
    rights: dict[bytes, str] = {}
    plain = [piece for name in names if not isinstance(piece := string(name), Literal)]
    for at in range(0, len(plain), _BATCH):
        answers = await connection.attempt(*([b"MYRIGHTS", piece] for piece in plain[at : at + _BATCH]))
        rights |= {name: letters async for name, letters in read_rights(answers[-1].untagged)}
    return rights
