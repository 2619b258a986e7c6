"""A mail server in a Debian of its own, which `.ci/servers` makes once: for servers that cannot be installed beside Dovecot.

A run has its own mounts and processes (unshare(1)): what it writes lies in memory over the file system that was made, its
daemons are children of one process, and when that ends, all of it is gone. Mail lies below /srv, in memory alone: in an
overlay inotify may not report that a file was removed, and Courier waits two minutes for that if two sessions meet.
"""

import os
import shutil
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from imaplib import IMAP4
from itertools import count
from pathlib import Path

from tests.servers.dovecot import PASSWORD, Mail, NotStarted, append
from tests.servers.process import HOST, Started, end, free_ports, greets

START_SECONDS = 30.0
CHROOTS = Path(os.environ.get("CHROOTS", Path(__file__).parents[2] / "build" / "servers"))
"""Where `.ci/servers` puts the file systems."""
_APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
_START = """\
mount -t tmpfs -o mode=755 tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
cp -r --preserve=mode "$3/." "$2/root/"
mount -t proc proc "$2/root/proc"
mount -t tmpfs -o mode=755 tmpfs "$2/root/srv"
for device in null zero random urandom; do
  [ -e "$2/root/dev/$device" ] || cp -a "/dev/$device" "$2/root/dev/"
done
exec chroot "$2/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 sh -euc "$4"
"""


class DebianServer(Started, ABC):
    """One server: IMAP and POP3 on free ports of this machine, in clear."""

    host = HOST
    system: str
    """The folder that ``.ci/servers`` made."""

    def __init__(self) -> None:
        self._names = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path()
        self.imap = self.pop3 = 0

    @abstractmethod
    def files(self) -> Mapping[str, str]:
        """Paths in the server's file system, and what to write there before it starts. The ports are known."""

    @abstractmethod
    def command(self) -> str:
        """What the shell of the server's file system runs, as its process 1: daemons that stay in the foreground."""

    def user(self) -> str:
        """A name that nobody had yet; its mailbox is empty, and PASSWORD opens it."""
        return f"u{next(self._names)}"

    def start(self) -> None:
        """Returns when it greets. Raises NotStarted, with its log, if it does not."""
        system = CHROOTS / self.system
        if os.geteuid() != 0 or not system.exists():
            raise NotStarted(f"{system} is missing, or this is not root. As root, `make servers` makes it.")
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.system}-"))
        try:
            for _ in range(3):  # a port may be taken between being found free and being bound
                self.imap, self.pop3 = free_ports(2)
                if self._run(system):
                    return
            raise NotStarted(f"{self.system} did not start:\n{self.log}")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all its processes, whose mounts go with them, and remove the folder."""
        self._end()
        if self.folder != Path():
            shutil.rmtree(self.folder)

    @property
    def root(self) -> Path:
        """The running server's file system, as root sees it from outside."""
        assert self._process is not None
        return Path(f"/proc/{self._process.pid}/root{self.folder}/mount/root")

    @property
    def pid(self) -> int:
        """The process that all others are children of."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What the server wrote to its outputs."""
        return (self.folder / "log").read_text(errors="replace")

    @contextmanager
    def connect(self, user: str, password: str = PASSWORD) -> Iterator[IMAP4]:
        """A second client, signed in by LOGIN: Courier offers nothing else."""
        client = IMAP4(HOST, self.imap, timeout=10)
        try:
            client.login(user, password)
            yield client
        finally:
            with suppress(IMAP4.error, OSError):
                client.logout()
            with suppress(OSError):  # logout closes only if it was answered
                client.shutdown()

    def seed(self, user: str, messages: Iterable[Mail], folder: str = "INBOX") -> None:
        """Put messages into a folder by APPEND, in this order: the last is the newest."""
        with self.connect(user) as client:
            for source, flags, received_at in messages:
                append(client, source, flags, received_at, folder)

    def _run(self, system: Path) -> bool:
        """Whether it greets; False if it ended instead, which other ports may help."""
        mount, files = self.folder / "mount", self.folder / "files"
        mount.mkdir(exist_ok=True)
        for name, text in self.files().items():
            path = files / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*_APART, "bash", "-euc", _START, "-", system.resolve(), mount, files, self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._end()
                return False
            if greets(self.imap) and greets(self.pop3):
                return True
            time.sleep(0.02)
        raise NotStarted(f"{self.system} did not greet within {START_SECONDS} s:\n{self.log}")

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()  # unshare(1) lets no other signal through, and takes its children with it
            end(process)
