"""Courier 5 in a file system of its own, as Debian configures it: IDLE looks once a minute, a trash that empties itself.

But for its locks: with them, a session that meets another one in a folder was seen to wait for two minutes, because it
missed that the lock was gone (maildirwatch_unlock, by inotify).
"""

import os
from collections.abc import Iterable, Mapping
from itertools import count

from tests.servers.debian import DebianServer
from tests.servers.dovecot import Mail

NOBODY = 65534
USERS = 1500
"""Names that log in: the server reads them when it starts."""
QUOTA = 500_000_000
"""Octets that a mailbox may hold."""
_HASH = "$1$casella$jsoJkwYtLEXZBEAy0wAd7."
"""``PASSWORD``, as ``openssl passwd -1`` writes it."""


class Courier(DebianServer):
    """Users' Maildirs are below /srv/mail."""

    system = "courier"

    def __init__(self) -> None:
        super().__init__()
        self._files = count()

    def files(self) -> Mapping[str, str]:
        limits = "MAXDAEMONS=200\nMAXPERIP=200\n"
        return {
            "/etc/courier/authdaemonrc.more": 'authmodulelist="authuserdb"\n',
            "/etc/courier/imapd.more": f"ADDRESS={self.host}\nPORT={self.imap}\nIMAP_USELOCKS=0\n{limits}",
            "/etc/courier/pop3d.more": f"ADDRESS={self.host}\nPORT={self.pop3}\n{limits}",
            "/etc/courier/userdb": "".join(map(_user, range(1, USERS + 1))),
        }

    def command(self) -> str:
        return _COMMAND

    def user(self) -> str:
        name = super().user()
        assert int(name[1:]) <= USERS
        return name

    def deliver(self, user: str, messages: Iterable[Mail]) -> None:
        """Put messages into the inbox as files. POP3 orders mail of the same second by the names of its files, which
        APPEND chooses at random; here they follow each other."""
        for source, _, _ in messages:
            file = self.root / "srv" / "mail" / user / "Maildir" / "new" / f"{1_700_000_000 + next(self._files)}.M1P1.x"
            file.write_bytes(source.replace(b"\r\n", b"\n"))
            os.chown(file, NOBODY, NOBODY)


def _user(number: int) -> str:
    home = f"/srv/mail/u{number}"
    return f"u{number}\tuid={NOBODY}|gid={NOBODY}|home={home}|mail={home}/Maildir|systempw={_HASH}\n"


_COMMAND = f"""
cd /etc/courier
for each in authdaemonrc imapd pop3d; do cat $each.more >> $each; done
chmod 600 userdb
makeuserdb
mkdir -p /srv/mail /run/courier/authdaemon
chown courier:courier /run/courier /run/courier/authdaemon
for number in $(seq {USERS}); do echo /srv/mail/u$number/Maildir/cur /srv/mail/u$number/Maildir/new /srv/mail/u$number/Maildir/tmp; done | xargs mkdir -p
for number in $(seq {USERS}); do echo {QUOTA}S > /srv/mail/u$number/Maildir/maildirsize; done
chown -R nobody:nogroup /srv/mail
authdaemond start
/usr/lib/courier/imapd start
/usr/lib/courier/pop3d start
exec sleep infinity
"""
