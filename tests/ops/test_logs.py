"""One line of JSON for each event, without private data."""

import json
import signal
import subprocess
import sys
from typing import Any

import httpx
import pytest

from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import Dovecot

CANARY = "canary-8f3a-letter"
REQUEST_ID = "from-the-proxy.7"
PASSWORD_OF_NOBODY = "canary-44d0-password"
_SPEAK = """
import logging, structlog
from service.telemetry import logs
logs.configure("INFO")
with structlog.contextvars.bound_contextvars(request_id="r1"):
    structlog.get_logger("own").info("said", Password="s3cret", headers={"Authorization": "s3cret", "Accept": "*/*"})
    logging.getLogger("library").warning("of %s", "a library")
logging.getLogger("aioimaplib").info("what is in mail")
structlog.get_logger("own").debug("too much")
"""

_FAIL = f"""
import asyncio, gc, logging
from service.telemetry import logs
logs.configure("INFO")

async def fails():
    raise ValueError("{CANARY}")

async def main():
    task = asyncio.create_task(fails())
    await asyncio.sleep(0)
    del task
    gc.collect()
    try:
        await fails()
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")

asyncio.run(main())
"""


def lines(log: str) -> list[dict[str, Any]]:
    """All of it is JSON."""
    return [json.loads(line) for line in log.splitlines()]


def test_lines_of_casella_and_of_libraries_have_one_form() -> None:
    """R-HTTP-14: with the id of their request, and without values that are named like a secret."""
    done = subprocess.run([sys.executable, "-c", _SPEAK], capture_output=True, text=True, check=True)
    own, library = lines(done.stderr)
    assert "s3cret" not in done.stderr
    assert own["headers"] == {"Authorization": "[redacted]", "Accept": "*/*"}
    assert (own["event"], own["level"], own["Password"]) == ("said", "info", "[redacted]")
    assert (library["event"], library["level"], library["logger"]) == ("of a library", "warning", "library")
    assert own["request_id"] == library["request_id"] == "r1"
    assert own["timestamp"].endswith("Z")
    assert library["timestamp"].endswith("Z")


def test_exceptions_of_libraries_are_logged_without_their_words() -> None:
    """R-HTTP-14: those that nobody waited for too: asyncio has them in its text, and their words may repeat a letter."""
    done = subprocess.run([sys.executable, "-c", _FAIL], capture_output=True, text=True, check=True)
    assert CANARY not in done.stderr
    lost, caught = lines(done.stderr)
    assert (lost["event"], lost["logger"]) == ("Task exception was never retrieved", "asyncio")
    assert caught["event"] == "Exception in ASGI application"
    for line in (lost, caught):
        assert (line["kind"], line["level"]) == ("ValueError", "error")
        assert [frame.partition(":")[0] for frame in line["frames"]][-1] == "<string>"


@pytest.mark.dovecot
async def test_a_request_is_one_line_without_private_data(dovecot: Dovecot) -> None:
    """R-HTTP-14: no user, no path, no password; the request id of the answer is in the line."""
    user = dovecot.user()
    dovecot.append(user, f"Subject: {CANARY}\r\n\r\n{CANARY}\r\n".encode())
    folder = "/v1/accounts/me/folders/inbox/messages"
    async with Replica(environment(dovecot, drain_seconds=0)) as replica:
        async with httpx.AsyncClient(base_url=replica.url, headers={"X-Request-Id": REQUEST_ID}) as client:
            refused = await client.get(folder, auth=(user, PASSWORD_OF_NOBODY))
            await client.get(f"{folder}?subject={CANARY}")
            await client.post("/v1/sessions", json={"username": user, "password": [PASSWORD_OF_NOBODY]})
        replica.send(signal.SIGTERM)
        assert await replica.ended(20) == 0
        log = replica.log
    entries = [line for line in lines(log) if line["event"] == "request" and line["request_id"] == REQUEST_ID]
    assert refused.json()["requestId"] == REQUEST_ID
    assert [(line["method"], line["status"]) for line in entries] == [("GET", 401), ("GET", 401), ("POST", 422)]
    assert [line["upstream_ms"] > 0 for line in entries] == [True, False, False]
    assert entries[0]["route"] == "/v1/accounts/{account}/folders/{folder}/messages"
    for word in (user, CANARY, PASSWORD_OF_NOBODY, "inbox"):
        assert word not in log
