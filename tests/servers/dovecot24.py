"""Dovecot 2.4 in a file system of its own, with rights (ACL) and quotas."""

from collections.abc import Mapping

from tests.servers.debian import DebianServer
from tests.servers.dovecot import PASSWORD


class Dovecot24(DebianServer):
    """Every name logs in with PASSWORD."""

    system = "dovecot24"

    def files(self) -> Mapping[str, str]:
        return {
            "/etc/dovecot/test.conf": _CONF.format(host=self.host, imap=self.imap, pop3=self.pop3, password=PASSWORD)
        }

    def command(self) -> str:
        return "mkdir -p /srv/mail; chown nobody:nogroup /srv/mail; exec dovecot -F -c /etc/dovecot/test.conf"


_FOLDERS = "".join(
    f"  mailbox {name} {{{{\n    special_use = \\{name}\n    auto = subscribe\n  }}}}\n"
    for name in ("Drafts", "Sent", "Trash", "Junk", "Archive")
)
_CONF = (
    """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols = imap pop3
listen = {host}
ssl = no
auth_allow_cleartext = yes
auth_mechanisms = plain login
auth_failure_delay = 0
mail_driver = maildir
mail_path = ~/Maildir
mail_home = /srv/mail/%{{user}}
mail_uid = 65534
mail_gid = 65534
first_valid_uid = 1
log_path = /dev/stderr
mail_max_userip_connections = 1000
mail_plugins {{
  acl = yes
  quota = yes
}}
acl_driver = vfile
quota "User quota" {{
  driver = count
  storage_size = 1G
}}
passdb static {{
  password = {password}
}}
userdb static {{
}}
namespace inbox {{
  inbox = yes
  separator = /
"""
    + _FOLDERS
    + """\
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
}}
protocol imap {{
  mail_plugins {{
    imap_acl = yes
    imap_quota = yes
  }}
}}
"""
)
