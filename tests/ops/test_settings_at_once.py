"""Two processes get changes of the same settings at the same time."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from tests.adapters.maildir.post import Post
from tests.deploy.replica import Replica, environment
from tests.ops.sending import client_of
from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.dovecot
AT_ONCE = 200
_log = logging.getLogger(__name__)
Place = tuple[dict[str, str], str]
"""The environment of a replica, and a user."""


def on_dovecot(request: pytest.FixtureRequest, server: str) -> Place:
    dovecot: Dovecot = request.getfixturevalue(server)
    return environment(dovecot), dovecot.user()


def on_disk(request: pytest.FixtureRequest, _: str) -> Place:
    folder: Path = request.getfixturevalue("tmp_path")
    post = Post(folder)
    env = {
        "CASELLA_DEFAULT_SERVER": "home",
        "CASELLA_SERVERS__HOME__MAILDIR__PATH": f"{post.folder}/{{user}}/Maildir",
        "CASELLA_SERVERS__HOME__MAILDIR__PASSWORDS": str(post.passwords),
    }
    return env, post.user("ann@example.org")


async def add(client: httpx.AsyncClient) -> None:
    """Add one to what is stored, and try again if another writer was faster."""
    async with asyncio.timeout(100):
        while True:
            read = await client.get("/settings")
            assert read.status_code == 200, read.text
            count = read.json()["settings"]["count"]
            answer = await client.put(
                "/settings", json={"settings": {"count": count + 1}}, headers={"If-Match": read.headers["ETag"]}
            )
            if answer.status_code == 200:
                return
            assert answer.status_code in {409, 412, 503}, answer.text


@pytest.mark.parametrize(
    ("place", "server", "writers", "changes"),
    [(on_dovecot, "dovecot", 10, 3), (on_dovecot, "metadata_dovecot", 4, 1), (on_disk, "", 10, 3)],
    ids=["message", "metadata", "disk"],
)
async def test_of_two_hundred_writers_one_replaces_the_settings_and_no_change_is_lost(
    request: pytest.FixtureRequest,
    place: Callable[[pytest.FixtureRequest, str], Place],
    server: str,
    writers: int,
    changes: int,
) -> None:
    """R-CONC-11: first all send the same ETag: one is answered 200. Then each adds to a number: all are in the sum. In METADATA
    each change of another process takes a second, so there are fewer."""
    env, user = place(request, server)
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(Replica(env)) for _ in range(2)]
        clients = [await stack.enter_async_context(client_of(replica.url, user)) for replica in replicas]
        first = await clients[0].put("/settings", json={"settings": {"count": 0}}, headers={"If-None-Match": "*"})
        assert first.status_code == 200, first.text
        began = loop.time()
        answers = await asyncio.gather(
            *(
                clients[number % 2].put(
                    "/settings",
                    json={"settings": {"count": 0, "by": number}},
                    headers={"If-Match": first.headers["ETag"]},
                )
                for number in range(AT_ONCE)
            )
        )
        at_once = loop.time() - began
        statuses = Counter(answer.status_code for answer in answers)
        assert statuses == {200: 1, 412: AT_ONCE - 1}, statuses
        stored = [(await client.get("/settings")) for client in clients]
        [won] = [number for number, answer in enumerate(answers) if answer.status_code == 200]
        assert [each.json() for each in stored] == [{"settings": {"count": 0, "by": won}}] * 2
        began = loop.time()

        async def work(number: int) -> None:
            for _ in range(changes):
                await add(clients[number % 2])

        await asyncio.gather(*(work(number) for number in range(writers)))
        assert (await clients[0].get("/settings")).json() == {"settings": {"count": writers * changes}}
    _log.info("%s: %d at once in %.1f s, then %d changes in %.1f s", server, AT_ONCE, at_once, writers * changes, loop.time() - began)  # fmt: skip
