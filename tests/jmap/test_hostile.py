"""Requests made to cost much: each is answered, soon, and no event loop is held."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.jmap.account import account
from service.jmap.core.arguments import Arguments
from service.jmap.core.writing import SHORT, write
from service.jmap.methods.mailbox.read import matching_ids
from service.jmap.values.emails import Wanted, from_headers
from service.jmap.values.headers import FORMS, HeaderReader, read_property
from service.jmap.values.mailboxes import mailbox
from service.mail.model import Capability, Folder, Header
from tests.jmap.clients import CORE, Jmap
from tests.jmap.letters import plain
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.unheld import HELD, watched

LIMIT = "urn:ietf:params:jmap:error:limit"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)


def _deep(depth: int) -> dict[str, Any]:
    tree: dict[str, Any] = {"subject": "x"}
    for _ in range(depth):
        tree = {"operator": "NOT", "conditions": [tree]}
    return tree


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("Email/query", {"filter": _deep(60)}, "unsupportedFilter"),
        ("Email/query", {"filter": _deep(80)}, "invalidArguments"),
        ("Email/query", {"filter": {"operator": "OR", "conditions": [{"text": "x"}] * 5000}}, "unsupportedFilter"),
        ("Email/query", {"filter": {"operator": "OR", "conditions": [{"text": "x"}] * 40_000}}, "unsupportedFilter"),
        ("Email/query", {"filter": {"inMailboxOtherThan": ["x"] * 40_000}}, "unsupportedFilter"),
        ("Email/query", {"filter": {"text": "x" * 100_000}}, "invalidArguments"),
        ("Email/query", {"filter": {"before": "99999-99-99T00:00:00Z"}}, "invalidArguments"),
        ("Email/query", {"filter": {"minSize": -1}}, "invalidArguments"),
        ("Email/query", {"sort": [{"property": "size"}] * 100}, "invalidArguments"),
        ("Email/query", {"position": 10**30}, "invalidArguments"),
        ("Email/get", {"ids": ["x"] * 5000}, "requestTooLarge"),
        ("Email/get", {"ids": ["x"] * 501}, "requestTooLarge"),
        ("Mailbox/get", {"ids": ["x"] * 501}, "requestTooLarge"),
        ("Email/get", {"ids": ["x"], "properties": [f"header:X-{n}" for n in range(5000)]}, "invalidArguments"),
        ("Email/get", {"ids": ["x"], "bodyProperties": ["header:a:all"] * 5000}, "invalidArguments"),
        ("Email/set", {"destroy": ["x" + str(n) for n in range(5000)]}, "requestTooLarge"),
        ("Email/set", {"update": {"x": 5}}, "invalidArguments"),
        ("Mailbox/query", {"filter": _deep(80)}, "invalidArguments"),
        ("Mailbox/query", {"filter": {"name": "x" * 1001}}, "invalidArguments"),
        ("Thread/get", {"ids": ["t_x"] * 400}, "requestTooLarge"),
        ("SearchSnippet/get", {"emailIds": ["x"] * 400, "filter": None}, "requestTooLarge"),
        ("Blob/get", {"ids": ["x"] * 65}, "requestTooLarge"),
        ("Email/query", {"filter": {"operator": "AND", "conditions": [], "subject": "x"}}, "invalidArguments"),
        ("Mailbox/query", {"filter": {"operator": "AND", "conditions": [], "name": "x"}}, "invalidArguments"),
        ("EmailSubmission/queryChanges", {"sinceQueryState": "x"}, "cannotCalculateChanges"),
        ("Email/changes", {"sinceState": "A" * 100_000}, "cannotCalculateChanges"),
        ("Email/changes", {"sinceState": "ä\u0000"}, "cannotCalculateChanges"),
    ],
)
async def test_each_is_bounded(jmap: Jmap, name: str, arguments: dict[str, Any], kind: str) -> None:
    assert await jmap.error(name, **arguments) == kind


async def test_a_position_far_behind_costs_one_page(jmap: Jmap) -> None:
    await jmap.imported(plain("x"), await jmap.inbox())
    assert await jmap.query(position=10**15) == []
    assert await jmap.query(anchor=(await jmap.query())[0], anchorOffset=10**15) == []


async def test_ids_of_any_shape_are_not_found(jmap: Jmap) -> None:
    ids = ["", "x", "m_", "g_", "m_" + "A" * 5000, "g_" + "A" * 5000, "ä", "\u0000", "#", "#x", "f_x", '"\r\n']
    for name in ("Email/get", "Mailbox/get", "Thread/get"):
        answer = await jmap.call(name, ids=ids)
        assert (answer["list"], answer["notFound"]) == ([], ids)
    answer = await jmap.call("Email/set", destroy=ids)
    assert answer["notDestroyed"].keys() == set(ids)


async def test_the_loop_is_never_held_for_long(jmap: Jmap) -> None:
    """By a request of half a megabyte, whose references fill the response: in CPU seconds of a turn."""
    worst = 0.0
    is_done = False

    async def watch() -> None:
        nonlocal worst
        while not is_done:
            before = time.thread_time()
            await asyncio.sleep(0)
            worst = max(worst, time.thread_time() - before)

    watching = asyncio.create_task(watch())
    calls = [["Core/echo", {"a": [[{}] * 1000] * 60}, str(n)] for n in range(3)]
    reference = {"resultOf": "0", "name": "Core/echo", "path": "/a/*/*"}
    calls.append(["Core/echo", {"#b": reference}, "9"])
    body = json.dumps({"using": ["urn:ietf:params:jmap:core"], "methodCalls": calls})
    answer = await jmap.http.post("/jmap", content=body, headers={"Content-Type": "application/json"})
    is_done = True
    await watching
    assert answer.status_code == 200
    assert worst < 0.25  # the client, which writes and reads all that JSON, is in this thread too


@pytest.mark.parametrize(
    "unit", ['"\\"', "(\\(", "<", "(", '"', "a:b;", ":", ",", "\\", "a@b,", "<https://a>", "=?utf-8?q?a?= "]
)
def test_header_forms_take_linear_time(unit: str) -> None:
    """Of a field of 250 KiB, in all forms. What is not linear would take minutes."""
    value = unit * ((250 << 10) // len(unit))
    began = time.thread_time()
    for form in FORMS:
        HeaderReader([Header(name="X-Any", value=value, raw=value)]).value(read_property(f"header:X-Any:{form}"))
    assert time.thread_time() - began < 3


def test_a_field_is_read_once_for_each_form() -> None:
    """Not once for each way to write its name."""
    names = ["".join(letters) for letters in product("xX", "-", "aA", "nN", "yY", "eE", "rR", "sS")][:98]
    value = "(" * (250 << 10)
    headers = [Header(name="X-Anyers", value=value, raw=value)]
    began = time.thread_time()
    record = from_headers(headers, Wanted([f"header:{name}:asGroupedAddresses" for name in names]))
    assert record == {f"header:{name}:asGroupedAddresses": [] for name in names}
    assert time.thread_time() - began < 2


async def test_fields_that_a_request_has_read_are_bounded(jmap: Jmap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "MAX_PARSED", 400)
    email = await jmap.imported(b"X-Long: " + b"(" * 150 + b"\r\n" + plain("x"), await jmap.inbox())
    few, many = ["header:X-Long:asAddresses"], [f"header:X-Long:{form}" for form in ("asText", "asURLs", "asDate")]
    assert (await jmap.call("Email/get", ids=[email], properties=few))["list"]
    assert await jmap.error("Email/get", ids=[email], properties=many) == "requestTooLarge"
    parts = {"properties": ["bodyStructure"], "bodyProperties": many}
    assert await jmap.error("Email/get", ids=[email], **parts) == "requestTooLarge"


async def test_messages_that_a_request_has_read_are_bounded(jmap: Jmap, monkeypatch: pytest.MonkeyPatch) -> None:
    """One blob may have many names."""
    monkeypatch.setattr(account, "MAX_OPENED", 5000)
    blob = await jmap.upload(plain("x", text="y" * 1000))
    created = {f"k{number}": blob for number in range(10)}
    for name, of in (("Email/parse", "blobIds"), ("Blob/get", "ids")):
        for most, kind in ((3, name), (10, "error")):
            call = [name, {"accountId": jmap.account, of: [f"#k{number}" for number in range(most)]}, "0"]
            [[answered, _, _]] = (await jmap.post(call, createdIds=created))["methodResponses"]
            assert answered == kind


def _refused(answer: httpx.Response, status: int, limit: str) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (answer.json()["type"], answer.json()["limit"]) == (LIMIT, limit)


async def test_a_request_has_32_calls_and_no_more(jmap: Jmap) -> None:
    """maxCallsInRequest."""
    calls = [["Core/echo", {}, str(number)] for number in range(33)]
    assert len((await jmap.post(*calls[:32]))["methodResponses"]) == 32
    answer = await jmap.http.post("/jmap", json={"using": [CORE], "methodCalls": calls})
    _refused(answer, 400, "maxCallsInRequest")


async def test_a_request_has_500_ids_and_no_more(jmap: Jmap) -> None:
    """maxObjectsInGet; 501 are refused above."""
    assert len((await jmap.call("Email/get", ids=["x"] * 500, properties=["id"]))["notFound"]) == 1


async def test_a_request_that_is_too_large_is_a_limit_of_jmap(jmap: Jmap) -> None:
    """maxSizeRequest, whether or not the client says how large it is."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * (64 << 10)

    for content in (b" " * (3 << 20), chunks()):
        answer = await jmap.http.post("/jmap", content=content, headers={"Content-Type": "application/json"})
        _refused(answer, 413, "maxSizeRequest")
    assert (await jmap.http.post("/jmap", content=b" " * (1 << 20))).status_code == 400


