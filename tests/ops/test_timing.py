"""``Server-Timing``: the time that a request costs on the mail server and in queues."""

import asyncio
import re

import httpx
import pytest

from service.telemetry.upstream import RequestCosts
from tests.api.conftest import Connect, connect, settings_for
from tests.api.served import ME, served
from tests.servers.dovecot import Dovecot
from tests.servers.scripted import Imap, ScriptedServer

__all__ = ["connect"]
LIST = f"{ME}/folders/inbox/messages"
ORIGIN = "https://app.example.org"


def timings(answer: httpx.Response) -> dict[str, tuple[float, str]]:
    """Milliseconds and description, by name."""
    found = re.findall(r'(\w+);dur=([\d.]+)(?:;desc="([^"]*)")?(?:, |$)', answer.headers.get("server-timing", ""))
    return {name: (float(duration), description) for name, duration, description in found}


@pytest.mark.parametrize(
    ("costs", "header"),
    [
        (RequestCosts(), ""),
        (RequestCosts(1, 0.0123), 'upstream;dur=12.3;desc="1 command"'),
        (RequestCosts(3, 1.5, queued=0.25), 'upstream;dur=1500.0;desc="3 commands", queue;dur=250.0'),
        (RequestCosts(3, 1.5, 1.25), 'upstream;dur=1500.0;desc="3 commands", select;dur=1250.0'),
        (RequestCosts(queued=0.002), "queue;dur=2.0"),
        (RequestCosts(queued=0.00001), ""),
    ],
    ids=str,
)
def test_the_form_of_the_header(costs: RequestCosts, header: str) -> None:
    assert costs.server_timing == header


@pytest.mark.dovecot
@pytest.mark.parametrize(
    ("protocol", "commands", "again"), [("imap", "4 commands", "3 commands"), ("pop3", "7 commands", "")]
)
async def test_the_header_shows_the_time_of_the_mail_server(
    connect: Connect, dovecot: Dovecot, protocol: str, commands: str, again: str
) -> None:
    """A page of a mailbox that is open already is one round trip."""
    user = dovecot.user()
    dovecot.append(user, b"Subject: hello\r\n\r\nworld\r\n")
    async with connect(user, Casella_Protocol=protocol) as client:
        first, second = await client.get(LIST), await client.get(LIST)
    (duration, description), total = timings(first)["upstream"], first.elapsed.total_seconds() * 1000
    assert description == commands
    assert 0 < duration < total
    assert ("select" in timings(first), "select" in timings(second)) == (protocol == "imap", False)
    assert timings(second).get("upstream", (0.0, ""))[1] == again


async def test_the_header_shows_the_time_in_queues() -> None:
    """Each request shows only its own commands and waiting."""
    go, asked = asyncio.Event(), asyncio.Event()

    async def hold(command: bytes) -> bytes:
        asked.set()
        await go.wait()
        return b"* 1 FETCH (UID 1 FLAGS ())\r\n{tag} OK done\r\n"

    async with (
        ScriptedServer([Imap(exists=1, answers={"FETCH": hold, "UID FETCH": hold})]) as server,
        served(server, connections=1) as service,
        asyncio.timeout(20),
    ):
        reads = [asyncio.create_task(service.client.get(f"{LIST}?limit={limit}")) for limit in (1, 2, 3)]
        await asked.wait()
        (shared,) = service.accounts._shared.values()
        while len(shared.backend._pool._waiting) < 2:  # type: ignore[attr-defined]
            await asyncio.sleep(0.005)
        go.set()
        answers = await asyncio.gather(*reads)
    times = [timings(answer) for answer in answers]
    assert all("upstream" in each for each in times)
    assert sorted("queue" in each for each in times) == [False, True, True]


@pytest.mark.dovecot
async def test_pages_of_allowed_origins_may_read_it(connect: Connect, dovecot: Dovecot) -> None:
    settings = settings_for(dovecot, allowed_origins=(ORIGIN,))
    async with connect(dovecot.user(), settings=settings, Origin=ORIGIN) as client:
        answer = await client.get(LIST)
    assert "upstream" in timings(answer)
    assert "Server-Timing" in answer.headers["access-control-expose-headers"]


async def test_a_request_without_the_mail_server_has_no_header(connect: Connect) -> None:
    async with connect() as client:
        for path in ("/healthz", ME, "/nowhere"):
            assert "server-timing" not in (await client.get(path)).headers
