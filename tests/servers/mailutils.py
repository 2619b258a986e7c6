"""A throwaway GNU mailutils: imap4d and pop3d on free ports of 127.0.0.1, gone without a trace when they are stopped.

    with Mailutils() as server:
        user = server.user()                             # nobody else's; logs in with PASSWORD
        server.seed(user, [(source, ("$seen",), None)])  # files, as a delivery agent puts them
        server.append(user, source)                      # by IMAP
        server.ports.imap, server.ports.pop3             # where

It stands for the servers that an operator did not choose: few extensions, and many answers that no RFC knows. Mail lies
in a Maildir: of mailutils' formats the one whose UIDs outlive a session and whose octets stay as they came. (In an mbox
each message gains X-UID and X-IMAPbase and a session's second APPEND fails; MH adds Status.) As observed in 3.15:

Offered: IMAP4rev1 NAMESPACE ID IDLE LITERAL+ UNSELECT, and SASL mechanisms, PLAIN among them. Not offered, and BAD:
UIDPLUS (no APPENDUID, no UID EXPUNGE), MOVE, SORT, THREAD, CONDSTORE, ENABLE, LIST-EXTENDED, ESEARCH, SASL-IR, BINARY.

Octets: what a file holds with LF is sent with CRLF; a file with CRLF counts as an empty message. APPEND takes the
literal for a C string, so that NUL ends it.

Flags: the five system flags. PERMANENTFLAGS and FLAGS name no keywords, STORE and APPEND of one is BAD. APPEND loses
all flags. EXAMINE says PERMANENTFLAGS (), yet STORE is OK there and lasts as long as the session. UID STORE answers
FETCH without UID where the UID is not the number, and BODY[] of an unseen message answers FLAGS first, even where
FLAGS was asked for too.

UIDs: one that is not there is taken for its neighbour: with UIDs 3 to 6, UID FETCH 1 answers 3, UID FETCH 9 and UID
STORE 9 read and change 6. UID SEARCH UID takes numbers for UIDs, and finds nothing for a range that ends in ``*``.
Copies and mail in ``new`` get another UID each time somebody looks, by STATUS too, until a SELECT makes it last.
UIDVALIDITY is kept.

Expunging: untagged answers say ``* 1 EXPUNGED`` for ``* 1 EXPUNGE``. Only the next SELECT is sure to tell what others
deliver or expunge, and one's own APPEND; STATUS counts it. What is gone meanwhile has the BODY[] "".

Dates: INTERNALDATE is X-Envelope-Date, Received or Date of the header, whichever comes first in this row, else the time
of asking; the date of APPEND is lost. SEARCH BEFORE and SINCE go by the same.

SEARCH: CHARSET is known (UTF-8, BADCHARSET for a wrong one), encoded words and transfer encodings are decoded, letter
case is folded beyond ASCII. LARGER and SMALLER count no CR, RFC822.SIZE does. KEYWORD finds anything, UNKEYWORD aborts
the process, which closes the connection.

Folders: an account has no INBOX until somebody selects it: before, APPEND is NO [TRYCREATE]. CREATE, RENAME, DELETE,
SUBSCRIBE, LSUB and STATUS work, any name in modified UTF-7 does. INBOX is listed with \\NoInferiors and the delimiter
NIL. LIST quotes no name that is an atom. STATUS of a wrong item is an untagged answer with the items before it, then
BAD.

Lines: the tagged OK of AUTHENTICATE ends in LF alone, so that a client that waits for CRLF waits for ever. BODY[]<n>
beyond the end is "". HEADER.FIELDS answers names as they were asked for, not as they are written. BODYSTRUCTURE has the
case of the message.

POP3: USER, TOP, UIDL, PIPELINING, RESP-CODES, EXPIRE written as EXPIRENEVER. UIDL writes X-UIDL into each message,
whose octets and size it changes. QUIT removes what others marked \\Deleted too. The maildrop is one session's, others
are told [IN-USE].
"""

import grp
import imaplib
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from imapclient import imap_utf7

from tests.servers.dovecot import PASSWORD, Mail, NotStarted, append
from tests.servers.process import HOST, Started, end, free_ports, greets