async def test_an_account_has_16_requests_at_once_and_no_other_waits_for_it(jmap: Jmap, dovecot: Dovecot) -> None:
    """maxConcurrentRequests."""
    call = ["Email/query", {"accountId": jmap.account, "filter": {"text": "x"}}, "0"]
    body = {"using": ["urn:ietf:params:jmap:mail"], "methodCalls": [call]}
    other = jmap.http.get("/jmap/session", auth=(dovecot.user("other"), PASSWORD))
    many = [jmap.http.post("/jmap", json=body) for _ in range(60)]
    last, *answers = await asyncio.gather(other, *many)
    assert last.status_code == 200
    refused = [answer for answer in answers if answer.status_code != 200]
    assert 0 < len(refused) <= 60 - 16
    for answer in refused:
        _refused(answer, 429, "maxConcurrentRequests")
    assert (await jmap.http.post("/jmap", json=body)).status_code == 200


async def test_an_account_has_4_uploads_at_once(jmap: Jmap) -> None:
    """maxConcurrentUpload. A place is free again as soon as an upload has ended."""
    url = jmap.session["uploadUrl"].replace("{accountId}", jmap.account)
    begun, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        begun.release()
        await go_on.wait()
        yield b"y"

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        uploads = [group.create_task(jmap.http.post(url, content=slow())) for _ in range(4)]
        for _ in uploads:
            await begun.acquire()
        _refused(await jmap.http.post(url, content=b"z"), 429, "maxConcurrentUpload")
        go_on.set()
    assert [each.result().status_code for each in uploads] == [201] * 4
    assert (await jmap.http.post(url, content=b"z")).status_code == 201


