"""Access rights of folders (RFC 4314), and quotas (RFC 9208)."""

import re
from collections.abc import Iterable

from service.adapters.imap.folders.list import INBOX
from service.adapters.imap.folders.tree import Folders
from service.adapters.imap.session.access import Access, again
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.wire.arguments import string
from service.adapters.imap.wire.status import error_from
from service.adapters.imap.wire.tokens import Token, parse
from service.mail.errors import InvalidRequest, NotSupported, UpstreamError
from service.mail.model import Grant, Quota
from service.mail.numbers import MAX_NUMBER, read_number

_RIGHTS = re.compile(r"[a-z0-9]{0,50}\Z")
_STORAGE_UNIT = 1024


class Sharing:
    """The grants and quotas of a mailbox. Each call is one round trip unless it says more."""

    def __init__(self, access: Access, folders: Folders) -> None:
        self.access = access
        self._folders = folders

    @again
    async def list_grants(self, folder: str) -> tuple[Grant, ...]:
        """GETACL."""
        name = await self._folders.name(folder)
        async with self.access.anywhere() as connection:
            _require(connection, "ACL", "acl")
            answer = await connection.run([b"GETACL", string(name)])
            return tuple(_grants(answer.untagged))

    async def set_grant(self, folder: str, identifier: str, rights: str) -> Grant:
        """SETACL, then GETACL: the server may tie rights together (RFC 4314, 4), so what it reports is returned."""
        if not _RIGHTS.match(rights):
            raise InvalidRequest("Rights are lower-case letters and digits, such as lrs.")
        await self._change(folder, b"SETACL", _identifier(identifier), rights)
        grants = {grant.identifier: grant for grant in await self.list_grants(folder)}
        return grants.get(identifier, Grant(identifier=identifier, rights=""))

    async def delete_grant(self, folder: str, identifier: str) -> None:
        """DELETEACL."""
        await self._change(folder, b"DELETEACL", _identifier(identifier))

    @again
    async def _change(self, folder: str, verb: bytes, *words: str) -> None:
        name = await self._folders.name(folder)
        async with self.access.anywhere() as connection:
            _require(connection, "ACL", "acl")
            await connection.run([verb, string(name), *map(string, words)])

    @again
    async def list_quotas(self) -> tuple[Quota, ...]:
        """GETQUOTAROOT of INBOX. Empty if the server announces quotas and refuses to report them."""
        async with self.access.anywhere() as connection:
            _require(connection, "QUOTA", "quota")
            [answer] = await connection.attempt([b"GETQUOTAROOT", string(INBOX)])
            if answer.status.kind != "OK" and type(error := error_from(answer.status)) is not UpstreamError:
                raise error
            return tuple(_quotas(answer.untagged))


def _require(connection: Connection, offer: str, capability: str) -> None:
    if offer not in connection.capabilities:
        raise NotSupported(capability, f"This IMAP server offers no {capability} ({offer}).")


def _identifier(identifier: str) -> str:
    if not identifier or not identifier.isprintable():
        raise InvalidRequest("An identifier is printable text, such as a username or anyone.")
    return identifier


def _grants(untagged: Iterable[bytes]) -> Iterable[Grant]:
    for line in untagged:
        if line[:4].upper() == b"ACL ":
            _, *words = parse(line, 4)
            for identifier, rights in zip(words[::2], words[1::2], strict=False):
                if isinstance(identifier, bytes) and isinstance(rights, bytes):
                    yield Grant(identifier=identifier.decode(errors="replace"), rights=rights.decode(errors="replace"))


def _quotas(untagged: Iterable[bytes]) -> Iterable[Quota]:
    """``QUOTA "" (STORAGE 10 512)``: storage is in units of 1024 octets."""
    for line in untagged:
        if line[:6].upper() != b"QUOTA ":
            continue
        match parse(line, 6):
            case [bytes() as root, list() as words]:
                yield from _limits(root.decode(errors="replace"), words)


def _limits(root: str, words: list[Token]) -> Iterable[Quota]:
    for name, *numbers in zip(words[::3], words[1::3], words[2::3], strict=False):
        used, limit = (read_number(number, MAX_NUMBER // _STORAGE_UNIT) for number in numbers)
        if isinstance(name, bytes) and used is not None and limit is not None:
            unit = _STORAGE_UNIT if name.upper() == b"STORAGE" else 1
            resource = name.decode(errors="replace").lower()
            yield Quota(root=root, resource=resource, used=used * unit, limit=limit * unit)
