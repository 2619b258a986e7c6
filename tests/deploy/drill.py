"""A rolling restart under load (R-OPS-02): ``python -m tests.deploy.drill``, which is ``make drill``.

Three replicas run as the rendered Deployment says: its arguments, environment, probes and grace period, and the entry point of
the Dockerfile. In front of them is Debian's haproxy with a consistent hash of the header Authorization, and it retries
nothing; behind them is a Dovecot with its default limit of connections. Each replica in turn gets SIGTERM, and is started
again when it has ended. No request may fail. Some accounts have an event stream open all the while, which is closed by the
service, resumed on another replica, and reports each message once.
"""

import argparse
import asyncio
import json
import random
import re
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from secrets import token_urlsafe

import httpx

from tests.deploy.chart import ROOT, Object, container, one, render, settings_file
from tests.deploy.haproxy import haproxy
from tests.deploy.listeners import Audience
from tests.deploy.replica import Replica
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST, free_ports

REPLICAS, ACCOUNTS, LISTENERS, MESSAGES, ATTACHMENT = 3, 30, 10, 60, 200_000
CONNECTIONS = 10  # Dovecot's default of mail_max_userip_connections
_HAPROXY = """
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  retries 0
frontend api
  bind {host}:{port}
  default_backend casella
backend casella
  balance hdr(Authorization)
  hash-type consistent
  option httpchk GET {path}
  default-server check inter {period}s fall {fall} rise 1
{servers}
"""


@dataclass
class Figures:
    """What came of the requests."""

    seconds: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    restarts: list[float] = field(default_factory=list)
    streams: str = ""

    def __str__(self) -> str:
        percentiles = statistics.quantiles(self.seconds, n=100)
        return (
            f"{len(self.seconds)} requests, {self.failures.total()} failed, p50 {percentiles[49] * 1000:.0f} ms,"
            f" p99 {percentiles[98] * 1000:.0f} ms, slowest {max(self.seconds) * 1000:.0f} ms; {len(self.restarts)} restarts,"
            f" ended after {', '.join(f'{seconds:.1f}' for seconds in self.restarts)} s; {self.streams}"
        )


