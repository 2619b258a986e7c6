"""A throwaway Dovecot: its own folder, free ports on 127.0.0.1, gone without a trace when it is stopped.

    with Dovecot() as server:
        user = server.user()                                   # nobody else's; every name logs in with PASSWORD
        server.seed(user, [(source, ("$seen",), None)])        # files, thousands a second
        server.append(user, source)                            # by IMAP
        server.ports.imap, server.ports.pop3s, server.ca_file  # where, and whom to trust

Octets: Dovecot sends a bare LF as CRLF and NUL as 0x80, whichever way a message came in. Everything else, bare CR and
8-bit octets included, is fetched as it was put in.
"""

import grp
import imaplib
import itertools
import os
import pwd
import shutil
import ssl
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from imapclient import imap_utf7

from tests.servers.process import HOST, Started, end, free_ports, greets
from tests.servers.tls import Certificate, make_certificate

PASSWORD = "secret"
START_SECONDS = 15.0
_LETTERS = {"$draft": "D", "$flagged": "F", "$answered": "R", "$seen": "S", "$deleted": "T"}
_SYSTEM_FLAGS = {name: f"\\{name[1:].capitalize()}" for name in _LETTERS}
Mail = tuple[bytes, Sequence[str], datetime | None]
"""A message's source, its flags as the API names them, and when it was received (None: now)."""


class Ports(NamedTuple):
    """Plain ports offer STARTTLS and STLS as well; those with an s speak TLS from the start."""

    imap: int
    imaps: int
    pop3: int
    pop3s: int


class NotStarted(RuntimeError):
    """No Dovecot, or one that does not come up. Its log is in the words."""


