"""Who may sign in: a file of lines ``user:hash``, hashes by Argon2 (RFC 9106), read again whenever it changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from threading import Lock

import structlog
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from service.adapters.maildir.disk import PROTOCOL
from service.mail.errors import UpstreamUnavailable

LONGEST = 16 << 20
_log = structlog.get_logger("service.adapters.maildir")
_Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class _Known:
    stamp: _Stamp
    hashes: Mapping[str, str]

    @cached_property
    def nobody(self) -> str:
        """The hash of a password that nobody has. It is as slow to make as to verify."""
        first = next(iter(self.hashes.values()), None)
        hasher = PasswordHasher.from_parameters(extract_parameters(first)) if first else PasswordHasher()
        return hasher.hash(token_hex())


class Passwords:
    """Of one file, for threads. ``verify`` takes its time: hashes are made to be slow."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._reading = Lock()
        self._known: _Known | None = None

    def users(self) -> Mapping[str, str]:
        """Hashes by user. UpstreamUnavailable where the file cannot be read."""
        return self._read().hashes

    def held_against(self, user: str) -> str:
        """The user's hash; for a user who is not there one of a password that nobody has, as costly as the first."""
        known = self._read()
        nobody = known.nobody  # made by whoever comes first after a change, known or not
        return known.hashes.get(user, nobody)

    def verify(self, user: str, password: str) -> bool:
        """Takes as long for a user who is not there."""
        try:
            return PasswordHasher().verify(self.held_against(user), password) and user in self.users()
        except (VerificationError, InvalidHashError):
            return False

    def _read(self) -> _Known:
        try:
            with self._reading:
                self._known = self._current(self._known)
                return self._known
        except OSError:
            raise UpstreamUnavailable("The passwords cannot be read now.", protocol=PROTOCOL) from None

    def _current(self, known: _Known | None) -> _Known:
        found = self._file.stat()
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if known is not None and known.stamp == stamp:
            return known
        if found.st_size > LONGEST:
            raise OSError("too large")
        return _Known(stamp, _hashes(self._file.read_text(errors="surrogateescape")))


def _hashes(text: str) -> dict[str, str]:
    """As Dovecot's passwd-file has it: more fields may follow, and a scheme may stand before the hash."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        user, _, rest = line.strip().partition(":")
        if not user or user.startswith("#"):
            continue
        secret = rest.partition(":")[0].removeprefix("{ARGON2ID}").removeprefix("{ARGON2I}")
        try:
            extract_parameters(secret)
        except InvalidHashError:
            _log.warning("no Argon2 hash in the file of passwords", line=number)
        else:
            found[user] = secret
    return found