def entrypoint() -> list[str]:
    """The image's, with this interpreter in place of its own."""
    match = re.search(r"^ENTRYPOINT (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert match is not None
    return [sys.executable, *json.loads(match[1])[1:]]


def environment(objects: list[Object]) -> dict[str, str]:
    """The container's, with what it takes from the chart's secret."""
    secret = one(objects, "Secret")["stringData"]
    env = container(objects).get("env", [])
    return {each["name"]: each.get("value") or secret[each["valueFrom"]["secretKeyRef"]["key"]] for each in env}


def rendered(dovecot: Dovecot, folder: Path) -> tuple[list[Object], list[Replica]]:
    """The release, and its pods. A pod has its own address and files, so here each says by ``extraArgs`` where it listens
    and what it reads."""
    listener = {"host": HOST, "port": dovecot.ports.imap, "security": "none"}
    values: Object = {
        "replicaCount": REPLICAS,
        "config": {"default_server": "home", "servers": {"home": {"imap": listener}}},
        "secretKeys": [token_urlsafe(32)],
    }
    objects = render(values)
    config = folder / "casella.toml"
    config.write_text(settings_file(objects))
    replicas = []
    for _ in range(one(objects, "Deployment")["spec"]["replicas"]):
        replica = Replica(environment(objects), entrypoint=entrypoint())
        places = ["--host", HOST, "--port", str(replica.port), "--metrics-port", str(replica.metrics_port)]
        own = render(values | {"extraArgs": [*places, "--metrics-host", HOST, "--config", str(config)]})
        replica.args = container(own)["args"]
        replicas.append(replica)
    return objects, replicas


def proxied(replicas: list[Replica], probe: Object) -> tuple[str, str]:
    """The configuration of a proxy that takes a replica out as the readiness probe would, and the proxy's address."""
    [port] = free_ports(1)
    servers = "\n".join(f"  server casella{replica.port} {HOST}:{replica.port}" for replica in replicas)
    fall, period = probe["failureThreshold"], probe["periodSeconds"]
    words = {"path": probe["httpGet"]["path"], "period": period, "fall": fall, "servers": servers}
    return _HAPROXY.format(host=HOST, port=port, **words), f"http://{HOST}:{port}"


def mailbox() -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Übersicht", "anna@example.org", "ben@example.org"
    message.set_content("See what is attached.")
    message.add_attachment(random.randbytes(ATTACHMENT), maintype="image", subtype="png", filename="picture.png")
    return message.as_bytes()


async def requests(client: httpx.AsyncClient, user: str, figures: Figures) -> None:
    """One of the things that people do; each request of it is counted."""

    async def call(method: str, path: str, **more: object) -> httpx.Response | None:
        began = time.perf_counter()
        try:
            answer = await client.request(method, f"/v1/accounts/me/{path}", auth=(user, PASSWORD), **more)  # type: ignore[arg-type]
        except httpx.HTTPError as error:
            figures.failures[f"{method} {type(error).__name__}"] += 1
            return None
        finally:
            figures.seconds.append(time.perf_counter() - began)
        if answer.is_error:
            figures.failures[f"{method} {answer.status_code} {answer.text[:200]}"] += 1
            return None
        return answer

    if random.random() < 0.3:
        await call("GET", "folders")
        return
    listed = await call("GET", "folders/inbox/messages?limit=20")
    if listed is None:
        return
    place = f"messages/{random.choice(listed.json()['items'])['id']}"
    action = random.random()
    if action < 0.5:
        await call("GET", place)
    elif action < 0.8:
        part = await call("GET", f"{place}/parts/2")
        if part is not None and len(part.content) != ATTACHMENT:
            figures.failures["GET cut short"] += 1
    else:
        await call("PATCH", f"{place}/flags", json={"add": ["$seen"]})


async def load(url: str, users: list[str], rate: float, until: asyncio.Event, figures: Figures) -> None:
    """Sends ``rate`` requests per second, independent of the answers."""
    loop = asyncio.get_running_loop()
    limits = httpx.Limits(max_connections=None)
    async with asyncio.TaskGroup() as group, httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as client:
        running = set()
        began, tasks = loop.time(), 0
        while not until.is_set():
            task = group.create_task(requests(client, random.choice(users), figures))
            running.add(task)
            task.add_done_callback(running.discard)
            tasks += 1
            await asyncio.sleep(began + tasks * 1.7 / rate - loop.time())  # 1.7 requests a task
        await asyncio.gather(*running)


async def drill(seconds: float, rate: float) -> Figures:
    figures = Figures()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        dovecot = stack.enter_context(Dovecot(connections=CONNECTIONS))
        users = [dovecot.user() for _ in range(ACCOUNTS)]
        for user in users:
            dovecot.seed(user, [(mailbox(), (), None)] * MESSAGES)
        objects, replicas = rendered(dovecot, folder)
        pod = one(objects, "Deployment")["spec"]["template"]["spec"]
        for replica in replicas:
            await stack.enter_async_context(replica)
        probe = container(objects)["readinessProbe"]
        url = await stack.enter_async_context(haproxy(*proxied(replicas, probe)))
        enough = asyncio.Event()
        listening = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=30))
        audience = Audience(dovecot, listening, users[:LISTENERS], mailbox())
        async with asyncio.TaskGroup() as group:
            group.create_task(load(url, users, rate, enough, figures))
            attended = group.create_task(audience.attend(0.2, enough))
            ends = time.monotonic() + seconds
            await asyncio.sleep(2)
            for replica in replicas:
                began = time.monotonic()
                replica.send(signal.SIGTERM)
                code = await replica.ended(pod["terminationGracePeriodSeconds"])
                figures.restarts.append(time.monotonic() - began)
                if code:
                    figures.failures[f"exit code {code}"] += 1
                await replica.start()
                await asyncio.sleep(2 * probe["periodSeconds"])  # until the proxy has noticed it too
            await asyncio.sleep(max(0.0, ends - time.monotonic()))
            enough.set()
        figures.failures += attended.result()
        figures.streams = (
            f"{LISTENERS} streams, resumed {audience.resumed} times, with {audience.delivered} new messages"
        )
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description="A rolling restart under load.")
    parser.add_argument("--seconds", type=float, default=40, help="how long at least")
    parser.add_argument("--rate", type=float, default=50, help="requests a second")
    asked = parser.parse_args()
    began = time.monotonic()
    figures = asyncio.run(drill(asked.seconds, asked.rate))
    print(f"{figures}; {time.monotonic() - began:.0f} s in all")  # noqa: T201 - it is what the drill is for
    for failure, times in figures.failures.most_common():
        print(f"  {times} × {failure}")  # noqa: T201
    return 1 if figures.failures else 0


if __name__ == "__main__":
    sys.exit(main())
