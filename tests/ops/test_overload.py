"""More requests than one process can serve."""

import asyncio
import http.client
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import quantiles

import httpx
import pytest

from tests.bench.load import memory
from tests.bench.pressure import Peak
from tests.contract.letters import RICH
from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST

pytestmark = pytest.mark.dovecot
ACCOUNTS, AT_ONCE, REQUESTS = 50, 300, 600
MESSAGES = 30
DEADLINE = 60.0
"""The deadline for every answer."""
PROBE_SECONDS = 1.0
"""As the chart's probes wait."""
GROWTH = 200 << 20
"""Octets of memory that the load may add: for the requests, and for cached rows."""
ME = "/v1/accounts/me"
_log = logging.getLogger(__name__)


class Probe:
    """Asks for /healthz again and again, from a thread: the crowd's own event loop would keep it waiting."""

    def __init__(self, port: int) -> None:
        self.seconds: list[float] = []
        self.failures: list[str] = []
        self._port = port
        self._is_over = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(0.05):
            began = time.monotonic()
            try:
                connection = http.client.HTTPConnection(HOST, self._port, timeout=10)
                connection.request("GET", "/healthz")
                if (status := connection.getresponse().status) != 200:
                    self.failures.append(str(status))
                connection.close()
            except OSError as error:
                self.failures.append(type(error).__name__)
            self.seconds.append(time.monotonic() - began)


async def crowd(url: str, users: list[str]) -> list[httpx.Response]:
    """Sends ``AT_ONCE`` requests at a time, for each account in turn. Repeats refused ones sooner than Retry-After says."""
    numbers = iter(range(REQUESTS))
    answers: list[httpx.Response] = []

    async def work() -> None:
        for number in numbers:
            path = ("/folders/inbox/messages", "/folders", "/folders/inbox/messages?body=letter")[number % 3]
            async with asyncio.timeout(DEADLINE):
                while (answer := await client.get(ME + path, auth=(users[number % ACCOUNTS], PASSWORD))).is_error:
                    answers.append(answer)
                    await asyncio.sleep(0.3)
            answers.append(answer)

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=DEADLINE, limits=limits) as client:
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return answers


@pytest.mark.parametrize("most", [10_000, 100], ids=["queued", "turned away"])
async def test_more_requests_than_one_process_can_serve(dovecot: Dovecot, most: int) -> None:
    """R-OPS-11: each is answered in time, some with 503 and Retry-After. The platform's probes are always answered, memory
    stays bounded, and all requests succeed afterwards."""
    users = [dovecot.user() for _ in range(ACCOUNTS)]
    for user in users:
        dovecot.seed(user, [(RICH, (), None)] * MESSAGES)
    async with Replica(environment(dovecot, max_connections=most)) as replica:
        before = memory(replica.pid)
        probe = Probe(replica.port)
        with probe.running():
            async with Peak(replica.pid) as peak:
                answers = await crowd(replica.url, users)
        async with httpx.AsyncClient(base_url=replica.url, timeout=DEADLINE) as client:
            for user in users:
                answer = await client.get(f"{ME}/folders/inbox/messages", auth=(user, PASSWORD))
                assert answer.json()["total"] == MESSAGES
    statuses = Counter(answer.status_code for answer in answers)
    _log.info("%s, probes %d, slowest %.2f s, %d MB more", dict(statuses), len(probe.seconds), max(probe.seconds),
              (peak.most - before) >> 20)  # fmt: skip
    assert statuses[200] == REQUESTS
    assert set(statuses) <= {200, 429, 503}
    assert statuses[503] or most > AT_ONCE
    for answer in answers:
        assert answer.status_code == 200 or answer.headers["retry-after"]
    assert not probe.failures
    assert quantiles(probe.seconds, n=20)[-1] < PROBE_SECONDS
    assert peak.most - before < GROWTH
