"""A throwaway PostgreSQL, Debian's: its own folder, a free port on 127.0.0.1, gone without a trace when it is stopped.

    with Postgres() as server:
        server.url()        # of a new, empty database

PostgreSQL does not run as root; started by root it runs as nobody.
"""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.servers.process import HOST, Started, end, free_ports

START_SECONDS = 30.0
USER = "casella"
PASSWORD = "canary-of-the-database"
"""In the address of each database, and so in no log."""


class Postgres(Started):
    """One server. ``stop`` and ``start`` keep its data as long as ``with`` lasts."""

    def __init__(self) -> None:
        [self.port] = free_ports(1)
        self.folder = Path()
        self._owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)

    def __exit__(self, *error: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Returns when it answers."""
        if self.folder == Path():
            self._make()
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_program("postgres"), "-D", self.folder / "data", "-p", str(self.port), "-k", "", "-h", HOST, *_QUICK],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                **self._identity(),
            )
        deadline = time.monotonic() + START_SECONDS
        while self._query("select 1", "postgres").returncode:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"PostgreSQL does not answer:\n{self.log}")
            time.sleep(0.05)

    def stop(self) -> None:
        """At once, as in a crash."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(3)  # SIGQUIT: without waiting for clients
            end(process)

    def url(self) -> str:
        """The address of a new database."""
        name = f"casella{next(self._numbers)}"
        self.run(f"create database {name}", "postgres")
        return f"postgresql://{USER}:{PASSWORD}@{HOST}:{self.port}/{name}"

    def run(self, statement: str, database: str) -> str:
        """What psql prints."""
        done = self._query(statement, database)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    def dump(self, url: str) -> bytes:
        """All of a database, as text."""
        program = _program("pg_dump")
        return subprocess.run([program, url], check=True, capture_output=True, cwd=self.folder).stdout

    def _query(self, statement: str, database: str) -> "subprocess.CompletedProcess[bytes]":
        url = f"postgresql://{USER}:{PASSWORD}@{HOST}:{self.port}/{database}"
        words = [_program("psql"), url, "-AtXq", "-c", statement]
        return subprocess.run(words, check=False, capture_output=True, cwd=self.folder)

    def _make(self) -> None:
        # Not below pytest's folder: others may not enter it.
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        password = self.folder / "password"
        password.write_text(PASSWORD)
        if self._owner is not None:
            for path in (self.folder, password):
                os.chown(path, self._owner.pw_uid, self._owner.pw_gid)
        words = ["-U", USER, "-A", "scram-sha-256", f"--pwfile={password}", "-N", "-E", "UTF8", "--locale=C"]
        subprocess.run(
            [_program("initdb"), "-D", self.folder / "data", *words],
            check=True,
            capture_output=True,
            cwd=self.folder,
            **self._identity(),
        )

    def _identity(self) -> dict[str, Any]:
        if self._owner is None:
            return {}
        return {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []}


_QUICK = [
    word
    for setting in ("fsync=off", "max_connections=60", "shared_buffers=32MB", "log_min_messages=fatal")
    for word in ("-c", setting)
]


def _program(name: str) -> str:
    """Debian has most of them outside of the path, by version."""
    found = shutil.which(name) or next(map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    if found is None:
        raise RuntimeError("The tests need PostgreSQL: apt-get install postgresql")
    return found
