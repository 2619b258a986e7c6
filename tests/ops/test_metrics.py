"""The metrics are those of docs/operator.md, the dashboard and the alerts, and do not grow with the clients."""

import re
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

import service.push.watch.worker  # noqa: F401 - its gauge is there once it is imported, which takes a store
from service.http import metrics_port
from service.telemetry.metrics import (
    delivery_reported,
    fetch_run,
    imported,
    jmap_method,
    message_sent,
    pushed,
    subscription_ended,
    watch_push,
)
from service.telemetry.upstream import queued
from tests.api.conftest import Connect, connect
from tests.deploy.documented import metrics
from tests.servers.dovecot import Dovecot

__all__ = ["connect"]
pytestmark = pytest.mark.dovecot
ROOT = Path(__file__).parents[2]
ME = "/v1/accounts/me"
LIST = f"{ME}/folders/inbox/messages"
WHERE_METRICS_ARE_NAMED = ["helm/dashboards/casella.json", "helm/templates/prometheusrule.yaml", "docs/operator.md"]
SERIES = re.compile(r"^(casella_\w+)(?:\{([^}\n]*)\})? ", re.MULTILINE)


async def measured() -> str:
    """What the port of the metrics answers."""
    transport = httpx.ASGITransport(metrics_port.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://casella.example.org") as client:
        return (await client.get("/metrics")).text


def exposed(text: str) -> dict[str, set[str]]:
    """The labels of each of Casella's metrics, without those that the format adds."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        if family.name.startswith("casella_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = {label for sample in family.samples for label in sample.labels} - {"le"}
    return found


async def test_the_table_has_exactly_the_exposed_metrics(connect: Connect, dovecot: Dovecot) -> None:
    user = dovecot.user()
    dovecot.append(user, b"Subject: hello\r\n\r\nworld\r\n")
    with queued("connection"):
        pass
    message_sent("home", "sent")
    jmap_method("Email/get", "ok", 0.0)
    pushed("webpush", "delivered")
    subscription_ended("gone")
    delivery_reported("taken")
    watch_push("delivered")
    imported(1, 1, 1)
    fetch_run("nothing")
    async with connect(user) as imap, connect(user, Casella_Protocol="pop3") as pop3:
        for client in (imap, pop3):
            assert (await client.get(LIST)).status_code == 200
        token = (await imap.get(f"{ME}/changes")).json()["token"]
        await imap.get(f"{ME}/changes", params={"since": token, "wait": 0.1})
        text = await measured()
    found = exposed(text)
    for name in ("casella_watches", "casella_mailboxes_watched"):  # have no series without listeners
        found[name] |= {"mode"}
    assert found == metrics()


async def test_commands_are_counted_by_server_verb_and_outcome(connect: Connect, dovecot: Dovecot) -> None:
    user = dovecot.user()
    async with connect(user) as imap, connect(user, Casella_Protocol="pop3") as pop3:
        await imap.get(LIST)
        await pop3.get(LIST)
        text = await measured()
    label = 'casella_upstream_seconds_count{outcome="%s",protocol="%s",server="home",verb="%s"}'
    for labels_of in (
        ("ok", "imap", "LOGIN"),
        ("ok", "imap", "SELECT"),
        ("ok", "pop3", "PASS"),
        ("ok", "pop3", "LIST"),
    ):
        assert label % labels_of in text


@pytest.mark.parametrize("file", WHERE_METRICS_ARE_NAMED)
def test_every_named_metric_exists(file: str) -> None:
    text = (ROOT / file).read_text()
    named = set(re.findall(r"\bcasella_[a-z_]+(?=[{}`\s.,)\[(:])", text))
    assert len(named) > 4
    known = {name + end for name in metrics() for end in ("", "_bucket", "_count", "_sum")}
    assert named - known == set()


async def test_series_do_not_grow_with_clients_and_their_input(connect: Connect, dovecot: Dovecot) -> None:
    """R-OPS-18: other accounts, folders, paths, methods, criteria and ids add no series."""

    async def round_of(word: str) -> set[tuple[str, str]]:
        user = dovecot.user(word)
        dovecot.append(user, b"Subject: hello\r\n\r\nworld\r\n", folder="INBOX")
        async with connect(user) as client, connect(user, Casella_Protocol="pop3") as pop3:
            for one in (client, pop3):
                await one.get(LIST)
                await one.get(f"{ME}/messages/m_{word}")
            await client.post(f"{ME}/folders", json={"name": f'{word}"}} 1\n{word}'})
            await client.get(f"{ME}/folders/{word}/messages")
            await client.get(f"/{word}")
            await client.get(f"/v1/accounts/{word}/{word}")
            await client.get(LIST, params={"subject": word})
            await client.request(word.upper(), "/v1/servers")
            await client.get(ME, headers={"Casella-Server": word, "Casella-Protocol": word})
            text = await measured()
        assert word not in text.lower()
        return set(SERIES.findall(text))

    await round_of("earlier")  # whose connections end in the next round
    before = await round_of("hostile")
    assert await round_of("foreign") == before
