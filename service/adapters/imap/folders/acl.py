"""Who may do what with a folder (RFC 4314), and how much room there is (RFC 9208)."""

import re
from collections.abc import Iterable

from service.adapters.imap.folders.list import INBOX
from service.adapters.imap.folders.tree import Folders
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.wire.arguments import string
from service.adapters.imap.wire.tokens import parse
from service.mail.errors import InvalidRequest, NotSupported
from service.mail.model import Grant, Quota

_RIGHTS = re.compile(r"[a-z0-9]{0,50}\Z")
_STORAGE_UNIT = 1024


async def list_grants(folders: Folders, folder: str) -> tuple[Grant, ...]:
    """GETACL."""
    name = await folders.name(folder)

    async def work(connection: Connection) -> tuple[Grant, ...]:
        _require(connection, "ACL", "acl")
        answer = await connection.run(b"GETACL", string(name))
        return tuple(_grants(answer.untagged))

    grants: tuple[Grant, ...] = await folders.anywhere(work)
    return grants


async def set_grant(folders: Folders, folder: str, identifier: str, rights: str) -> Grant:
    """SETACL, and what the server made of it: some rights come only together (RFC 4314, 4)."""
    name = await folders.name(folder)
    if not _RIGHTS.match(rights):
        raise InvalidRequest("Rights are lower-case letters and digits, such as lrs.")

    async def work(connection: Connection) -> None:
        _require(connection, "ACL", "acl")
        await connection.run(b"SETACL", string(name), string(_identifier(identifier)), string(rights))

    await folders.anywhere(work)
    given = {grant.identifier: grant for grant in await list_grants(folders, folder)}
    return given.get(identifier, Grant(identifier=identifier, rights=""))


async def delete_grant(folders: Folders, folder: str, identifier: str) -> None:
    """DELETEACL."""
    name = await folders.name(folder)

    async def work(connection: Connection) -> None:
        _require(connection, "ACL", "acl")
        await connection.run(b"DELETEACL", string(name), string(_identifier(identifier)))

    await folders.anywhere(work)


async def list_quotas(folders: Folders) -> tuple[Quota, ...]:
    """GETQUOTAROOT of INBOX."""

    async def work(connection: Connection) -> tuple[Quota, ...]:
        _require(connection, "QUOTA", "quota")
        answer = await connection.run(b"GETQUOTAROOT", string(INBOX))
        return tuple(_quotas(answer.untagged))

    quotas: tuple[Quota, ...] = await folders.anywhere(work)
    return quotas


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
    """``QUOTA "" (STORAGE 10 512)``: storage is told in units of 1024 octets."""
    for line in untagged:
        if line[:6].upper() != b"QUOTA ":
            continue
        match parse(line, 6):
            case [bytes() as root, list() as words]:
                for name, used, limit in zip(words[::3], words[1::3], words[2::3], strict=False):
                    if isinstance(name, bytes) and _is_number(used) and _is_number(limit):
                        unit = _STORAGE_UNIT if name.upper() == b"STORAGE" else 1
                        yield Quota(
                            root=root.decode(errors="replace"),
                            resource=name.decode(errors="replace").lower(),
                            used=int(used) * unit,
                            limit=int(limit) * unit,
                        )


def _is_number(token: object) -> bool:
    return isinstance(token, bytes) and token.isdigit() and len(token) < 16
