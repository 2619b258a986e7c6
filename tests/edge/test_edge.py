"""What is on every answer, and what foreign pages may do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from service.api.middleware.requests import SAFE_HEADERS
from service.app import create_app
from service.settings.model import Settings
from tests.unheld import watched

SAFE = {name.decode(): value.decode() for name, value in SAFE_HEADERS.items()}
ORIGIN = "https://app.example.org"
CANARY = "canary-5c1d-letter"


async def broken() -> None:
    raise ValueError(CANARY)


@asynccontextmanager
async def calling(**settings: object) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(servers={}, **settings))  # type: ignore[arg-type]
    app.add_api_route("/broken", broken)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://casella.example.org") as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200), ("GET", "/readyz", 503), ("GET", "/openapi.json", 200), ("GET", "/v1/servers", 200),
        ("GET", "/nowhere", 404), ("DELETE", "/healthz", 405), ("GET", "/v1/accounts/me", 401), ("POST", "/v1/sessions", 422),
        ("GET", "/broken", 500), ("OPTIONS", "/v1/servers", 405), ("TRACE", "/v1/servers", 405),
    ],
)  # fmt: skip
async def test_every_answer_is_safe_in_a_browser(method: str, path: str, status: int) -> None:
    """R-HTTP-16: on every response, and errors have one shape."""
    async with calling() as client:
        answer = await client.request(method, path, headers={"Origin": ORIGIN})
    assert answer.status_code == status
    assert answer.headers.items() >= SAFE.items()
    assert answer.headers["x-request-id"]
    assert "set-cookie" not in answer.headers
    if status >= 400 and path != "/readyz":
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["requestId"] == answer.headers["x-request-id"]


async def test_an_unexpected_error_is_reported_without_its_message(capfd: pytest.CaptureFixture[str]) -> None:
    """R-HTTP-14: an exception may repeat a letter; neither answer nor log does, and the log says where it was."""
    async with calling() as client:
        answer = await client.get("/broken")
    told = "".join(capfd.readouterr())
    assert answer.json()["type"] == "/problems/internal-error"
    assert CANARY not in told + answer.text
    assert "test_edge.py:" in told
    assert answer.headers["x-request-id"] in told


@pytest.mark.parametrize("path", ["/docs", "/docs/try"])
async def test_the_reference_may_run_its_own_scripts_only(path: str) -> None:
    """R-HTTP-16: no script in the page, none of elsewhere, no form, no frame."""
    async with calling() as client:
        answer = await client.get(path)
    policy = dict(each.split(" ", 1) for each in answer.headers["content-security-policy"].split("; "))
    assert {
        name: policy[name] for name in ("default-src", "script-src", "connect-src", "form-action", "frame-ancestors")
    } == {
        "default-src": "'none'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert "unsafe" not in answer.headers["content-security-policy"]


async def test_no_foreign_page_is_let_in_by_default() -> None:
    """R-HTTP-16: neither by a preflight nor by a plain request."""
    ask = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    async with calling() as client:
        for answer in (await client.options("/v1/servers", headers=ask), await client.get("/v1/servers", headers=ask)):
            assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_pages_of_allowed_origins_are_let_in_without_cookies() -> None:
    """R-HTTP-16: others are refused, in the one shape of error."""
    ask = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}
    async with calling(allowed_origins=(ORIGIN,)) as client:
        mine = await client.options("/v1/accounts/me", headers={**ask, "Origin": ORIGIN})
        assert (mine.status_code, mine.headers["access-control-allow-origin"]) == (200, ORIGIN)
        assert "access-control-allow-credentials" not in mine.headers
        theirs = await client.options("/v1/accounts/me", headers={**ask, "Origin": "https://evil.example"})
        assert (theirs.status_code, theirs.json()["type"]) == (422, "/problems/invalid-request")
        assert "access-control-allow-origin" not in theirs.headers
        read = await client.get("/v1/servers", headers={"Origin": ORIGIN})
        assert "X-Request-Id" in read.headers["access-control-expose-headers"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [("POST", "/v1/sessions", b" " * 2000, 413), ("GET", "/broken", b"", 500), ("GET", "/v1/servers", b"", 429)],
)
async def test_pages_of_allowed_origins_can_read_every_error(method: str, path: str, body: bytes, status: int) -> None:
    """R-HTTP-16: a browser shows a page nothing of a response without these fields, not even its status."""
    rates = {"address": "1/hour"} if status == 429 else {}
    async with calling(allowed_origins=(ORIGIN,), max_body_octets=1024, rates=rates) as client:
        for _ in range(2):
            answer = await client.request(method, path, content=body, headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers.items() >= SAFE.items()
    assert answer.json()["requestId"] == answer.headers["x-request-id"]
    assert answer.headers.get_list("access-control-allow-origin") == [ORIGIN]


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "GZIP"])
async def test_content_in_a_coding_is_refused(coding: str) -> None:
    """R-HTTP-06, R-HTTP-18: it would be stored as it came, and a coded attachment opens nowhere."""
    async with calling() as client:
        for method, path in (
            ("POST", "/v1/accounts/me/drafts/m_none/attachments"),
            ("POST", "/v1/accounts/me/folders/inbox/messages"),
            ("POST", "/v1/sessions"),
            ("POST", "/jmap/upload/me"),
        ):
            answer = await client.request(method, path, content=b"x", headers={"Content-Encoding": coding})
            assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-media-type")
            assert answer.headers["accept-encoding"] == "identity"
        for content, value in ((b"", coding), (b"{}", "identity"), (b"{}", "")):
            answer = await client.post(
                "/v1/sessions", content=content, headers={"Content-Encoding": value, "Content-Type": "application/json"}
            )
            assert answer.status_code == 422, value


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/accounts/me/messages/m_none/parts/1", "GET, HEAD"), ("/v1/accounts/me/messages/m_none/source", "GET, HEAD"),
        ("/v1/accounts/me/messages/m_none/flags", "GET, PATCH, PUT"), ("/v1/accounts/me/folders/inbox/messages", "GET, POST"),
        ("/v1/accounts/me/messages/bulk", "POST"), ("/docs", "GET, HEAD"), ("/healthz", "GET"),
    ],
)  # fmt: skip
async def test_allow_names_all_methods_of_an_address(path: str, allowed: str) -> None:
    """R-HTTP-16: those that the contract has, and HEAD if it is answered."""
    async with calling() as client:
        answer = await client.request("TRACE", path)
    assert (answer.status_code, sorted(answer.headers["allow"].split(", "))) == (405, allowed.split(", "))


@pytest.mark.parametrize(("method", "path"), [("GET", "/openapi.json"), ("PUT", "/v1/accounts/me")])
async def test_the_contract_is_built_beside_the_event_loop(method: str, path: str) -> None:
    """R-OPS-12: it takes a third of a second; the first response that needs it waits, and no other one."""
    async with calling() as client:
        async with watched() as watch:
            answers = await asyncio.gather(*(client.request(method, path) for _ in range(3)))
        assert {answer.status_code for answer in answers} <= {200, 405}
        assert watch.longest < 0.15
