"""Signing in to mailboxes on disk. There is no server to ask: the operator's file of passwords decides.

A password is verified once. After that each call only compares the user's hash in the file with the verified one, in
the thread that does the call's work.
"""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from service.accounts.credentials import Credentials, SecretKind
from service.accounts.servers import Disk, MailServer
from service.adapters.maildir.disk.files import PROTOCOL
from service.adapters.maildir.disk.threads import DiskThreads
from service.adapters.maildir.passwords import Passwords
from service.mail.errors import LoginRefused, NotFound, NotPermitted, ServerBusy
from service.telemetry.upstream import queued

HASHING_THREADS = 2
"""Passwords that are verified at a time: each takes some ten milliseconds of a core, and 64 MiB."""
MAX_WAITING = 50
"""Passwords that may wait for that, of all accounts together."""
RETRY_SECONDS = 5
T = TypeVar("T")
_HASHING = ThreadPoolExecutor(HASHING_THREADS, "argon2")
_READING = ThreadPoolExecutor(1, "passwords")
"""Logins have threads of their own, so that guessing passwords delays neither the disk's work nor signed-in users."""
_USER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_+=@-]|\.(?!\.)){0,127}")
_SUBFOLDERS = ("tmp", "new", "cur")


class HashingQueue:
    """The logins whose passwords are being verified, or wait for that."""

    def __init__(self, waiting: int = MAX_WAITING) -> None:
        self._max = HASHING_THREADS + waiting
        self._count = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Returns what ``work`` returns. Raises ServerBusy if too many wait."""
        if self._count >= self._max:
            raise ServerBusy(
                "Too many logins at once. Try again shortly.", protocol=PROTOCOL, retry_after=RETRY_SECONDS
            )
        self._count += 1
        try:
            with queued("password"):
                return await asyncio.get_running_loop().run_in_executor(_HASHING, work)
        finally:
            self._count -= 1


@dataclass(frozen=True, eq=False)
class Proof:
    """That the user's password matched this hash. ``root`` is the user's Maildir."""

    root: Path
    hash: str = field(repr=False)


class PasswordChanged(LoginRefused):
    """The file has another hash for the user, or none, since the password was verified. Sign in again."""


class SignIn:
    """The sign-in of one account. ``threads`` are those of the disk that has its mailbox."""

    def __init__(
        self, disk: Disk, credentials: Credentials, passwords: Passwords, queue: HashingQueue, threads: DiskThreads
    ) -> None:
        self.threads = threads
        self._disk = disk
        self._credentials = credentials
        self._passwords = passwords
        self._queue = queue
        self._proving = asyncio.Lock()
        self._proof: Proof | None = None
        self._refused: str | None = None
        """The hash that the password did not match."""

    async def enter(self) -> Proof:
        """Verifies the password, once for all who call meanwhile, and makes the Maildir if there is none. Raises
        LoginRefused, ServerBusy, UpstreamUnavailable. No thread hop if a proof exists."""
        if self._proof is not None:
            return self._proof
        async with self._proving:
            self._proof = self._proof or await self._prove()
            return self._proof

    def check(self, proof: Proof) -> None:
        """Raises PasswordChanged if the proof no longer holds, UpstreamUnavailable if the file cannot be read. It reads
        the disk: call it in a thread."""
        if self._expected() != proof.hash:
            raise PasswordChanged

    def withdraw(self, proof: Proof) -> None:
        """Makes the next ``enter`` verify the password again, unless that was done since."""
        if self._proof is proof:
            self._proof = None

    def _expected(self) -> str | None:
        return self._passwords.users().get(self._credentials.username)

    async def _prove(self) -> Proof:
        expected = await asyncio.get_running_loop().run_in_executor(_READING, self._expected)
        if expected is not None and expected == self._refused:
            raise LoginRefused
        user, secret = self._credentials.username, self._credentials.secret
        is_right = await self._queue.run(partial(self._passwords.verify, user, secret))
        if not is_right or expected is None or self._credentials.kind is not SecretKind.PASSWORD:
            self._refused = expected
            raise LoginRefused
        root = await self.threads.interactive.run(_prepare, self._disk.path, user)
        return Proof(root, expected)


class SignIns:
    """The sign-ins of a process. They share what a file of passwords says, the queue of logins, and the threads of each
    disk."""

    def __init__(self) -> None:
        self._passwords: dict[Path, Passwords] = {}
        self._threads: dict[str, DiskThreads] = {}
        self._queue = HashingQueue()

    def sign_in(self, server: MailServer, credentials: Credentials) -> SignIn:
        """Raises NotFound if the server has no mailboxes on disk."""
        disk = server.maildir
        if disk is None:
            raise NotFound("server", f"The server {server.name!r} has no mailboxes on disk.")
        passwords = self._passwords.setdefault(disk.passwords, Passwords(disk.passwords))
        if disk.path not in self._threads:
            self._threads[disk.path] = DiskThreads()
        return SignIn(disk, credentials, passwords, self._queue, self._threads[disk.path])


def root_of(pattern: str, user: str) -> Path:
    """The user's Maildir. Raises LoginRefused for a user name with other characters than those of plain names, and
    NotPermitted if a symbolic link leads out of the user's own directory."""
    if not _USER.fullmatch(user):
        raise LoginRefused
    before, _, after = pattern.partition("{user}")
    base, _, start = before.rpartition("/")
    own, _, below = f"{start}{user}{after}".partition("/")
    root = Path(base or "/").resolve() / own / below
    if root.resolve() != root:
        raise NotPermitted("A symbolic link leads out of this mailbox.")
    return root


def _prepare(pattern: str, user: str) -> Path:
    root = root_of(pattern, user)
    for directory in (*reversed(root.parents), root):
        if not directory.exists():
            directory.mkdir(mode=0o700, exist_ok=True)
    for subfolder in _SUBFOLDERS:
        (root / subfolder).mkdir(mode=0o700, exist_ok=True)
    return root
