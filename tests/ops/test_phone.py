"""The client of the guide to staying in step keeps its list in step, with faults between it and the mail."""

import asyncio
import json
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import pytest

from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import PASSWORD, Dovecot

PAGE = Path(__file__).parents[2] / "docs" / "stay-in-step.md"
SEEN = "$seen"


@pytest.mark.dovecot
async def test_the_guide_s_client_keeps_its_list_in_step(dovecot: Dovecot, tmp_path: Path) -> None:
    """R-OPS-19: mail arrives, is read and is deleted, with a restart of the service in between."""
    node = shutil.which("node")
    assert node, "This test needs Node: apt-get install nodejs"
    [program] = re.findall(r"^```js\n(// phone\.mjs.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "phone.mjs").write_text(program)
    user = dovecot.user()
    dovecot.seed(user, [(b"Subject: old\r\n\r\nx\r\n", (), None)] * 3)
    async with Replica(environment(dovecot, secret_keys=token_urlsafe(32), drain_seconds=0)) as replica:
        phone = await asyncio.create_subprocess_exec(
            node, tmp_path / "phone.mjs", replica.url, user, PASSWORD, stdout=asyncio.subprocess.PIPE
        )
        assert phone.stdout is not None
        try:
            shown = _Shown(phone.stdout)
            await shown.until(lambda rows: len(rows) == 3)
            with dovecot.connect(user) as client:
                dovecot.append(user, b"Subject: new\r\n\r\nx\r\n")
                await shown.until(lambda rows: len(rows) == 4)
                client.select()
                client.store("2", "+FLAGS", "(\\Seen)")
                await shown.until(lambda rows: sum(SEEN in flags for _, flags in rows) == 1)
                replica.send(signal.SIGTERM)
                assert await replica.ended(20) == 0
                client.store("1", "+FLAGS", "(\\Deleted)")
                client.expunge()
                dovecot.append(user, b"Subject: meanwhile\r\n\r\nx\r\n")
                dovecot.append(user, b"Subject: meanwhile\r\n\r\nx\r\n")
            await replica.start()
            await shown.until(lambda rows: len(rows) == 5)
        finally:
            phone.kill()
            await phone.wait()


class _Shown:
    """What the client prints after each event."""

    def __init__(self, lines: asyncio.StreamReader) -> None:
        self._lines = lines
        self.rows: list[Any] = []

    async def until(self, condition: Callable[[list[Any]], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition(self.rows):
                self.rows = json.loads(await self._lines.readline())
