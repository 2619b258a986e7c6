"""Servers that send: Dovecot's submission service, and Postfix that asks the same Dovecot for passwords. Both relay to a
sink, run on free ports of 127.0.0.1, and are gone without a trace when they are stopped.

    with Sink() as sink, SendingDovecot(sink.port) as dovecot, Postfix(sink.port, dovecot) as postfix:
        dovecot.submission, postfix.port, postfix.tls_port

As observed: Dovecot 2.3.19 offers PIPELINING, SIZE, 8BITMIME, ENHANCEDSTATUSCODES, CHUNKING, BURL, and neither SMTPUTF8 nor
DSN although its relay does. Postfix 3.7 offers all of them but BURL. Postfix wants root: it changes users itself.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.servers.dovecot import START_SECONDS, Dovecot, NotStarted
from tests.servers.process import HOST, Started, end, free_ports, greets_with

REFUSED = "nobody@example.net"
"""Postfix knows that they are not there."""
_DOVECOT = """
protocols = imap pop3 submission
hostname = mx.example.org
auth_mechanisms = plain login xoauth2 oauthbearer
submission_relay_host = {host}
submission_relay_port = {sink}
submission_relay_trusted = yes
submission_max_mail_size = 60M
submission_max_recipients = 1000
service submission-login {{
  chroot =
  inet_listener submission {{
    port = {submission}
  }}
}}
service auth {{
  inet_listener {{
    address = {host}
    port = {sasl}
  }}
}}
"""


class SendingDovecot(Dovecot):
    """A Dovecot with its submission service, and one for passwords that other servers ask."""

    def __init__(self, sink: int, settings: str = "") -> None:
        self.submission, self.sasl = free_ports(2)
        own = _DOVECOT.format(host=HOST, sink=sink, submission=self.submission, sasl=self.sasl)
        super().__init__(settings=own + settings)

    def start(self) -> None:
        super().start()
        wait_for_greeting(self.submission, lambda: self.log)

    @property
    def certificates(self) -> tuple[Path, Path]:
        """The server's certificate and its key."""
        assert self._certificate is not None
        return self._certificate.cert_file, self._certificate.key_file


class Postfix(Started):
    """One Postfix. ``sasl`` is who knows the passwords, and whose certificate it shows."""

    def __init__(self, sink: int, sasl: SendingDovecot) -> None:
        self._sink = sink
        self._sasl = sasl
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path()
        self.port, self.tls_port = free_ports(2)

    def start(self) -> None:
        program = Path("/usr/lib/postfix/sbin/master")
        if not program.exists():
            raise NotStarted("These tests need a Postfix: apt-get install postfix")
        self.folder = Path(tempfile.mkdtemp(prefix="postfix-"))
        self.folder.chmod(0o755)
        try:
            self._write()
            etc = self.folder / "etc"
            subprocess.run(["/usr/sbin/postfix", "-c", etc, "check"], check=True, capture_output=True)
            self._process = subprocess.Popen([program, "-c", etc], stdin=subprocess.DEVNULL, start_new_session=True)
            wait_for_greeting(self.port, lambda: self.log)
        except BaseException:
            self.stop()
            raise

    @property
    def log(self) -> str:
        """What it wrote so far."""
        file = self.folder / "mail.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def stop(self) -> None:
        """End it and all its children, and remove its folder."""
        if self._process is not None:
            end(self._process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self) -> None:
        etc = self.folder / "etc"
        for folder in (etc, self.folder / "queue", self.folder / "data"):
            folder.mkdir()
        for name in ("postfix-files", "dynamicmaps.cf"):
            shutil.copy(Path("/etc/postfix") / name, etc)
        shutil.chown(self.folder / "data", "postfix")
        certificate, key = self._sasl.certificates
        main = _MAIN.format(
            root=self.folder,
            host=HOST,
            sink=self._sink,
            sasl=self._sasl.sasl,
            refused=REFUSED,
            certificate=certificate,
            key=key,
        )
        (etc / "main.cf").write_text(main)
        (etc / "master.cf").write_text(_MASTER.format(host=HOST, port=self.port, tls_port=self.tls_port))


def wait_for_greeting(port: int, log: Callable[[], str]) -> None:
    """Returns when a server that sends says hello. NotStarted with its log if it does not."""
    deadline = time.monotonic() + START_SECONDS
    while not greets_with(port, b"2"):
        if time.monotonic() > deadline:
            raise NotStarted(log())
        time.sleep(0.02)


def is_root() -> bool:
    """Whether servers that change users themselves can be started."""
    return os.geteuid() == 0


_MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = {host}
inet_protocols = ipv4
myhostname = mx.example.org
mydestination =
mynetworks =
alias_maps =
local_recipient_maps =
relayhost = [{host}]:{sink}
disable_dns_lookups = yes
smtp_host_lookup = native
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access inline:{{ {{ {refused} = 550 5.1.1 nobody is here }} }}, permit_sasl_authenticated, reject
smtpd_recipient_limit = 1000
smtpd_client_connection_count_limit = 0
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:{host}:{sasl}
smtpd_sasl_security_options = noanonymous
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = may
smtpd_tls_auth_only = no
smtputf8_enable = yes
message_size_limit = 60000000
mailbox_size_limit = 0
maillog_file = {root}/mail.log
maillog_file_prefixes = {root}
"""
_MASTER = """\
{host}:{port} inet n - n - - smtpd
{host}:{tls_port} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
