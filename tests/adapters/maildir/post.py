"""The other programs that use a Maildir: delivery agents, mail clients, and the operator with the file of passwords.

It writes files as the Maildir pages and Dovecot define them, and uses no code of the adapter.
"""

import itertools
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from argon2 import PasswordHasher

from service.accounts.credentials import Credentials
from service.accounts.servers import Disk, MailServer
from service.adapters.maildir.backend import MaildirBackend
from service.adapters.maildir.sign_in import SignIns
from service.mail.model import Protocol

PASSWORD = "secret"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
_LETTERS = {"$draft": "D", "$flagged": "F", "$answered": "R", "$seen": "S", "$deleted": "T"}


class Post:
    """Mailboxes below a folder. Every user signs in with PASSWORD."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "mail"
        self.passwords = folder / "passwd"
        self.folder.mkdir(exist_ok=True)
        self.passwords.touch()
        self._files = itertools.count(1)

    @property
    def server(self) -> MailServer:
        """The row of the operator's table."""
        return MailServer("home", maildir=Disk(f"{self.folder}/{{user}}/Maildir", self.passwords))

    def user(self, name: str, secret: str | None = None) -> str:
        """Adds a user with an empty mailbox."""
        with self.passwords.open("a") as file:
            file.write(f"{name}:{secret or QUICK.hash(PASSWORD)}\n")
        self.make(self.maildir(name))
        return name

    def maildir(self, user: str) -> Path:
        """The directory of the user's INBOX."""
        return self.folder / user / "Maildir"

    def make(self, place: Path) -> Path:
        """Makes an empty folder of mail."""
        for part in ("cur", "new", "tmp"):
            (place / part).mkdir(parents=True, exist_ok=True)
        return place

    def backend(self, user: str, password: str = PASSWORD) -> MaildirBackend:
        """The mailbox as the service opens it."""
        credentials = Credentials("home", Protocol.MAILDIR, user, password)
        return MaildirBackend(SignIns().sign_in(self.server, credentials), credentials.account)

    def deliver(
        self, user: str, source: bytes, flags: Sequence[str] = (), received_at: datetime | None = None, folder: str = ""
    ) -> Path:
        """Delivers into ``new`` as delivery agents do, or into ``cur`` with flags; returns the file."""
        place = self.make(self.maildir(user) / folder)
        unique = f"{1_000_000_000 + next(self._files)}.M1P1.elsewhere"
        draft = place / "tmp" / unique
        draft.write_bytes(source)
        if received_at is not None:
            os.utime(draft, (received_at.timestamp(),) * 2)
        letters = "".join(sorted(_LETTERS.get(flag) or self._keyword(place, flag) for flag in flags))
        target = place / "cur" / f"{unique}:2,{letters}" if letters else place / "new" / unique
        return draft.rename(target)

    def _keyword(self, place: Path, keyword: str) -> str:
        file = place / "dovecot-keywords"
        known = [line.split(" ")[1] for line in file.read_text().splitlines()] if file.exists() else []
        if keyword not in known:
            known.append(keyword)
            file.write_text("".join(f"{number} {name}\n" for number, name in enumerate(known)))
        return chr(ord("a") + known.index(keyword))
