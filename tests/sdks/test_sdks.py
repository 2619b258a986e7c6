"""Generated SDKs against the real service on a real Dovecot, and helpers for streams against a stream that breaks."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import pytest

from openapi.sdks.prepare import prepared
from tests.api.conftest import ATTACHED, PARTS, mail
from tests.demo.test_demo import Demo
from tests.deploy.replica import Replica, environment
from tests.ops.sending import sending_environment
from tests.sdks.built import PROGRAMS, ROOT, SDKS, run_snippet
from tests.sdks.flaky import RETRY_AFTER, failing
from tests.sdks.stream import EVENTS, streaming
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.sink import Sink
from tests.servers.submission import SendingDovecot

pytestmark = [pytest.mark.sdks, pytest.mark.dovecot, pytest.mark.timeout(600)]  # the first of a language compiles
RECEIVED = datetime(2026, 9, 1, 8, tzinfo=UTC)
BOB = "bob@example.net"


def seeded(dovecot: Dovecot) -> str:
    """A user with three messages; the oldest has an attachment."""
    user = dovecot.user("sdk")
    dovecot.seed(user, [(PARTS, (), RECEIVED), (mail("Übersicht 会議"), (), None), (mail("newest"), ("$seen",), None)])
    return user


def expected(user: str, draft: list[object]) -> dict[str, object]:
    """What the twelve steps of openapi/sdks/STEPS.md lead to."""
    return {
        "signedIn": [user, "imap"],
        "folders": ["archive", "drafts", "inbox", "junk", "sent", "trash"],
        "pages": [["newest", "Übersicht 会議"], ["with parts"]],
        "message": ["ann@example.org", "See file.", RECEIVED.timestamp(), "Über.pdf"],
        "unchanged": [False, True],
        "part": [ATTACHED[10:20].decode(), len(ATTACHED)],
        "flags": ["$flagged"],
        "found": ["with parts", "Übersicht 会議"],
        "draft": draft,
        "missing": ["/problems/not-found", "Not found", 404, False, True, "message"],
        "event": ["ping", "change"],
        "signedOut": 401,
    }


@pytest.mark.parametrize("language", PROGRAMS)
async def test_an_app_does_what_apps_do(language: str, dovecot: Dovecot) -> None:
    user = seeded(dovecot)
    async with Replica(environment(dovecot, secret_keys=token_urlsafe(32))) as service:
        said = await PROGRAMS[language]("flow", service.url, user, PASSWORD)
    assert json.loads(said) == expected(user, ["appended", "Subject: draft\r\n\r\ntext\r\n"])


@pytest.mark.parametrize("language", PROGRAMS)
async def test_an_app_sends(language: str, submission: SendingDovecot, sink: Sink) -> None:
    user = seeded(submission)
    keys = {"CASELLA_SECRET_KEYS": token_urlsafe(32)}
    async with Replica(sending_environment(submission, submission.submission) | keys) as service:
        said = await PROGRAMS[language]("flow", service.url, user, PASSWORD)
    assert json.loads(said) == expected(user, ["sent", [BOB]])
    [delivered] = [one for one in sink.delivered_to(BOB) if one.sender == user]
    assert "Hello" in delivered.octets.decode()


@pytest.mark.parametrize("language", PROGRAMS)
async def test_what_may_be_repeated_is_repeated(language: str) -> None:
    async with failing() as flaky:
        said = json.loads(await PROGRAMS[language]("steady", flaky.url))
    refused = {"refused": 403, "proxy": ["about:blank", 502]}
    assert said == {"created": "f_1", "account": "ann@example.org", "tokens": ["two"], **refused}
    create, account = "POST /v1/accounts/me/folders", "GET /v1/accounts/me"
    assert [one.line for one in flaky.asked] == [create] * 3 + [account] * 7
    assert [one.authorization for one in flaky.asked] == ["Bearer one"] * 3 + ["Bearer two"] * 7
    keys = {one.key for one in flaky.asked[:3]}
    assert len(keys) == 1
    assert all(keys)
    assert flaky.asked[4].at - flaky.asked[3].at >= RETRY_AFTER


@pytest.mark.parametrize("language", PROGRAMS)
async def test_a_stream_that_breaks_is_taken_up_after_its_last_event(language: str) -> None:
    async with streaming() as stream:
        said = await PROGRAMS[language]("follow", stream.url, "Bearer token")
    *events, problem = map(json.loads, said.splitlines())
    assert events == EVENTS
    assert problem["type"] == "/problems/unauthenticated"
    assert stream.asked == [("Bearer token", last) for last in (None, None, None, "t2", "t3")]


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    return prepared(json.loads((ROOT / "openapi" / "openapi.json").read_text()))


def operation_ids(contract: dict[str, Any]) -> list[str]:
    return [one["operationId"] for methods in contract["paths"].values() for one in methods.values()]


SHAPES = {
    "java": (".java", r" {0}\(", r"(?:class|enum) {0}\b", r'JSON_PROPERTY_\w+ = "{0}";'),
    "kotlin": (
        ".kt",
        r"suspend fun {0}\(",
        r"(?:class|enum class) {0}\b",
        r'@SerialName\(value = "{0}"\)\s+val `?{0}`?:',
    ),
    "swift": (".swift", r"func {0}\(.*\) async throws", r"struct {0}\b", r"public var `?{0}`?: "),
    "dart": (".dart", r"> {0}\(", r"class {0}\b", r"'{0}': "),
}
RENAMED = {"dart": {"Page": "MessagePage", "Part": "MessagePart"}, "java": {}, "kotlin": {}, "swift": {}}


@pytest.mark.parametrize("language", SHAPES)
def test_an_sdk_has_every_operation_and_every_field(language: str, contract: dict[str, Any]) -> None:
    """None is left out, and none has an odd name."""
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
    by_hand = {file.name for file in (ROOT / "openapi" / "sdks" / language / "src").glob("*")}
    made = "\n".join(source for file, source in text.items() if file.name not in by_hand)
    assert not re.search(r"AnyCodable|JsonObject\b|\bAnyOf\b|\bOneOf\b", made)


def snippets(language: str) -> list[str]:
    """Of the guide, for the demo."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs" / "sdks.md").read_text(), re.MULTILINE | re.DOTALL)


def test_the_guide_names_what_is_there_to_be_installed() -> None:
    named = re.findall(r"build/(?:sdks|dist)/[\w./-]*\w", (ROOT / "docs" / "sdks.md").read_text())
    assert len(named) > 5
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("language", ["typescript", "python"])
async def test_the_guide_s_programs_work(language: str, tmp_path: Path) -> None:
    call, helpers, listen, bring = snippets({"typescript": "ts", "python": "python"}[language])
    demo = Demo()
    try:
        told = [
            await run_snippet(language, text.replace("http://127.0.0.1:8000", demo.url), tmp_path)
            for text in (call, helpers, listen, bring)
        ]
    finally:
        demo.end()
    assert re.match(r"\d+ \S", told[0])
    assert "/problems/not-found" in told[1].splitlines()[-1]
    assert told[2].startswith("ping ")
    assert int(told[3].split()[-1]) > 100
