"""Signing in to mailboxes on disk, which have no server to ask: the operator's file of passwords tells who may."""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from service.accounts.credentials import Credentials, SecretKind
from service.accounts.servers import Disk, MailServer
from service.adapters.maildir.disk import PROTOCOL, told
from service.adapters.maildir.passwords import Passwords
from service.mail.errors import LoginRefused, NotFound, NotPermitted, ServerBusy
from service.telemetry.upstream import queued

AT_ONCE = 2
"""Passwords that are looked at at a time: each takes some ten milliseconds of a core, and 64 MiB."""
WAITING = 50
"""Passwords that may wait to be looked at, of all accounts together."""
RETRY_SECONDS = 5
T = TypeVar("T")
_HASHING = ThreadPoolExecutor(AT_ONCE, "argon2")
_READING = ThreadPoolExecutor(1, "passwords")
"""Threads of their own: guesses hold up neither the disk's work nor who has signed in already."""
_USER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_+=@-]|\.(?!\.)){0,127}")
_PARTS = ("tmp", "new", "cur")


class Turns:
    """Those whose passwords are looked at, and those who wait for that."""

    def __init__(self, waiting: int = WAITING) -> None:
        self._most = AT_ONCE + waiting
        self._count = 0

    async def run(self, work: Callable[[], T]) -> T:
        """ServerBusy if too many wait."""
        if self._count >= self._most:
            raise ServerBusy(
                "Too many logins at once. Try again shortly.", protocol=PROTOCOL, retry_after=RETRY_SECONDS
            )
        self._count += 1
        try:
            with queued("password"):
                return await asyncio.get_running_loop().run_in_executor(_HASHING, work)
        finally:
            self._count -= 1


class Door:
    """Of one account. A password is looked at once, and again when the file has another hash for the user."""

    def __init__(self, disk: Disk, credentials: Credentials, passwords: Passwords, turns: Turns) -> None:
        self._disk = disk
        self._credentials = credentials
        self._passwords = passwords
        self._turns = turns
        self._proof = asyncio.Lock()
        self._proven: str | None = None
        self._refused: str | None = None
        self._root = Path()

    async def enter(self) -> Path:
        """The Maildir, which is made where there is none. LoginRefused."""
        if await self._expected() != self._proven or self._proven is None:
            async with self._proof:
                await self._prove(await self._expected())
        return self._root

    async def _expected(self) -> str | None:
        users = await asyncio.get_running_loop().run_in_executor(_READING, self._passwords.users)
        return users.get(self._credentials.username)

    async def _prove(self, expected: str | None) -> None:
        """Once for all who came meanwhile."""
        if expected is not None and expected == self._proven:
            return
        if expected is not None and expected == self._refused:
            raise LoginRefused
        user, secret = self._credentials.username, self._credentials.secret
        is_right = await self._turns.run(partial(self._passwords.verify, user, secret))
        if not is_right or expected is None or self._credentials.kind is not SecretKind.PASSWORD:
            self._proven, self._refused = None, expected
            raise LoginRefused
        self._root = await asyncio.to_thread(told, lambda: _prepared(self._disk.path, user))
        self._proven = expected


class Doors:
    """To all mailboxes on disk of a process."""

    def __init__(self) -> None:
        self._passwords: dict[Path, Passwords] = {}
        self._turns = Turns()

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
