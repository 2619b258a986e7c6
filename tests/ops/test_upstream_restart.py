"""A mail server that restarts under load. ``CASELLA_ROUNDS`` sets the number of accounts."""

import asyncio
import logging
import os
import re
import time
from collections import Counter

import httpx
import pytest

from tests.contract.letters import plain
from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import PASSWORD, Dovecot

pytestmark = pytest.mark.dovecot
ACCOUNTS = int(os.environ.get("CASELLA_ROUNDS", "12"))
AT_ONCE = 3
"""Requests of each account."""
CONNECTIONS = 2
"""Of each account, to the mail server."""
GONE_SECONDS = 2.0
DEADLINE = 30.0
"""The deadline for every answer."""
RECOVERY = 15.0
"""The deadline for mail after the restart."""
_log = logging.getLogger(__name__)
INBOX = "/v1/accounts/me/folders/inbox/messages"


class Crowd:
    """Accounts that repeat their requests after every answer, errors too."""

    def __init__(self, url: str, users: list[str]) -> None:
        self.answers: Counter[int] = Counter()
        self.without_hint = 0
        self.slowest = 0.0
        self._url = url
        self._users = users
        self._served: set[str] = set()
        self._is_done = False

    async def run(self) -> None:
        async with httpx.AsyncClient(base_url=self._url, timeout=DEADLINE, limits=httpx.Limits(max_connections=None)) as client:  # fmt: skip
            await asyncio.gather(*(self._ask(client, user) for user in self._users for _ in range(AT_ONCE)))

    async def all_served(self) -> None:
        """Returns when each account has got mail in an answer after this call."""
        self._served.clear()
        async with asyncio.timeout(RECOVERY):
            while len(self._served) < len(self._users):
                await asyncio.sleep(0.02)

    def stop(self) -> None:
        self._is_done = True

    async def _ask(self, client: httpx.AsyncClient, user: str) -> None:
        while not self._is_done:
            began = time.monotonic()
            answer = await client.get(INBOX, auth=(user, PASSWORD))
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.answers[answer.status_code] += 1
            if answer.status_code == 200:
                assert answer.json()["total"] == 1
                self._served.add(user)
            else:
                self.without_hint += answer.status_code == 503 and "retry-after" not in answer.headers
                await asyncio.sleep(0.05)  # a hundredth of what they are asked to wait


@pytest.mark.timeout(300)
async def test_a_mail_server_that_restarts_under_load() -> None:
    """R-OPS-04: meanwhile requests are answered 502 to 504 in time. Afterwards no account logs in more often than it may have
    connections, and all get their mail again soon."""
    with Dovecot() as dovecot:
        users = [dovecot.user() for _ in range(ACCOUNTS)]
        for user in users:
            dovecot.seed(user, [(plain("hello"), (), None)])
        async with Replica(environment(dovecot, account_connections=CONNECTIONS)) as replica:
            crowd = Crowd(replica.url, users)
            async with asyncio.timeout(4 * DEADLINE), asyncio.TaskGroup() as group:
                group.create_task(crowd.run())
                await crowd.all_served()
                assert set(crowd.answers) == {200}
                await asyncio.to_thread(dovecot.go_down)
                before = len(dovecot.log)
                await asyncio.sleep(GONE_SECONDS)
                await asyncio.to_thread(dovecot.come_back)
                await crowd.all_served()
                meanwhile = crowd.answers.copy()
                crowd.answers.clear()
                await crowd.all_served()
                assert set(crowd.answers) == {200}
                crowd.stop()
            logins = len(re.findall("imap-login: Info: Login:", dovecot.log[before:]))
            assert '"level":"error"' not in replica.log
    _log.info("meanwhile %s, slowest %.1f s, %d logins afterwards", dict(meanwhile), crowd.slowest, logins)
    assert 503 in meanwhile
    assert set(meanwhile) <= {200, 502, 503, 504}
    assert crowd.without_hint == 0
    assert logins <= ACCOUNTS * CONNECTIONS
