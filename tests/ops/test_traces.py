"""Traces: OpenTelemetry spans of a request, down to each command to a mail server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from tests.adapters.imap.conftest import TIMING
from tests.api.conftest import Connect, connect
from tests.api.served import USER, served
from tests.deploy.replica import Replica, environment
from tests.deploy.test_drain import client_of
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST
from tests.servers.scripted import Imap, ScriptedServer
from tests.servers.visits import Visits

__all__ = ["connect"]
ME = "/v1/accounts/me"
LIST = f"{ME}/folders/inbox/messages"
ROUTE = "/v1/accounts/{account}/folders/{folder}/messages"
SECRET = "canary-1d7e-letter"
MAIL = f"From: {SECRET}@example.org\r\nSubject: {SECRET}\r\n\r\n{SECRET}\r\n".encode()
REMOTE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="session")
def provider() -> Iterator[InMemorySpanExporter]:
    """There is one in a process, and it stays."""
    exporter = InMemorySpanExporter()
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(tracing)
    yield exporter
    tracing.shutdown()


@pytest.fixture
def spans(provider: InMemorySpanExporter) -> InMemorySpanExporter:
    provider.clear()
    return provider


def family(spans: InMemorySpanExporter) -> tuple[ReadableSpan, list[ReadableSpan]]:
    """Returns the span of the only request, and those of its commands."""
    finished = spans.get_finished_spans()
    [request] = [span for span in finished if span.kind is SpanKind.SERVER]
    children = [span for span in finished if span is not request]
    for child in children:
        assert child.parent is not None
        assert request.context is not None
        assert (child.parent.span_id, child.parent.trace_id) == (request.context.span_id, request.context.trace_id)
        assert child.kind is SpanKind.CLIENT
    return request, children


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


@pytest.mark.dovecot
@pytest.mark.parametrize(
    ("protocol", "verbs"),
    [
        ("imap", ["CAPABILITY", "LOGIN", "SELECT", "FETCH"]),
        ("pop3", ["CAPA", "USER", "PASS", "CAPA", "LIST", "TOP"]),
    ],
)
async def test_a_list_is_traced_to_each_command(
    connect: Connect, dovecot: Dovecot, spans: InMemorySpanExporter, protocol: str, verbs: list[str]
) -> None:
    user = dovecot.user()
    dovecot.append(user, MAIL)
    async with connect(user, Casella_Protocol=protocol, Traceparent=REMOTE) as client:
        answer = await client.get(LIST, params={"limit": "5"})
        request, commands = family(spans)
    assert answer.json()["items"][0]["subject"] == SECRET
    assert request.name == f"GET {ROUTE}"
    assert request.parent is not None
    assert f"{request.parent.trace_id:032x}" == REMOTE.split("-")[1]
    values = attributes(request)
    assert values.items() >= {"http.route": ROUTE, "http.response.status_code": 200}.items()
    assert values["casella.request_id"] == answer.headers["x-request-id"]
    traced_verbs = [str(attributes(command)["casella.verb"]) for command in commands]
    assert traced_verbs == verbs
    for command, verb in zip(commands, traced_verbs, strict=True):
        assert command.name == f"{protocol} {verb}"
        assert command.status.status_code is StatusCode.UNSET
        assert attributes(command) == {
            "network.protocol.name": protocol,
            "casella.server": "home",
            "casella.verb": verb,
            "casella.commands": attributes(command)["casella.commands"],
            "casella.outcome": "ok",
        }


@pytest.mark.dovecot
async def test_a_trace_has_no_private_data(connect: Connect, dovecot: Dovecot, spans: InMemorySpanExporter) -> None:
    """R-HTTP-14: neither path, nor query, nor arguments, nor texts of errors."""
    user = dovecot.user()
    dovecot.append(user, MAIL)
    async with connect(user) as client:
        [row] = (await client.get(LIST)).json()["items"]
        me = (await client.get(ME)).json()
        await client.get(f"/v1/accounts/{me['id']}/messages/{row['id']}")
        await client.get(LIST, params={"subject": SECRET})
        await client.get(f"{ME}/folders/{SECRET}/messages")
        await client.get(LIST, headers={"Authorization": f"Bearer {SECRET}"})
    everything = "".join(span.to_json() for span in spans.get_finished_spans())
    assert len(spans.get_finished_spans()) > 10
    for word in (SECRET, user, PASSWORD, me["id"], row["id"], "INBOX"):
        assert word not in everything


async def test_a_command_without_an_answer_is_an_error(spans: InMemorySpanExporter) -> None:
    async with ScriptedServer([Imap(exists=1, answers={"FETCH": b""})]) as server, served(server) as service:
        answer = await service.client.get(LIST, auth=(USER.username, "x"), timeout=TIMING.command + 20)
    assert answer.status_code == 504
    _, commands = family(spans)
    assert (attributes(commands[-1])["casella.outcome"], commands[-1].status.status_code) == ("lost", StatusCode.ERROR)


async def test_health_probes_are_not_traced(connect: Connect, spans: InMemorySpanExporter) -> None:
    async with connect() as client:
        for path in ("/healthz", "/readyz", "/metrics"):
            assert (await client.get(path)).status_code in {200, 404, 503}
    assert spans.get_finished_spans() == ()


@asynccontextmanager
async def collector(received: list[ExportTraceServiceRequest]) -> AsyncIterator[str]:
    """Its address: what is sent there by OTLP is ``received``."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):  # the service leaves when it has said all
            while True:
                await take_one(reader, writer)

    async def take_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path, _, fields = head.decode().partition(" HTTP/1.1\r\n")
        assert path == "POST /v1/traces"
        [length] = [line.split(":")[1] for line in fields.lower().splitlines() if line.startswith("content-length")]
        received.append(ExportTraceServiceRequest.FromString(await reader.readexactly(int(length))))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with Visits(take) as visits:
        yield f"http://{HOST}:{visits.port}"


@pytest.mark.dovecot
@pytest.mark.parametrize("is_asked", [True, False])
async def test_the_environment_turns_traces_on(dovecot: Dovecot, is_asked: bool) -> None:
    """Unsent spans are sent before the process ends."""
    received: list[ExportTraceServiceRequest] = []
    user = dovecot.user()
    async with collector(received) as address:
        env = environment(dovecot, drain_seconds=0)
        if is_asked:
            env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_SERVICE_NAME": "mail-api"}
        async with Replica(env) as replica, client_of(replica, user) as client:
            assert (await client.get(LIST)).status_code == 200
            replica.send(15)  # type: ignore[arg-type]
            assert await replica.ended(20) == 0
            assert "Traceback" not in replica.log
    resources = [resource for batch in received for resource in batch.resource_spans]
    names = [span.name for resource in resources for scope in resource.scope_spans for span in scope.spans]
    if not is_asked:
        assert names == []
        return
    assert {f"GET {ROUTE}", "imap LOGIN", "imap SELECT"} <= set(names)
    values = {pair.key: pair.value.string_value for pair in resources[0].resource.attributes}
    assert values["service.name"] == "mail-api"
