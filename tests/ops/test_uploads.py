"""Uploads that break off or exceed their announced length: a message is stored whole or not at all."""

import signal
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.deploy.replica import ENTRYPOINT, Replica, environment
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


async def test_no_room_for_large_messages_is_busy_and_no_fault(dovecot: Dovecot, user: str) -> None:
    """The folder for temporary files is full: large messages have to wait, small ones do not, and the log says why."""
    small_files = ("prlimit", f"--fsize={2 << 20}", *ENTRYPOINT)
    async with (
        Replica(environment(dovecot), small_files) as replica,
        httpx.AsyncClient(base_url=replica.url, auth=(user, PASSWORD)) as client,
    ):
        kind = {"Content-Type": "message/rfc822"}
        full = await client.post(HERE, content=MAIL + b"x" * (3 << 20), headers=kind)
        stored = await client.post(HERE, content=MAIL, headers=kind)
        listed = await subjects(replica, user)
        assert "no room for large messages" in replica.log
    assert (full.status_code, full.json()["type"], full.json()["retryable"]) == (503, "/problems/busy", True)
    assert full.headers["Retry-After"]
    assert (stored.status_code, listed) == (201, ["whole"])


async def test_no_room_for_a_message_of_a_maildrop_is_busy_and_no_fault(dovecot: Dovecot, user: str) -> None:
    """POP3 has no ranges, so messages on their way out are kept too. The next one can be read."""
    dovecot.seed(user, [(MAIL, (), None), (MAIL + b"x\r\n" * (1 << 20), (), None)])
    small_files = ("prlimit", f"--fsize={2 << 20}", *ENTRYPOINT)
    async with (
        Replica(environment(dovecot), small_files) as replica,
        httpx.AsyncClient(
            base_url=replica.url, auth=(user, PASSWORD), headers={"Casella-Protocol": "pop3"}, timeout=30
        ) as client,
    ):
        rows = sorted((await client.get(HERE)).json()["items"], key=lambda row: row["size"])
        small, large = [await client.get(f"/v1/accounts/me/messages/{row['id']}/source") for row in rows]
        again = await client.get(f"/v1/accounts/me/messages/{rows[0]['id']}/source")
    assert (large.status_code, large.json()["type"]) == (503, "/problems/busy")
    assert (small.status_code, again.status_code) == (200, 200)
