"""Uploads that break off or exceed their announced length: a message is stored whole or not at all."""

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
async def test_an_upload_that_breaks_off_stores_nothing(replica: Replica, user: str, tmp_path: Path, sent: int) -> None:
    """R-HTTP-18, R-OPS-09."""
    async with connected(replica.port) as raw:
        await raw.send(head(user, LARGE) + (MAIL + b"x" * LARGE)[:sent])
    async with httpx.AsyncClient(base_url=replica.url, auth=(user, PASSWORD)) as client:
        after = await client.post(HERE, content=MAIL, headers={"Content-Type": "message/rfc822"})
    assert after.status_code == 201
    assert await subjects(replica, user) == ["whole"]
    assert left_in(tmp_path) == []


async def test_octets_after_the_announced_end_are_not_part_of_the_message(replica: Replica, user: str) -> None:
    """R-HTTP-18, R-HTTP-07: the connection ends with the answer."""
    async with connected(replica.port) as raw:
        await raw.send(head(user, len(MAIL)) + MAIL + b"and more\r\n")
        [stored] = await raw.answers()
    assert stored.status == 201
    assert await subjects(replica, user) == ["whole"]


async def test_an_announced_length_above_the_limit_is_refused_before_the_upload(replica: Replica, user: str) -> None:
    """R-HTTP-18."""
    async with connected(replica.port) as raw:
        await raw.send(head(user, 100 << 20))
        answer = await raw.answer()
    assert answer is not None
    assert (answer.status, answer.problem) == (413, "too-large")


async def test_a_process_killed_during_an_upload_leaves_nothing_behind(
    replica: Replica, user: str, tmp_path: Path
) -> None:
    """R-HTTP-18, R-OPS-01."""
    async with connected(replica.port) as raw:
        await raw.send(head(user, LARGE) + b"x" * (LARGE // 2))
        replica.send(signal.SIGKILL)
        await replica.ended(5)
    assert left_in(tmp_path) == []
    await replica.start()
    assert await subjects(replica, user) == []
