"""Every operation of the contract with bad input: each refusal names the value, in words that say what to send."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, get_args
from urllib.parse import quote

import httpx
import pytest
from pydantic_core import core_schema

from service.api.wording import explain
from tests.api.conftest import Connect
from tests.api.others import CONTRACT, METHODS
from tests.servers.dovecot import Dovecot

CANARY = "canary-93c1-value"
PATH = {
    "account": "me",
    "folder": "inbox",
    "message": "m_none",
    "part": "1",
    "identifier": "anyone",
    "name": "busy",
    "provider": "none",
    "thread": "t_none",
    "subscription": "p_none",
    "fetch": "j_none",
}
OUT_OF_TIME = ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59")
"""Times that no year of UTC has."""
JSON = "application/json"
_SCHEMA = "#/components/schemas/"
_NOT_OURS = re.compile(
    r"Input should|Field required|Extra inputs|[Vv]alue error|unable to|valid (?:string|integer|number|boolean|list|tuple|dict)"
    r"|should (?:be|have)|isoformat|codec|Expecting|decode error|Traceback|pydantic"
)


class Bad(NamedTuple):
    """A request, and what it is about."""

    operation: str
    method: str
    url: str
    type: str | None = None
    body: bytes | None = None
    status: int | None = None
    """None: whether it is refused depends on the operation."""


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in CONTRACT["paths"].items():
        for method, operation in methods.items():
            if method in METHODS:
                yield path, method, operation


def schema_of(node: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in node:
        node = CONTRACT["components"]["schemas"][node["$ref"].removeprefix(_SCHEMA)]
    return node


def bad_values(schema: Mapping[str, Any]) -> Iterator[str]:
    """Texts that break the schema of a parameter."""
    schema = schema_of(schema)
    match schema.get("type"):
        case "integer" | "number":
            yield from (CANARY, "", "9" * 5000, "1e999", "nan")
            if "minimum" in schema:
                yield str(int(schema["minimum"]) - 1)
            if "maximum" in schema and schema["maximum"] < 1 << 60:
                yield str(int(schema["maximum"]) + 1)
        case "boolean":
            yield from (CANARY, "")
        case "string":
            if "maxLength" in schema:
                yield "x" * (schema["maxLength"] + 1)
            if "enum" in schema or schema.get("format") in {"date", "date-time"}:
                yield CANARY
            if schema.get("format") == "date-time":
                yield from ("2026-01-31T08:00:00", "20260131", "99999999999999", *OUT_OF_TIME)


def bad_parameters(path: str, method: str, operation: dict[str, Any]) -> Iterator[Bad]:
    url = re.sub(r"\{(\w+)\}", lambda name: PATH[name[1]], path)
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "query":
            for value in bad_values(parameter["schema"]):
                yield Bad(f"{method} {path}", method, f"{url}?{parameter['name']}={quote(value)}", status=422)


def wrong_members(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Bodies with one member of each wrong kind, too long, and unknown."""
    wrong: tuple[Any, ...] = (
        CANARY,
        1.5,
        True,
        [],
        {},
        [[]],
        [{"unknown": 1}],
        {"unknown": CANARY},
        "x" * 20_000,
        ["x"] * 2000,
        -1,
        "\ud800",
        ["\ud800"],
        *OUT_OF_TIME,
    )
    for name in schema_of(schema).get("properties", {}):
        yield from ({name: value} for value in wrong)
    yield {"unknown": CANARY}


def bad_bodies(path: str, method: str, operation: dict[str, Any]) -> Iterator[Bad]:
    media = operation.get("requestBody", {}).get("content", {}).get(JSON)
    if media is None:
        return
    name, url = f"{method} {path}", re.sub(r"\{(\w+)\}", lambda found: PATH[found[1]], path)
    for body in (b"{", b"[", b'"x', b"\xff", b"null", b"[]", b'"x"', b"1", b"[" * 5000, b'{"a":' * 5000, b'{"a":1e}'):
        yield Bad(name, method, url, JSON, body, 422)
    for members in wrong_members(media["schema"]):
        yield Bad(name, method, url, JSON, json.dumps(members).encode())
    if operation["requestBody"].get("required") and "message/rfc822" not in operation["requestBody"]["content"]:
        yield Bad(name, method, url, JSON, b"", 422)
        yield Bad(name, method, url, None, None, 422)
    for type_ in ("application/x-www-form-urlencoded", "text/plain", None):
        yield Bad(name, method, url, type_, f"username={CANARY}&password={CANARY}".encode(), 415)


