"""Bodies within the limit of octets that have more values, or more wrong ones, than any request needs."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from service.api.routing import MAX_MEMBERS, MAX_OBJECTS, MAX_PARAMETERS
from service.app import create_app
from service.settings.model import Settings
from tests.api.test_bad_input import JSON, PATH, operations, schema_of
from tests.servers.process import HOST
from tests.unheld import HELD, watched

LARGEST = (1 << 20) - 100


def array(item: bytes, around: tuple[bytes, bytes] = (b"", b"")) -> bytes:
    """As many of these items as a body holds."""
    left = LARGEST - len(around[0]) - len(around[1])
    return around[0] + b"[" + b",".join([item] * (left // (len(item) + 1))) + b"]" + around[1]


def conditions(depth: int) -> bytes:
    """A filter as wide as the contract allows, on each level."""
    if depth == 0:
        return b"{}"
    return b'{"operator":"AND","conditions":[' + b",".join([conditions(depth - 1)] * 250) + b"]}"


def large_bodies(schema: dict[str, Any]) -> Iterator[bytes]:
    yield b"{" + b",".join(b'"%x":1' % number for number in range(95_000)) + b"}"
    yield json.dumps(dict.fromkeys(map(str, range(MAX_MEMBERS - 1)))).encode()
    for name, value in schema_of(schema)["properties"].items():
        start, end = b'{"%b":' % name.encode(), b"}"
        match schema_of(value).get("type"):
            case "array":
                yield from (array(item, (start, end)) for item in (b"1", b"{}", b"null", b'"\\ud800"'))
                few = json.dumps(dict.fromkeys(map(str, range(MAX_MEMBERS - 1)))).encode()
                yield array(few, (start, end))
            case "object":
                yield array(b"1", (start, end))
        if name == "filter":
            yield start + conditions(2) + end
            yield start + b'{"operator":"AND","conditions":[' + b",".join([conditions(1)] * 90) + b"]}" + end


def large_requests() -> Iterator[tuple[str, str, bytes]]:
    for path, method, operation in operations():
        content = operation.get("requestBody", {}).get("content", {})
        if JSON in content:
            url = re.sub(r"\{(\w+)\}", lambda found: PATH[found[1]], path)
            yield from ((method, url, body) for body in large_bodies(content[JSON]["schema"]))


async def test_no_body_of_json_holds_the_event_loop() -> None:
    """R-HTTP-06, R-OPS-12: half a million wrong values took 13 s, also without a sign-in."""
    home = {"imap": {"host": HOST, "port": 1, "security": "none"}}
    app = create_app(Settings(servers={"home": home}, default_server="home"))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://casella.example.org", auth=("ann@example.org", "x"), timeout=60
    ) as client:
        for method, url, body in large_requests():
            async with watched() as watch:
                answer = await client.request(method, url, content=body, headers={"Content-Type": JSON})
            assert answer.status_code in {413, 422, 503}, (url, body[:80], answer.text[:300])
            assert watch.longest < HELD, (url, body[:80], watch.longest)
            assert len(answer.content) < 20_000
        async with watched() as watch:
            query = "&".join(f"{number:x}" for number in range(6000))
            answer = await client.get(f"/v1/accounts/me/folders/inbox/messages?{query}")
        assert answer.status_code == 422
        assert watch.longest < HELD
        assert str(MAX_PARAMETERS) in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({str(number): 1 for number in range(MAX_MEMBERS)}, 422),
        ({str(number): 1 for number in range(MAX_MEMBERS + 1)}, 413),
        ([{}] * MAX_OBJECTS, 422),
        ([{}] * (MAX_OBJECTS + 1), 413),
    ],
    ids=["members", "too many members", "objects", "too many objects"],
)
async def test_members_and_objects_are_bounded(body: object, status: int) -> None:
    """R-HTTP-06: at the limit the values are looked at, beyond it they are not."""
    transport = httpx.ASGITransport(create_app(Settings(servers={})))
    async with httpx.AsyncClient(transport=transport, base_url="http://casella.example.org") as client:
        answer = await client.post("/v1/sessions", json=body)
    assert (answer.status_code, answer.json()["status"]) == (status, status)


@pytest.mark.parametrize(
    "body",
    [
        b'{"username":"ann","username":"ben","password":"x"}',
        b'{"username":"ann","password":"x","\\u0075sername":"ben"}',
        b'{"username":"ann","password":{"a":1,"a":2}}',
    ],
)
async def test_no_name_is_in_an_object_twice(body: bytes) -> None:
    """R-HTTP-06: which of the two counts differs from reader to reader."""
    transport = httpx.ASGITransport(create_app(Settings(servers={})))
    async with httpx.AsyncClient(transport=transport, base_url="http://casella.example.org") as client:
        answer = await client.post("/v1/sessions", content=body, headers={"Content-Type": JSON})
    assert answer.status_code == 422
    assert [each["location"] for each in answer.json()["errors"]] == ["body"]
    assert "same name" in answer.json()["detail"]