START_SECONDS = 15.0
_LETTERS = {"$draft": "D", "$flagged": "F", "$answered": "R", "$seen": "S", "$deleted": "T"}
_HASH = "$5$casella$ia8Qrxv1dZf9q1Z2kSHAPPv0RRw0195.5nLIWDj7tu1"
"""PASSWORD, as crypt keeps it."""


class Ports(NamedTuple):
    """Neither speaks TLS."""

    imap: int
    pop3: int


class Mailutils(Started):
    """One imap4d and one pop3d. Root starts them as nobody, everybody else as himself.

    pop3d ends unless it may be of the group mail: with neither root nor that group there is no POP3, and its port is 0.
    """

    host = HOST

    def __init__(self, *, settings: str = "", transcript: bool = False) -> None:
        """``settings`` are lines for the end of both configurations; ``transcript`` puts what is said into the log."""
        self._settings = settings
        self._transcript = transcript
        self._is_root = os.geteuid() == 0
        self._owner = pwd.getpwnam("nobody") if self._is_root else pwd.getpwuid(os.geteuid())
        self._mail_group = grp.getgrnam("mail").gr_gid
        self._names = itertools.count(1)
        self._files = itertools.count(1)
        self._processes: list[subprocess.Popen[bytes]] = []
        self.folder = Path()
        self.ports = Ports(0, 0)

    @property
    def pids(self) -> list[int]:
        """The masters'; the children of each are in its process group."""
        return [process.pid for process in self._processes]

    @property
    def log(self) -> str:
        """What the daemons wrote so far."""
        return "".join(file.read_text(errors="replace") for file in sorted(self.folder.glob("*.log")))

    def start(self) -> None:
        """Returns when both greet. NotStarted with the log where they do not."""
        programs = [_program(name) for name in ("imap4d", "pop3d")]
        self.folder = Path(tempfile.mkdtemp(prefix="mailutils-"))
        self.folder.chmod(0o755)
        for name in ("mail", "users", "locks"):
            (self.folder / name).mkdir()
        (self.folder / "users" / "example.org").touch()
        self._give_away(*self.folder.iterdir())
        try:
            for _ in range(3):  # a port may be taken between being found free and being bound
                if self._run(programs):
                    return
            raise NotStarted(f"mailutils did not start:\n{self.log}")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End both and all their children, and remove the folder."""
        self._end()
        if self.folder != Path():
            shutil.rmtree(self.folder, ignore_errors=True)

    def user(self, name: str = "user") -> str:
        """A name that nobody had yet; its mailbox is empty. ``name`` holds no ``:``, ``!``, ``@`` and no line break."""
        local = f"{name}{next(self._names)}-{uuid.uuid4().hex[:8]}"
        home = self.folder / "mail" / uuid.uuid4().hex
        self._make(home)
        with (self.folder / "users" / "example.org").open("a") as users:
            users.write(f"{local}:{_HASH}:{self._owner.pw_uid}:{self._owner.pw_gid}:{name}:{home}:/bin/false\n")
        user = f"{local}@example.org"
        self._maildir(user, "INBOX")  # else APPEND is NO [TRYCREATE] until somebody selected it
        return user

    def seed(self, user: str, messages: Iterable[Mail], folder: str = "INBOX") -> None:
        """Put messages into a folder as files, in this order: the last is the newest. Thousands a second, no login.

        A Maildir of mailutils has no place for keywords and for the time of receipt: neither is kept. A session that
        has the folder selected does not see them; the next one does.
        """
        place = self._maildir(user, folder)
        for source, flags, _ in messages:
            letters = "".join(sorted({_LETTERS[flag.lower()] for flag in flags if flag.lower() in _LETTERS}))
            # Numbered in the order of these names, into which it writes its UIDs. A file with CRLF it takes for empty.
            moment = time.time_ns() // 1000
            name = f"{moment // 10**6}.M{moment % 10**6:06}P1Q{next(self._files)}.seed"
            draft = place / "tmp" / name
            draft.write_bytes(source.replace(b"\r\n", b"\n"))
            self._give_away(draft)
            draft.rename(place / "cur" / f"{name}:2,{letters}")

    def append(
        self,
        user: str,
        source: bytes,
        flags: Sequence[str] = (),
        received_at: datetime | None = None,
        folder: str = "INBOX",
    ) -> None:
        """Put one message in by APPEND. Its UID is not answered, its flags and date are not kept."""
        with self.connect(user) as client:
            append(client, source, flags, received_at, folder)

    @contextmanager
    def connect(self, user: str, password: str = PASSWORD) -> Iterator[imaplib.IMAP4]:
        """A second client, signed in by LOGIN: imaplib does not take the end of the line that answers AUTHENTICATE."""
        client = imaplib.IMAP4(HOST, self.ports.imap, timeout=10)
        try:
            client.login(user, password)
            yield client
        finally:
            with suppress(imaplib.IMAP4.error, OSError):
                client.logout()
            with suppress(OSError):  # logout closes only where it was answered
                client.shutdown()

    def home(self, user: str) -> Path:
        """Where the user's folders lie."""
        for line in (self.folder / "users" / "example.org").read_text().splitlines():
            fields = line.split(":")
            if fields[0] == user.partition("@")[0]:
                return Path(fields[5])
        raise LookupError(user)

    def _maildir(self, user: str, folder: str) -> Path:
        home = self.home(user)
        place = home
        for name in folder.split("/"):
            place /= imap_utf7.encode(name).decode("ascii")
            self._make(place)
        for name in ("cur", "new", "tmp"):
            self._make(place / name)
        return place

    def _make(self, place: Path) -> None:
        if not place.exists():
            place.mkdir(mode=0o700)
            self._give_away(place)

    def _give_away(self, *paths: Path) -> None:
        if self._is_root:
            for path in paths:
                os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def _run(self, programs: Sequence[str]) -> bool:
        """Whether they greet; False where one ended instead, which other ports may help."""
        has_pop3 = self._is_root or self._mail_group in {os.getegid(), *os.getgroups()}
        imap, pop3 = free_ports(len(Ports._fields))
        self.ports = Ports(imap, pop3 if has_pop3 else 0)
        ports = [port for port in self.ports if port]
        for program, port in zip(programs, ports, strict=False):
            self._processes.append(self._daemon(program, port))
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if any(process.poll() is not None for process in self._processes):
                self._end()
                return False
            if all(greets(port) for port in ports):
                return True
            time.sleep(0.01)
        raise NotStarted(f"mailutils did not greet within {START_SECONDS} s:\n{self.log}")

    def _daemon(self, program: str, port: int) -> subprocess.Popen[bytes]:
        name = Path(program).name
        conf = self.folder / f"{name}.conf"
        conf.write_text(self._conf(name, port))
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [program, f"--config-file={conf}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                start_new_session=True,
                user=self._owner.pw_uid if self._is_root else None,
                group=self._mail_group if self._is_root else None,
                extra_groups=[] if self._is_root else None,
            )

    def _end(self) -> None:
        processes, self._processes = self._processes, []
        for process in processes:
            end(process)

    def _conf(self, name: str, port: int) -> str:
        return _CONF.format(
            root=self.folder,
            name=name,
            host=HOST,
            port=port,
            transcript="yes" if self._transcript else "no",
            own=_POP3.format(root=self.folder) if name == "pop3d" else "",
            settings=self._settings,
        )


def _program(name: str) -> str:
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if path is None:
        raise NotStarted("These tests need GNU mailutils: apt-get install mailutils-imap4d mailutils-pop3d")
    return path


_CONF = """\
mode daemon;
foreground yes;
pidfile {root}/locks/{name}.pid;
max-children 2000;
transcript {transcript};
logging {{ syslog no; }};
tcp-wrappers {{ enable no; }};
auth {{
  authentication clear;
  authentication generic;
  authorization clear;
  authorization virtdomain;
}};
virtdomain {{ passwd-dir {root}/users; }};
mailbox {{ mailbox-type maildir; }};
server {host}:{port} {{ transcript {transcript}; backlog 512; }};
{own}
{settings}
"""
_POP3 = "mandatory-locking {{ enable yes; lock-directory {root}/locks; }};"
