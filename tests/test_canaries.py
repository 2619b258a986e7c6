"""The canary run finds what it looks for."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_TEST = """
import asyncio, httpx, structlog

async def app(scope, receive, send):
    {leak}
    is_error = scope["path"] == "/else"
    kind = b"application/problem+json" if is_error else b"application/json"
    await send({{"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]}})
    await send({{"type": "http.response.body", "body": {error!r} if is_error else b'{{"subject": "a secret letter"}}'}})

async def ask():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://casella.example.org") as client:
        await client.get("/v1/x", auth=("anna@example.org", "canary-51b7-password"))
        await client.get("/else")

def test_it():
    asyncio.run(ask())
"""


@pytest.mark.parametrize(
    ("leak", "error", "where"),
    [
        ("structlog.get_logger().debug('asked')", b"{}", ""),
        ("structlog.get_logger().debug('asked', by='anna@example.org')", b"{}", "a log"),
        ("__import__('logging').getLogger('x').debug('canary-51b7-password')", b"{}", "a log"),
        ("structlog.get_logger().info('a secret letter')", b"{}", "a log"),
        ("pass", b'{"detail": "in a secret letter"}', "an error"),
    ],
)
def test_a_leak_fails_the_run(tmp_path: Path, leak: str, error: bytes, where: str) -> None:
    """R-HTTP-14."""
    (tmp_path / "test_leak.py").write_text(_TEST.format(leak=leak, error=error))
    options = ["-q", "-p", "tests.canaries", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    run = [sys.executable, "-m", "pytest", *options]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == (1 if where else 0), done.stdout
    assert (f" in {where}: " in done.stdout) == bool(where), done.stdout
    assert "1 passed" in done.stdout
