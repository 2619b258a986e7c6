"""A Dovecot that reports each delivery to a hook, configured by the lines of docs/operator.md, and LMTP to deliver by."""

import re
import smtplib
from collections.abc import Iterable
from pathlib import Path

from tests.servers.dovecot import Dovecot
from tests.servers.process import HOST, free_ports
from tests.servers.submission import wait_for_greeting

GUIDE = Path(__file__).parents[2] / "docs" / "operator.md"
_ADDRESS = "https://casella.example.org"
_SECRET = "YOUR-SECRET"
_LMTP = """
protocols = imap pop3 lmtp
service lmtp {{
  inet_listener lmtp {{
    address = {host}
    port = {port}
  }}
}}
"""


def lines_of_the_guide(url: str, secret: str) -> str:
    """What operators are told to write, with the address of this test."""
    [found] = re.findall(r"```\n([^`]*push_notification_driver[^`]*)```", GUIDE.read_text())
    assert _ADDRESS in found
    assert _SECRET in found
    return str(found).replace(_ADDRESS, url).replace(_SECRET, secret)


class ReportingDovecot(Dovecot):
    """Reports to ``url``."""

    def __init__(self, url: str, secret: str) -> None:
        [self.lmtp] = free_ports(1)
        super().__init__(settings=_LMTP.format(host=HOST, port=self.lmtp) + lines_of_the_guide(url, secret))

    def start(self) -> None:
        super().start()
        wait_for_greeting(self.lmtp, lambda: self.log)

    def deliver(self, user: str, source: bytes, to: Iterable[str] = ()) -> None:
        """By LMTP, as a mail server of the Internet does: returns when it is in the mailbox."""
        with smtplib.LMTP(HOST, self.lmtp, local_hostname="mx.example.org") as client:
            refused = client.sendmail("ann@example.org", [user, *to], source)
            assert not refused, refused