async def send(client: httpx.AsyncClient, bad: Bad) -> httpx.Response:
    headers = {"Content-Type": bad.type} if bad.type else {}
    return await client.request(bad.method, bad.url, content=bad.body, headers=headers)


def judge(bad: Bad, answer: httpx.Response) -> None:
    about = (bad.operation, bad.url[:200], bad.type, (bad.body or b"")[:80], answer.status_code, answer.text[:500])
    assert answer.status_code < 500 or answer.status_code == 501, about
    if bad.status is not None:
        assert answer.status_code == bad.status, about
    if answer.status_code in {415, 422}:
        problem = answer.json()
        assert CANARY not in answer.text, about
        assert not _NOT_OURS.search(answer.text), about
    if answer.status_code == 422:
        assert problem["errors"], about
        for error in problem["errors"]:
            assert re.match(r"(request|query|body|path|header|sort|q)\b", error["location"]), about
            assert re.search(r"[.;:…]$", error["message"]) or len(error["message"]) >= 200, about


async def test_every_refusal_names_the_value_and_says_what_to_send(connect: Connect, dovecot: Dovecot) -> None:
    """R-HTTP-14: and repeats no value."""
    walked: dict[str, set[int]] = {}
    async with connect(dovecot.user()) as client:
        for path, method, operation in operations():
            for bad in (*bad_parameters(path, method, operation), *bad_bodies(path, method, operation)):
                answer = await send(client, bad)
                judge(bad, answer)
                walked.setdefault(bad.operation, set()).add(answer.status_code)
    with_json = {
        f"{method} {path}"
        for path, method, operation in operations()
        if JSON in operation.get("requestBody", {}).get("content", {})
    }
    assert len(with_json) > 10
    assert all({415, 422} <= walked[operation] for operation in with_json)


async def test_a_parameter_sent_twice_is_refused_and_not_half_obeyed(connect: Connect, dovecot: Dovecot) -> None:
    """R-HTTP-06: of two conditions the first would be ignored, and the list would have messages nobody asked for."""
    async with connect(dovecot.user()) as client:
        for query in ("hasKeyword=a&hasKeyword=b", "limit=1&limit=1", "unread=true&q=x&unread=false"):
            answer = await client.get(f"/v1/accounts/me/folders/inbox/messages?{query}")
            assert answer.status_code == 422, query
            assert [error["location"] for error in answer.json()["errors"]] == [f"query.{query.partition('=')[0]}"]


async def test_a_refusal_says_where_the_value_is(connect: Connect, dovecot: Dovecot) -> None:
    """R-HTTP-06: in the query of a list, in the body of a search."""
    async with connect(dovecot.user()) as client:
        for name in ("fields", "include"):
            listed = await client.get("/v1/accounts/me/folders/inbox/messages", params={name: "nothing"})
            found = await client.post("/v1/accounts/me/search", json={name: "nothing"})
            places = [answer.json()["errors"][0]["location"] for answer in (listed, found)]
            assert places == [f"query.{name}", f"body.{name}"]


async def test_an_unknown_url_is_named_as_such(connect: Connect, dovecot: Dovecot) -> None:
    async with connect(dovecot.user()) as client:
        for url in (
            "/v2/accounts",
            "/v1/accounts/me/nothing",
            "/problems/nothing",
            "/guides/nothing",
            "/v1/accounts/me/",
        ):
            answer = await client.get(url)
            assert (answer.status_code, answer.json()["what"]) == (404, "route"), url
            is_api = url.startswith("/v")
            assert answer.json()["detail"].startswith(
                "There is nothing at this URL." if is_api else "There is no such"
            ), url


async def test_a_login_by_a_form_is_415(connect: Connect) -> None:
    async with connect() as client:
        answer = await client.post("/v1/sessions", data={"username": "ann@example.org", "password": CANARY})
        assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-media-type")
        assert "application/json" in answer.json()["detail"]
        assert CANARY not in answer.text


@pytest.mark.parametrize("kind", get_args(core_schema.ErrorType))
def test_every_error_of_the_library_has_words_of_ours(kind: str) -> None:
    """Any that a later model may cause, with the facts that it comes with."""
    limits = ("min_length", "max_length", "ge", "gt", "le", "lt", "multiple_of", "pattern", "expected")
    words = explain(kind, ("body", "x"), {**dict.fromkeys(limits, 2), "error": CANARY, "actual_length": 1})
    assert words.endswith(".")
    assert CANARY not in words
    assert not _NOT_OURS.search(words)
