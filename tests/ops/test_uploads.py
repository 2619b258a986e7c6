"""Uploads that do not keep to what they announce: a message is stored whole or not at all, and nothing else stays."""

import signal
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.deploy.replica import Replica, environment
from tests.edge.raw import connected
from tests.servers.dovecot import PASSWORD, Dovecot

pytestmark = pytest.mark.dovecot
HERE = "/v1/accounts/me/folders/inbox/messages"
MAIL = b"Subject: whole\r\n\r\ntext\r\n"
LARGE = 30 << 20


@pytest.fixture
def user(dovecot: Dovecot) -> str:
    return dovecot.user()


@pytest.fixture
async def replica(dovecot: Dovecot, tmp_path: Path) -> AsyncIterator[Replica]:
    """Its temporary files have a folder of their own."""
    async with Replica(environment(dovecot) | {"TMPDIR": str(tmp_path)}) as replica:
        yield replica


def head(user: str, octets: int) -> bytes:
    login = b64encode(f"{user}:{PASSWORD}".encode()).decode()
    lines = [
        f"POST {HERE} HTTP/1.1",
        "Host: casella.example.org",
        f"Authorization: Basic {login}",
        "Content-Type: message/rfc822",
        f"Content-Length: {octets}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def subjects(replica: Replica, user: str) -> list[str]:
    async with httpx.AsyncClient(base_url=replica.url, auth=(user, PASSWORD)) as client:
        return [row["subject"] for row in (await client.get(HERE)).json()["items"]]


@pytest.mark.parametrize("sent", [0, len(MAIL), LARGE // 2])
async def test_who_leaves_before_the_end_has_stored_nothing(
    replica: Replica, user: str, tmp_path: Path, sent: int
) -> None:
    """R-HTTP-18, R-OPS-09."""
    async with connected(replica.port) as raw:
        await raw.send(head(user, LARGE) + (MAIL + b"x" * LARGE)[:sent])
    async with httpx.AsyncClient(base_url=replica.url, auth=(user, PASSWORD)) as client:
        after = await client.post(HERE, content=MAIL, headers={"Content-Type": "message/rfc822"})
    assert after.status_code == 201
    assert await subjects(replica, user) == ["whole"]
    assert left_in(tmp_path) == []


async def test_what_follows_the_announced_end_is_no_part_of_the_message(replica: Replica, user: str) -> None:
    """R-HTTP-18, R-HTTP-07: the connection ends with the answer."""
    async with connected(replica.port) as raw:
        await raw.send(head(user, len(MAIL)) + MAIL + b"and more\r\n")
        [stored] = await raw.answers()
    assert stored.status == 201
    assert await subjects(replica, user) == ["whole"]


async def test_what_is_announced_too_large_is_refused_before_it_is_sent(replica: Replica, user: str) -> None:
    """R-HTTP-18."""
    async with connected(replica.port) as raw:
        await raw.send(head(user, 100 << 20))
        answer = await raw.answer()
    assert answer is not None
    assert (answer.status, answer.problem) == (413, "too-large")


async def test_a_process_killed_in_an_upload_leaves_nothing_behind(replica: Replica, user: str, tmp_path: Path) -> None:
    """R-HTTP-18, R-OPS-01."""
    async with connected(replica.port) as raw:
        await raw.send(head(user, LARGE) + b"x" * (LARGE // 2))
        replica.send(signal.SIGKILL)
        await replica.ended(5)
    assert left_in(tmp_path) == []
    await replica.start()
    assert await subjects(replica, user) == []
