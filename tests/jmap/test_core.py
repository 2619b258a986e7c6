"""RFC 8620: session, requests, references, limits."""

import json
from typing import Any

import pytest
from prometheus_client import REGISTRY

from service.jmap.methods import METHODS
from tests.jmap.clients import CORE, USING, Jmap
from tests.jmap.letters import plain

URN = "urn:ietf:params:jmap:error:"


async def test_the_session_says_what_the_account_can(jmap: Jmap) -> None:
    session = jmap.session
    assert session["apiUrl"] == "http://casella.example.org/jmap"
    assert session["primaryAccounts"] == dict.fromkeys(
        session["accounts"][jmap.account]["accountCapabilities"], jmap.account
    )
    assert "urn:ietf:params:jmap:submission" not in session["capabilities"]
    limits = session["capabilities"][CORE]
    assert limits["maxCallsInRequest"] >= 16
    assert limits["maxObjectsInGet"] >= 500
    assert (await jmap.post())["sessionState"] == session["state"]
    anonymous = await jmap.http.get("/jmap/session", auth=None, headers={"Authorization": "Basic x"})
    assert anonymous.status_code == 401


async def test_calls_run_in_order_and_one_error_stops_no_other(jmap: Jmap) -> None:
    names = [
        name
        for name, _ in await jmap.run(
            ("Core/echo", {"a": 1}), ("Nothing/get", {}), ("Mailbox/get", {"ids": 5}), ("Core/echo", {"b": 2})
        )
    ]
    assert names == ["Core/echo", "error", "error", "Core/echo"]
    only_core = await jmap.http.post(
        "/jmap", json={"using": [CORE], "methodCalls": [["Mailbox/get", {"accountId": jmap.account}, "0"]]}
    )
    assert only_core.json()["methodResponses"] == [["error", {"type": "unknownMethod"}, "0"]]
    assert await jmap.error("Mailbox/get", accountId="other") == "accountNotFound"
    assert await jmap.error("Mailbox/get", nothing=1) == "invalidArguments"


async def test_metrics_name_the_methods_of_the_rfcs_alone(jmap: Jmap) -> None:
    await jmap.run(("Core/echo", {}), ("Secret/name", {}), ("error", {}))
    [family] = [each for each in REGISTRY.collect() if each.name == "casella_jmap_method_seconds"]
    assert {sample.labels["method"] for sample in family.samples} <= {*METHODS, "other"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "notJSON"),
        (b"\xff", "notJSON"),
        (b"[" * 100_000, "notJSON"),
        (b'"\\ud800"', "notJSON"),
        (b'{"using": [], "methodCalls": [["Core/echo", {"a": 1, "\\u0061": 2}, "0"]]}', "notJSON"),
        (b'{"using": [], "methodCalls": [["Core/echo", {"a": 1e400}, "0"]]}', "notJSON"),
        (b'{"using": [], "methodCalls": [["Core/echo", {"a": NaN}, "0"]]}', "notJSON"),
        (b"[]", "notRequest"),
        (b'{"using": [], "methodCalls": [[1, {}, "0"]]}', "notRequest"),
        (b'{"using": ["urn:other"], "methodCalls": []}', "unknownCapability"),
        (json.dumps({"using": USING, "methodCalls": [["Core/echo", {}, "0"]] * 10_000}).encode(), "limit"),
    ],
)
async def test_a_request_that_cannot_be_read_is_refused(jmap: Jmap, body: bytes, kind: str) -> None:
    answer = await jmap.http.post("/jmap", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["type"] == URN + kind


async def test_results_are_referred_to(jmap: Jmap) -> None:
    inbox = await jmap.inbox()
    for number in range(3):
        await jmap.imported(plain(f"m{number}"), inbox)
    (_, query), (_, get), (_, again) = await jmap.run(
        ("Email/query", {"filter": {"inMailbox": inbox}}),
        ("Email/get", {"#ids": {"resultOf": "0", "name": "Email/query", "path": "/ids"}, "properties": ["threadId"]}),
        ("Thread/get", {"#ids": {"resultOf": "1", "name": "Email/get", "path": "/list/*/threadId"}}),
    )
    assert [each["id"] for each in get["list"]] == query["ids"]
    assert [each["emailIds"] for each in again["list"]] == [[each] for each in query["ids"]]


@pytest.mark.parametrize(
    "reference",
    [
        {"resultOf": "9", "name": "Core/echo", "path": "/a"},
        {"resultOf": "0", "name": "Email/get", "path": "/a"},
        {"resultOf": "0", "name": "Core/echo", "path": "a"},
        {"resultOf": "0", "name": "Core/echo", "path": "/b"},
        {"resultOf": "0", "name": "Core/echo", "path": "/a/9"},
        {"resultOf": "1", "name": "Core/echo", "path": "/c"},
        {},
        None,
    ],
)
async def test_a_reference_that_leads_nowhere_is_an_error(jmap: Jmap, reference: Any) -> None:
    """The last but two refers to itself."""
    _, (name, answer) = await jmap.run(("Core/echo", {"a": [1]}), ("Core/echo", {"#c": reference}))
    assert (name, answer["type"]) == ("error", "invalidResultReference")


async def test_references_to_references_cannot_double_the_response(jmap: Jmap) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [("Core/echo", {"a": ["x" * 1000] * 10})]
    for number in range(20):
        reference = {"resultOf": str(number), "name": "Core/echo", "path": ""}
        calls.append(("Core/echo", {"#a": reference, "#b": reference}))
    answers = await jmap.run(*calls)
    assert answers[-1][1]["type"] == "invalidResultReference"
    assert len(json.dumps(answers)) < 8 << 20


async def test_creation_ids_stand_for_ids(jmap: Jmap) -> None:
    draft = {
        "mailboxIds": {"#box": True},
        "subject": "new",
        "bodyStructure": {"partId": "1"},
        "bodyValues": {"1": {"value": "x"}},
    }
    calls = [
        ["Mailbox/set", {"accountId": jmap.account, "create": {"box": {"name": "New"}}}, "0"],
        ["Email/set", {"accountId": jmap.account, "create": {"mail": draft}}, "1"],
        ["Email/get", {"accountId": jmap.account, "ids": ["#mail"], "properties": ["mailboxIds"]}, "2"],
    ]
    body = await jmap.post(*calls, createdIds={"old": "id"})
    created = body["createdIds"]
    assert created.keys() == {"old", "box", "mail"}
    [email] = body["methodResponses"][2][1]["list"]
    assert email == {"id": created["mail"], "mailboxIds": {created["box"]: True}}
