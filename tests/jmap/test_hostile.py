"""Requests made to cost much: each is answered, soon, and no event loop is held."""

import asyncio
import json
import time
from typing import Any

import pytest

from service.jmap.values.headers import FORMS, header_value, read_property
from service.mail.model import Header
from tests.jmap.clients import Jmap
from tests.jmap.letters import plain


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
        ("Email/query", {"filter": {"text": "x" * 100_000}}, "invalidArguments"),
        ("Email/query", {"filter": {"before": "99999-99-99T00:00:00Z"}}, "invalidArguments"),
        ("Email/query", {"filter": {"minSize": -1}}, "invalidArguments"),
        ("Email/query", {"sort": [{"property": "size"}] * 100}, "invalidArguments"),
        ("Email/query", {"position": 10**30}, "invalidArguments"),
        ("Email/get", {"ids": ["x"] * 5000}, "requestTooLarge"),
        ("Email/get", {"ids": ["x"], "properties": [f"header:X-{n}" for n in range(5000)]}, "invalidArguments"),
        ("Email/get", {"ids": ["x"], "bodyProperties": ["header:a:all"] * 5000}, "invalidArguments"),
        ("Email/set", {"destroy": ["x" + str(n) for n in range(5000)]}, "requestTooLarge"),
        ("Email/set", {"update": {"x": 5}}, "invalidArguments"),
        ("Mailbox/query", {"filter": _deep(80)}, "invalidArguments"),
        ("Thread/get", {"ids": ["t_x"] * 400}, "invalidArguments"),
        ("SearchSnippet/get", {"emailIds": ["x"] * 400, "filter": None}, "invalidArguments"),
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
        header_value(read_property(f"header:X-Any:{form}"), [Header(name="X-Any", value=value, raw=value)])
    assert time.thread_time() - began < 3
