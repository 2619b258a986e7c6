"""Servers of the tests end on every machine."""

import subprocess
import sys
from pathlib import Path

ORPHANAGE = """
import ctypes, imaplib
from tests.servers.dovecot import PASSWORD, Dovecot

PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
with Dovecot() as server:
    client = imaplib.IMAP4("127.0.0.1", server.ports.imap)
    client.login(server.user(), PASSWORD)
    client.select()
client.shutdown()
"""


def test_a_server_ends_where_nobody_waits_for_orphans() -> None:
    """Dovecot leaves the process of an open connection behind, and the first process of a container may not reap."""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", ORPHANAGE], cwd=root, timeout=60, check=True)
