"""Several processes behind one port."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from secrets import token_urlsafe

import httpx

from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import PASSWORD, Dovecot


def children(pid: int) -> set[int]:
    """The processes that serve: those of ``multiprocessing`` that are no tracker."""
    found = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return {child for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()}


async def test_workers_share_a_port_and_their_tokens(dovecot: Dovecot) -> None:
    """Each serves, opens the others' tokens, is replaced when it dies, and drains with the rest."""
    user = dovecot.user()
    dovecot.append(user, b"Subject: hello\r\n\r\nworld\r\n")
    env = environment(dovecot, secret_keys=token_urlsafe(32), drain_seconds=0)
    async with Replica(env, more=("--workers", "2")) as replica:
        workers = children(replica.pid)
        assert len(workers) == 2
        async with httpx.AsyncClient(base_url=replica.url) as client:
            made = await client.post("/v1/sessions", json={"username": user, "password": PASSWORD})
            headers = {"Authorization": f"Bearer {made.json()['token']}", "Connection": "close"}
            os.kill(min(workers), signal.SIGKILL)
            async with asyncio.timeout(20):
                while len(now := children(replica.pid)) < 2 or min(workers) in now:
                    await asyncio.sleep(0.05)
            for _ in range(20):
                page = await client.get("/v1/accounts/me/folders/inbox/messages", headers=headers)
                assert [row["subject"] for row in page.json()["items"]] == ["hello"]
        replica.send(signal.SIGTERM)
        assert await replica.ended(20) == 0
        assert "Traceback" not in replica.log


def test_workers_without_a_common_key_are_refused(dovecot: Dovecot) -> None:
    command = [sys.executable, "-m", "service", "serve", "--workers", "2"]
    done = subprocess.run(
        command, env=os.environ | environment(dovecot), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert "secret_keys" in done.stderr