class Dovecot(Started):
    """One server. Started by root, mail belongs to nobody and Dovecot drops its rights itself; else all runs as
    whoever starts it. ``unprivileged`` makes root start it as nobody."""

    host = HOST

    def __init__(self, *, connections: int = 1000, settings: str = "", unprivileged: bool = False) -> None:
        """``connections`` are allowed for each user; ``settings`` are lines for the end of dovecot.conf."""
        self._connections = connections
        self._settings = settings
        self._is_root = os.geteuid() == 0
        self._drops_rights = self._is_root and not unprivileged
        self._owner = pwd.getpwnam("nobody") if self._is_root else pwd.getpwuid(os.geteuid())
        self._names = itertools.count(1)
        self._files = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._program = ""
        self._certificate: Certificate | None = None
        self.folder = Path()
        self.ports = Ports(0, 0, 0, 0)

    @property
    def ca_file(self) -> Path:
        """The authority that signed the server's certificate."""
        assert self._certificate is not None
        return self._certificate.ca_file

    @property
    def pid(self) -> int:
        """The master's; all its children are in its process group."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What Dovecot wrote so far."""
        files = (self.folder / "stderr", self.folder / "dovecot.log")
        return "".join(file.read_text(errors="replace") for file in files if file.exists())

    def start(self) -> None:
        """Returns when it greets. NotStarted with the log where it does not."""
        program = shutil.which("dovecot", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
        if program is None:
            raise NotStarted("These tests need a Dovecot: apt-get install dovecot-imapd dovecot-pop3d")
        # Not below pytest's folder: others may not enter it, and a socket's path has to be short.
        self.folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.folder.chmod(0o755)
        self._certificate = make_certificate(self.folder)
        (self.folder / "mail").mkdir()
        (self.folder / "public").mkdir()
        self._give_away(self.folder, *self.folder.iterdir())
        try:
            for _ in range(3):  # a port may be taken between being found free and being bound
                self.ports = Ports(*free_ports(len(Ports._fields)))
                if self._run(program):
                    self._program = program
                    return
            raise NotStarted(f"Dovecot did not start:\n{self.log}")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it and all its children, and remove its folder."""
        self._end()
        if self.folder != Path():
            shutil.rmtree(self.folder, ignore_errors=True)

    def go_down(self) -> None:
        """End it; its mail stays for ``come_back``."""
        self._end()

    def come_back(self) -> None:
        """Returns when it greets where it was before."""
        if not self._run(self._program):
            raise NotStarted(f"Dovecot did not start again:\n{self.log}")

    def user(self, name: str = "user") -> str:
        """A name that nobody had yet; its mailbox is empty. ``name`` may hold anything but a line break."""
        return f"{name}{next(self._names)}-{uuid.uuid4().hex[:8]}@example.org"

    def seed(self, user: str, messages: Iterable[Mail], folder: str = "INBOX") -> None:
        """Put messages into a folder as files, in this order: the last is the newest. Fast, and no login is needed.

        A folder that is not there is made (but not subscribed). Keywords beyond the system flags are for mailboxes
        that nobody opened yet.
        """
        place = self._maildir(user, folder)
        keywords = _Keywords(place / "dovecot-keywords")
        for source, flags, received_at in messages:
            # Dovecot numbers new files by the time in their name, and takes the date of receipt from the file.
            virtual = len(source) + source.count(b"\n") - source.count(b"\r\n")
            name = f"{1_000_000_000 + next(self._files)}.M1P1.seed,S={len(source)},W={virtual}"
            draft = place / "tmp" / name
            draft.write_bytes(source)
            if received_at is not None:
                os.utime(draft, (received_at.timestamp(),) * 2)
            self._give_away(draft)
            draft.rename(place / "cur" / f"{name}:2,{keywords.letters(flags)}")
        if keywords.write():
            self._give_away(keywords.file)

    def append(
        self,
        user: str,
        source: bytes,
        flags: Sequence[str] = (),
        received_at: datetime | None = None,
        folder: str = "INBOX",
    ) -> int:
        """Put one message in by APPEND; answers its UID."""
        with self.connect(user) as client:
            append(client, source, flags, received_at, folder)
            code = client.response("APPENDUID")[1][-1]
            assert isinstance(code, bytes)
            return int(code.split()[1])

    def connect(self, user: str, password: str = PASSWORD) -> AbstractContextManager[imaplib.IMAP4]:
        """A second client, signed in."""
        return signed_in(self.ports.imap, user, password)

    def client_context(self) -> ssl.SSLContext:
        """Trusts this server."""
        assert self._certificate is not None
        return self._certificate.client_context()

    def maildir(self, user: str) -> Path:
        """Where the user's INBOX lies."""
        return self.folder / "mail" / sha256(user.encode()).hexdigest() / "Maildir"

    def _maildir(self, user: str, folder: str) -> Path:
        home = self.maildir(user).parent
        place = self.maildir(user)
        if folder.upper() != "INBOX":
            place /= "." + imap_utf7.encode(folder).decode("ascii").replace("/", ".")
        for each in (home, home / "Maildir", place, *(place / name for name in ("cur", "new", "tmp"))):
            if not each.exists():
                each.mkdir(mode=0o700)
                self._give_away(each)
        if place.parent != home and not (place / "maildirfolder").exists():
            (place / "maildirfolder").touch()
            self._give_away(place / "maildirfolder")
        return place

    def _give_away(self, *paths: Path) -> None:
        if self._is_root:
            for path in paths:
                os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def _run(self, program: str) -> bool:
        """Whether it greets; False where it ended instead, which other ports may help."""
        (self.folder / "dovecot.conf").write_text(self._conf())
        is_nobody = self._is_root and not self._drops_rights
        with (self.folder / "stderr").open("wb") as errors:
            self._process = subprocess.Popen(
                [program, "-F", "-c", self.folder / "dovecot.conf"],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                cwd=self.folder,
                start_new_session=True,
                user=self._owner.pw_uid if is_nobody else None,
                group=self._owner.pw_gid if is_nobody else None,
                extra_groups=[] if is_nobody else None,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._end()
                return False
            if all(greets(port) for port in (self.ports.imap, self.ports.pop3)):
                return True
            time.sleep(0.01)
        raise NotStarted(f"Dovecot did not greet within {START_SECONDS} s:\n{self.log}")

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            end(process)

    def _conf(self) -> str:
        assert self._certificate is not None
        owner = self._owner
        group = grp.getgrgid(owner.pw_gid).gr_name
        own = (
            f"default_internal_user = {owner.pw_name}\n"
            f"default_internal_group = {group}\n"
            f"default_login_user = {owner.pw_name}"
        )
        return _CONF.format(
            root=self.folder,
            ports=self.ports,
            host=HOST,
            certificate=self._certificate,
            password=PASSWORD,
            uid=owner.pw_uid,
            gid=owner.pw_gid,
            connections=self._connections,
            identity="" if self._drops_rights else own,
            settings=self._settings,
        )


class _Keywords:
    """The letters of a Maildir's keywords, as Dovecot keeps them."""

    def __init__(self, file: Path) -> None:
        self.file = file
        lines = file.read_text().splitlines() if file.exists() else []
        self._names = [line.split(" ", 1)[1] for line in lines]
        self._known = len(self._names)

    def letters(self, flags: Sequence[str]) -> str:
        """What stands in a file's name for these flags."""
        return "".join(sorted(_LETTERS.get(flag.lower()) or self._letter(flag) for flag in set(flags)))

    def write(self) -> bool:
        """Keep what is new; False where nothing is."""
        if len(self._names) == self._known:
            return False
        self.file.write_text("".join(f"{number} {name}\n" for number, name in enumerate(self._names)))
        return True

    def _letter(self, keyword: str) -> str:
        if keyword not in self._names:
            self._names.append(keyword)
        return chr(ord("a") + self._names.index(keyword))


@contextmanager
def signed_in(port: int, user: str, password: str) -> Iterator[imaplib.IMAP4]:
    """A client of any IMAP server on this machine."""
    client = imaplib.IMAP4(HOST, port, timeout=10)
    try:
        client.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
        yield client
    finally:
        with suppress(imaplib.IMAP4.error, OSError):
            client.logout()
        with suppress(OSError):  # logout closes only where it was answered
            client.shutdown()


def append(
    client: imaplib.IMAP4, source: bytes, flags: Sequence[str], received_at: datetime | None, folder: str = "INBOX"
) -> None:
    """APPEND of exactly these octets: ``client.append`` would rewrite line breaks."""
    name = imap_utf7.encode(folder).decode("ascii").replace("\\", "\\\\").replace('"', '\\"')
    words = " ".join(map(system_flag, flags))
    when = [] if received_at is None else [imaplib.Time2Internaldate(received_at)]
    vars(client)["literal"] = source
    answer = client.xatom("APPEND", f'"{name}"', f"({words})", *when)
    if answer[0] != "OK":
        raise imaplib.IMAP4.error(answer)


def system_flag(flag: str) -> str:
    """The flag as IMAP has it."""
    return _SYSTEM_FLAGS.get(flag.lower(), flag)


METADATA = """\
mail_attribute_dict = file:%h/dovecot-attributes
protocol imap {
  imap_metadata = yes
}
"""
"""Settings with which it keeps METADATA, which it does not by default."""
_CONF = """\
protocols = imap pop3
base_dir = {root}/run
state_dir = {root}/run
log_path = {root}/dovecot.log
listen = {host}
{identity}

ssl = yes
ssl_cert = <{certificate.cert_file}
ssl_key = <{certificate.key_file}

disable_plaintext_auth = no
auth_mechanisms = plain login
auth_username_chars =
auth_username_format = %u
auth_failure_delay = 0
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/mail/%{{sha256:user}}
}}
first_valid_uid = 1

mail_location = maildir:~/Maildir
mail_max_userip_connections = {connections}
mail_fsync = never
mail_save_crlf = yes
mail_plugins = acl quota

namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    auto = subscribe
    special_use = \\Drafts
  }}
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox Trash {{
    auto = subscribe
    special_use = \\Trash
  }}
  mailbox Junk {{
    auto = subscribe
    special_use = \\Junk
  }}
  mailbox Archive {{
    auto = subscribe
    special_use = \\Archive
  }}
}}
# Shows up only for a user to whom another one gave rights in a folder.
namespace shared {{
  type = shared
  separator = /
  prefix = Shared/%%u/
  location = maildir:%%h/Maildir
  subscriptions = no
  list = children
}}
plugin {{
  acl = vfile
  acl_shared_dict = file:{root}/mail/shared.db
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=1G
}}

protocol imap {{
  mail_plugins = $mail_plugins imap_acl imap_quota
  mail_max_userip_connections = {connections}
}}
protocol pop3 {{
  mail_max_userip_connections = {connections}
}}

service imap-login {{
  chroot =
  service_count = 0
  process_min_avail = 1
  client_limit = 2000
  inet_listener imap {{
    port = {ports.imap}
  }}
  inet_listener imaps {{
    port = {ports.imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  service_count = 0
  process_min_avail = 1
  client_limit = 2000
  inet_listener pop3 {{
    port = {ports.pop3}
  }}
  inet_listener pop3s {{
    port = {ports.pop3s}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 2000
}}
service pop3 {{
  process_limit = 2000
}}
service anvil {{
  chroot =
  # Wrong passwords are part of the tests, and are not to slow down the right ones.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}

{settings}
"""
