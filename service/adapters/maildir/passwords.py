"""The users and their passwords: a file of lines ``user:hash``, with Argon2 hashes (RFC 9106), which is read again
whenever it changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from threading import Lock

import structlog
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from service.adapters.maildir.disk.files import PROTOCOL
from service.mail.errors import UpstreamUnavailable

MAX_OCTETS = 16 << 20
_log = structlog.get_logger("service.adapters.maildir")
_Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class _Content:
    """The file as it was read when it had that stamp."""

    stamp: _Stamp
    hashes: Mapping[str, str]

    @cached_property
    def dummy_hash(self) -> str:
        """The hash of a random password. Making it takes as long as verifying one."""
        first = next(iter(self.hashes.values()), None)
        hasher = PasswordHasher.from_parameters(extract_parameters(first)) if first else PasswordHasher()
        return hasher.hash(token_hex())


class Passwords:
    """The passwords of one file. Several threads may use it at once. ``verify`` is slow on purpose."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._reading = Lock()
        self._content: _Content | None = None

    def users(self) -> Mapping[str, str]:
        """The hashes by user. Raises UpstreamUnavailable if the file cannot be read."""
        return self._read().hashes

    def hash_to_verify(self, user: str) -> str:
        """The user's hash. For an unknown user it is a dummy hash as costly to verify, so that the time of a refusal
        does not show which users exist."""
        content = self._read()
        dummy = content.dummy_hash  # the first login after a change makes it, whether its user exists or not
        return content.hashes.get(user, dummy)

    def verify(self, user: str, password: str) -> bool:
        """Takes as long for an unknown user as for a known one."""
        try:
            return PasswordHasher().verify(self.hash_to_verify(user), password) and user in self.users()
        except (VerificationError, InvalidHashError):
            return False

    def _read(self) -> _Content:
        try:
            with self._reading:
                self._content = self._current(self._content)
                return self._content
        except OSError:
            raise UpstreamUnavailable("The passwords cannot be read now.", protocol=PROTOCOL) from None

    def _current(self, content: _Content | None) -> _Content:
        status = self._file.stat()
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if content is not None and content.stamp == stamp:
            return content
        if status.st_size > MAX_OCTETS:
            raise OSError("too large")
        return _Content(stamp, _parse(self._file.read_text(errors="surrogateescape")))


def _parse(text: str) -> dict[str, str]:
    """The format of Dovecot's passwd-file: a scheme may precede the hash, and more fields may follow it."""
    hashes: dict[str, str] = {}
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
            hashes[user] = secret
    return hashes
