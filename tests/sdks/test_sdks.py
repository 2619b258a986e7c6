"""Generated SDKs against the real service on a real Dovecot, and helpers for streams against a stream that breaks."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import pytest

from tests.api.conftest import ATTACHED, PARTS, mail
from tests.demo.test_demo import Demo
from tests.deploy.replica import Replica, environment
from tests.sdks.built import FLOWS, ROOT, SDKS, java_flow, kotlin_models, python_flow, run_snippet, typescript_flow
from tests.sdks.stream import EVENTS, streaming
from tests.servers.dovecot import PASSWORD, Dovecot

pytestmark = [pytest.mark.sdks, pytest.mark.dovecot]
RECEIVED = datetime(2026, 9, 1, 8, tzinfo=UTC)
Flow = Callable[..., Awaitable[str]]
FLOWS_OF: dict[str, tuple[Flow, Flow]] = {
    "typescript": (
        lambda *arguments: typescript_flow("flow", *arguments),
        lambda *arguments: typescript_flow("follow", *arguments),
    ),
    "python": (
        lambda *arguments: python_flow(FLOWS / "flow.py", *arguments),
        lambda *arguments: python_flow(FLOWS / "follow.py", *arguments),
    ),
    "java": (
        lambda *arguments: java_flow("Flow", *arguments),
        lambda *arguments: java_flow("Follow", *arguments),
    ),
}


@pytest.fixture
async def service(dovecot: Dovecot) -> AsyncIterator[str]:
    """The address of the service in front of Dovecot by IMAP and POP3."""
    async with Replica(environment(dovecot, secret_keys=token_urlsafe(32))) as replica:
        yield replica.url


@pytest.fixture
def user(dovecot: Dovecot) -> str:
    """With three messages; the oldest has an attachment."""
    user = dovecot.user("sdk")
    dovecot.seed(user, [(PARTS, (), RECEIVED), (mail("Übersicht 会議"), (), None), (mail("newest"), ("$seen",), None)])
    return user


@pytest.mark.parametrize("language", FLOWS_OF)
async def test_an_app_does_what_apps_do(language: str, service: str, user: str) -> None:
    flow, _ = FLOWS_OF[language]
    assert json.loads(await flow(service, user, PASSWORD)) == {
        "account": [user, "imap"],
        "roles": ["archive", "drafts", "inbox", "junk", "sent", "trash"],
        "first": ["newest", "Übersicht 会議"],
        "second": ["with parts"],
        "total": 3,
        "last": True,
        "from": "ann@example.org",
        "text": "See file.",
        "received": RECEIVED.timestamp(),
        "attachment": "Über.pdf",
        "range": ATTACHED[10:20].decode(),
        "octets": len(ATTACHED),
        "flags": ["$flagged"],
        "flagged": ["with parts"],
        "found": ["with parts", "Übersicht 会議"],
        "bulk": [[200, None], [404, "message"]],
        "source": "Subject: draft\r\n\r\ntext\r\n",
        "missing": ["/problems/not-found", 404, "message"],
        "unsupported": ["/problems/not-supported", 501, "folders"],
        "newer": "n",
    }


@pytest.mark.parametrize("language", FLOWS_OF)
async def test_a_stream_that_breaks_is_taken_up_after_its_last_event(language: str) -> None:
    _, follow = FLOWS_OF[language]
    async with streaming() as stream:
        said = await follow(stream.url, "Bearer token")
    *events, problem = map(json.loads, said.splitlines())
    assert events == EVENTS
    assert problem == {"type": "/problems/unauthenticated"}
    assert stream.asked == [("Bearer token", last) for last in (None, None, None, "t2", "t3")]


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    return dict(json.loads((ROOT / "openapi" / "openapi.json").read_text()))


def operation_ids(contract: dict[str, Any]) -> list[str]:
    return [one["operationId"] for methods in contract["paths"].values() for one in methods.values()]


def test_kotlin_models_compile(contract: dict[str, Any]) -> None:
    assert contract["components"]["schemas"].keys() <= kotlin_models()


SHAPES = {
    "kotlin": (".kt", r"fun {0}\(", r"(?:class|enum class) {0}\b", r'@get:JsonProperty\("{0}"\)'),
    "swift": (".swift", r"func {0}\(", r"(?:struct|enum) {0}\b", r"\bvar `?\w*{0}`?: "),
    "dart": (".dart", r"> {0}\(", r"(?:abstract )?class {0}\b", r"wireName: r'{0}'"),
}
RENAMED = {"dart": {"Part": "MessagePart"}, "kotlin": {}, "swift": {}}


@pytest.mark.parametrize("language", SHAPES)
def test_an_sdk_has_every_operation_and_every_field(language: str, contract: dict[str, Any]) -> None:
    """For languages whose compilers are not here."""
    suffix, operation, model, field = SHAPES[language]
    text = {file: file.read_text() for file in (SDKS / language).rglob(f"*{suffix}") if "test" not in file.parts}
    whole = "\n".join(text.values())
    for name in operation_ids(contract):
        assert re.search(operation.format(name), whole), name
    for name, schema in contract["components"]["schemas"].items():
        here = RENAMED[language].get(name, name)
        [source] = [each for each in text.values() if re.search(rf"^[\w ]*{model.format(here)}", each, re.MULTILINE)][
            :1
        ]
        for property_name in schema.get("properties", {}):
            assert re.search(field.format(re.escape(property_name)), source), (name, property_name)
    assert not re.search(r"AnyCodable|JsonObject\b|\bAnyOf\b|\bOneOf\b", whole)


def snippets(language: str) -> list[str]:
    """Of the guide, for the demo."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs" / "sdks.md").read_text(), re.MULTILINE | re.DOTALL)


def test_the_guide_names_what_is_there_to_be_installed() -> None:
    named = re.findall(r"build/sdks/[\w./-]*\w", (ROOT / "docs" / "sdks.md").read_text())
    assert len(named) > 5
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("language", ["typescript", "python"])
async def test_the_guide_s_first_calls_work(language: str, tmp_path: Path) -> None:
    call, listen = snippets({"typescript": "ts", "python": "python"}[language])
    demo = Demo()
    try:
        told = [
            await run_snippet(language, text.replace("http://127.0.0.1:8000", demo.url), tmp_path)
            for text in (call, listen)
        ]
    finally:
        demo.end()
    assert re.match(r"\d+ \S", told[0])
    assert told[1].startswith("ping ")
