"""Cyrus 3.6 in a file system of its own. A public folder ``Archive`` is there, which everybody may read and nobody may write to.

with Cyrus() as server: ...              # its default: INBOX.Sent, and public folders at the root
with Cyrus(alternative=True) as server:  # Sent beside INBOX, a slash between names, threads by conversations, METADATA with any entry
"""

from collections.abc import Mapping
from imaplib import IMAP4

from tests.servers.debian import DebianServer
from tests.servers.dovecot import PASSWORD

ADMIN = "cyrus"
PUBLIC = "Archive"
RIGHTS = "lrs"
"""Of everybody on the public folder."""


class Cyrus(DebianServer):
    """Every name logs in with PASSWORD; its folders come to be with the first login."""

    system = "cyrus"

    def __init__(self, *, alternative: bool = False) -> None:
        super().__init__()
        self.is_alternative = alternative
        self.public = f"Shared Folders/{PUBLIC}" if alternative else PUBLIC
        """The public folder's name, as users see it."""

    def start(self) -> None:
        super().start()
        with self.connect(ADMIN) as client:
            for command in (("CREATE", PUBLIC), ("SETACL", PUBLIC, "anyone", RIGHTS)):
                if client.xatom(*command)[0] != "OK":
                    raise IMAP4.error(command)

    def files(self) -> Mapping[str, str]:
        return {
            "/etc/imapd.conf": _IMAPD.format(alternative="yes" if self.is_alternative else "no", password=PASSWORD),
            "/etc/cyrus.conf": _CYRUS.format(host=self.host, imap=self.imap, pop3=self.pop3),
        }

    def command(self) -> str:
        return _COMMAND


_COMMAND = """
mkdir -p /run/cyrus/proc /run/cyrus/lock /run/cyrus/socket
sqlite3 /var/lib/cyrus/users 'create table users (name)'
chown -R cyrus:mail /run/cyrus /var/lib/cyrus /var/spool/cyrus
runuser -u cyrus -- /usr/lib/cyrus/bin/makedirs 2>/dev/null || runuser -u cyrus -- /usr/sbin/cyrus makedirs
exec /usr/lib/cyrus/bin/master -C /etc/imapd.conf -M /etc/cyrus.conf -p /run/cyrus/master.pid
"""
_IMAPD = """\
configdirectory: /var/lib/cyrus
proc_path: /run/cyrus/proc
mboxname_lockpath: /run/cyrus/lock
defaultpartition: default
partition-default: /var/spool/cyrus/mail
altnamespace: {alternative}
unixhierarchysep: {alternative}
conversations: {alternative}
annotation_allow_undefined: {alternative}
allowanonymouslogin: no
popminpoll: 0
autocreate_quota: 500000
autocreate_inbox_folders: Drafts | Sent | Trash | Junk
autocreate_subscribe_folders: Drafts | Sent | Trash | Junk
xlist-drafts: Drafts
xlist-sent: Sent
xlist-trash: Trash
xlist-junk: Junk
umask: 077
hashimapspool: true
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sql
sasl_sql_engine: sqlite3
sasl_sql_database: /var/lib/cyrus/users
sasl_sql_select: select '{password}'
sasl_mech_list: PLAIN LOGIN
lmtpsocket: /run/cyrus/socket/lmtp
idlesocket: /run/cyrus/socket/idle
notifysocket: /run/cyrus/socket/notify
syslog_prefix: cyrus
admins: cyrus
virtdomains: off
maxlogins_per_user: 0
"""
_CYRUS = """\
START {{
  recover cmd="/usr/sbin/cyrus ctl_cyrusdb -r"
}}
SERVICES {{
  imap cmd="imapd -U 30" listen="{host}:{imap}" prefork=2 maxchild=200
  pop3 cmd="pop3d -U 30" listen="{host}:{pop3}" prefork=1 maxchild=50
}}
DAEMON {{
  idled cmd="idled"
}}
EVENTS {{
}}
"""