async def test_many_conditions_on_many_mailboxes_are_evaluated_in_turns() -> None:
    """Each condition looks for a long name in 4,000 mailboxes."""
    listed = (
        Folder(id=f"f_{n}", name=f"folder {n}", path=("x",), is_subscribed=True, is_selectable=True)
        for n in range(4000)
    )
    mailboxes = {folder.id: mailbox(folder.id, folder, {}, frozenset(Capability)) for folder in listed}
    conditions = [{"name": "Z" * 900}] * 250
    arguments = Arguments({"filter": {"operator": "OR", "conditions": [*conditions, {"name": "folder 3999"}]}})
    async with watched() as watch:
        assert await matching_ids(arguments, mailboxes) == ["f_3999"]
    assert watch.longest < HELD


async def test_references_that_bring_nothing_are_counted_too(jmap: Jmap) -> None:
    """Thousands of them, each to a list of 100,000 empty lists: what is not bounded would take minutes."""
    reference = {"resultOf": "0", "name": "Core/echo", "path": "/a/*/*"}
    calls = [
        ["Core/echo", {"a": [[]] * 100_000}, "0"],
        ["Core/echo", {f"#x{number}": reference for number in range(8000)}, "1"],
    ]
    body = json.dumps({"using": [CORE], "methodCalls": calls})
    began = time.thread_time()
    answer = await jmap.http.post("/jmap", content=body, headers={"Content-Type": "application/json"})
    assert answer.json()["methodResponses"][1][1]["type"] == "requestTooLarge"
    assert time.thread_time() - began < 5


async def test_references_to_long_lists_are_bounded(jmap: Jmap) -> None:
    """By ``*`` within ``*``, which multiplies."""
    calls = [["Core/echo", {"a": [["x"] * 300] * 300}, "0"]]
    reference = {"resultOf": "0", "name": "Core/echo", "path": "/a/*/*"}
    calls += [["Core/echo", {"#b": reference}, str(number)] for number in range(1, 30)]
    answers = [answer for _, answer, _ in (await jmap.post(*calls))["methodResponses"]]
    assert {answer.get("type") for answer in answers[1:]} == {"requestTooLarge"}


async def test_enormous_creation_ids_are_ids_like_others(jmap: Jmap) -> None:
    """They are neither looked for in the mailbox nor kept."""
    key, mailbox = "k" * 400_000, "#" + "z" * 400_000
    record = {"mailboxIds": {mailbox: True}, "subject": "x"}
    answer = await jmap.call("Email/set", create={key: record})
    assert answer["notCreated"][key]["type"] == "invalidProperties"
    created = {f"k{number}": "v" for number in range(40_000)}
    assert (await jmap.post(["Core/echo", {}, "0"], createdIds=created))["createdIds"] == created


@given(responses=st.lists(JSON))
async def test_a_response_in_pieces_is_the_same(responses: list[Any]) -> None:
    assert json.loads(await write(responses, SHORT + 1)) == json.loads(await write(responses, 0)) == responses


async def test_a_long_response_is_written_in_turns() -> None:
    """Forty million octets, as the bodies of a hundred messages have."""
    records = [{"id": str(number), "bodyValues": {"1": {"value": "x" * (400 << 10)}}} for number in range(100)]
    responses = [["Email/get", {"list": records}, "0"]]
    async with watched() as watch:
        written = await write(responses, 40 << 20)
    assert len(written) > 400 * 100 << 10
    assert watch.longest < HELD
