"""Signing in to mailboxes on disk, which have no server to ask: the operator's file of passwords tells who may."""

import asyncio
import re
from pathlib import Path

from service.accounts import Credentials, SecretKind
from service.adapters.maildir.disk import told
from service.adapters.maildir.passwords import Passwords
from service.mail.errors import LoginRefused, NotFound, NotPermitted
from service.servers import Disk, MailServer

AT_ONCE = 2
"""Passwords that are looked at at a time: each takes some ten milliseconds of a core, and 64 MiB."""
_USER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_+=@-]|\.(?!\.)){0,127}")
_PARTS = ("tmp", "new", "cur")


class Door:
    """Of one account. A password is looked at once, and again when the file has another hash for the user."""

    def __init__(self, disk: Disk, credentials: Credentials, passwords: Passwords, turns: asyncio.Semaphore) -> None:
        self._disk = disk
        self._credentials = credentials
        self._passwords = passwords
        self._turns = turns
        self._proven: str | None = None
        self._root = Path()

    async def enter(self) -> Path:
        """The Maildir, which is made where there is none. LoginRefused."""
        user = self._credentials.username
        expected = (await asyncio.to_thread(self._passwords.users)).get(user)
        if expected is None or expected != self._proven:
            async with self._turns:
                is_right = await asyncio.to_thread(self._passwords.verify, user, self._credentials.secret)
            if not is_right or expected is None or self._credentials.kind is not SecretKind.PASSWORD:
                self._proven = None
                raise LoginRefused
            root = await asyncio.to_thread(told, lambda: _prepared(self._disk.path, user))
            self._root, self._proven = root, expected
        return self._root


class Doors:
    """To all mailboxes on disk of a process."""

    def __init__(self) -> None:
        self._passwords: dict[Path, Passwords] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    def door(self, server: MailServer, credentials: Credentials) -> Door:
        """NotFound where the server has none on disk."""
        if server.maildir is None:
            raise NotFound("server", f"The server {server.name!r} has no mailboxes on disk.")
        file = server.maildir.passwords
        passwords = self._passwords.setdefault(file, Passwords(file))
        return Door(server.maildir, credentials, passwords, self._turns)


def root_of(pattern: str, user: str) -> Path:
    """Where the user's Maildir is. LoginRefused for a name that is no plain name; NotPermitted where a link leads out
    of what is the user's own."""
    if not _USER.fullmatch(user):
        raise LoginRefused
    before, _, after = pattern.partition("{user}")
    base, _, start = before.rpartition("/")
    own, _, below = f"{start}{user}{after}".partition("/")
    place = Path(base or "/").resolve() / own
    root = place / below
    if root.resolve() != root:
        raise NotPermitted("This mailbox is not where it should be.")
    return root


def _prepared(pattern: str, user: str) -> Path:
    root = root_of(pattern, user)
    for each in (*reversed(root.parents), root):
        if not each.exists():
            each.mkdir(mode=0o700, exist_ok=True)
    for part in _PARTS:
        (root / part).mkdir(mode=0o700, exist_ok=True)
    return root
