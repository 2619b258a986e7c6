"""A throwaway Exim, unpacked from Debian's packages and never installed: only one program of its kind can be.

    with Exim(sink.port, certificate) as exim:
        exim.port                              # STARTTLS; every name signs in with PASSWORD

As observed: 4.96 offers SIZE, 8BITMIME, DSN, PIPELINING, CHUNKING, STARTTLS, AUTH and SMTPUTF8.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.servers.dovecot import PASSWORD, NotStarted
from tests.servers.process import HOST, Started, end, free_ports
from tests.servers.submission import wait_for_greeting

USER = "daemon"
"""Who Exim becomes for its work: a user and a group of every Debian."""
PACKAGES = ("exim4-daemon-light", "exim4-base")


class Exim(Started):
    """One Exim. Root starts it."""

    def __init__(self, sink: int, certificate: tuple[Path, Path]) -> None:
        self._sink = sink
        self._certificate = certificate
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path()
        [self.port] = free_ports(1)

    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="exim-"))
        self.folder.chmod(0o755)
        try:
            program = self._unpacked()
            for name in ("spool", "log"):
                (self.folder / name).mkdir()
                shutil.chown(self.folder / name, USER, USER)
            for file in self._certificate:
                shutil.chown(shutil.copy(file, self.folder), USER, USER)
            configuration = self.folder / "exim.conf"
            certificate, key = (self.folder / file.name for file in self._certificate)
            configuration.write_text(
                _CONF.format(
                    root=self.folder,
                    sink=self._sink,
                    host=HOST,
                    port=self.port,
                    password=PASSWORD,
                    user=USER,
                    certificate=certificate,
                    key=key,
                )
            )
            command: list[str | Path] = [program, "-bdf", "-q1m", "-C", configuration]
            with (self.folder / "stderr").open("wb") as errors:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stderr=errors, start_new_session=True
                )
            wait_for_greeting(self.port, lambda: self.log)
        except BaseException:
            self.stop()
            raise

    @property
    def log(self) -> str:
        """What it wrote so far."""
        files = (self.folder / "stderr", self.folder / "log" / "main", self.folder / "log" / "panic")
        return "".join(file.read_text(errors="replace") for file in files if file.exists())

    def stop(self) -> None:
        """End it and all its children, and remove its folder."""
        if self._process is not None:
            end(self._process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _unpacked(self) -> Path:
        """The program, from packages that apt fetches and does not install."""
        if os.geteuid() != 0:
            raise NotStarted("Exim is started by root only")

        fetched = subprocess.run(
            ["apt-get", "-qq", "download", *PACKAGES], cwd=self.folder, capture_output=True, text=True, check=False
        )
        if fetched.returncode != 0:
            raise NotStarted(f"apt-get download: {fetched.stderr}")
        for package in self.folder.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, self.folder / "root"], check=True)
        program = self.folder / "root" / "usr" / "sbin" / "exim4"
        # It looks up this user before it reads its configuration, and the packages' scripts, which did not run, make it.
        program.write_bytes(program.read_bytes().replace(b"Debian-exim\0", USER.encode().ljust(12, b"\0")))
        return program


_CONF = """\
exim_path = {root}/root/usr/sbin/exim4
exim_user = {user}
exim_group = {user}
keep_environment =
primary_hostname = mx.example.org
spool_directory = {root}/spool
log_file_path = {root}/log/%s
local_interfaces = {host}
daemon_smtp_ports = {port}
tls_advertise_hosts = *
tls_certificate = {certificate}
tls_privatekey = {key}
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
message_size_limit = 60M
host_lookup =
rfc1413_hosts =
acl_smtp_rcpt = check_rcpt
acl_smtp_data = accept
begin acl
check_rcpt:
  accept authenticated = *
  deny message = sign in first
begin routers
all:
  driver = manualroute
  route_list = * {host} byname
  self = send
  transport = sink
begin transports
sink:
  driver = smtp
  port = {sink}
  hosts_try_fastopen =
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${{if eq{{$auth3}}{{{password}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if eq{{$auth2}}{{{password}}}}}
  server_set_id = $auth1
"""
