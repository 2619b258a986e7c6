"""JMAP from a page of another origin (CORS), on a real listener."""

from collections.abc import AsyncIterator

import httpx
import pytest

from service.app import create_app
from service.settings.model import Settings
from tests.api.served import listening
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST

MAIL, STRANGER = "https://mail.example.org", "https://other.example.org"


@pytest.fixture
async def http(dovecot: Dovecot) -> AsyncIterator[httpx.AsyncClient]:
    place = {"host": HOST, "port": dovecot.ports.imap, "security": "none"}
    app = create_app(Settings(servers={"home": {"imap": place}}, default_server="home", allowed_origins=[MAIL]))
    async with listening(app) as port:
        url, auth = f"http://{HOST}:{port}", (dovecot.user("origin"), PASSWORD)
        async with httpx.AsyncClient(base_url=url, auth=auth, timeout=30) as http:
            yield http


@pytest.mark.parametrize(("method", "path"), [("POST", "/jmap"), ("GET", "/jmap/session"), ("POST", "/jmap/upload/x")])
async def test_a_browser_may_ask_before_it_calls(http: httpx.AsyncClient, method: str, path: str) -> None:
    """Without a sign-in, which a preflight never has."""
    headers = {
        "Origin": MAIL,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    answer = await http.request("OPTIONS", path, headers=headers, auth=None)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == MAIL
    assert method in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert "authorization" in allowed
    assert "content-type" in allowed
    refused = await http.request("OPTIONS", path, headers={**headers, "Origin": STRANGER}, auth=None)
    assert "access-control-allow-origin" not in refused.headers


async def test_answers_and_refusals_are_readable_by_the_page(http: httpx.AsyncClient) -> None:
    """Discovery, which a browser follows, the session, a call, an error of a request, and events."""
    headers = {"Origin": MAIL}
    found = await http.get("/.well-known/jmap", headers=headers)
    session = await http.get(found.headers["location"], headers=headers)
    echo = {"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", {}, "0"]]}
    called = await http.post("/jmap", json=echo, headers=headers)
    wrong = await http.post("/jmap", content=b"{", headers={**headers, "Content-Type": "application/json"})
    assert [each.status_code for each in (found, session, called, wrong)] == [307, 200, 200, 400]
    for answer in (found, session, called, wrong):
        assert answer.headers["access-control-allow-origin"] == MAIL
    async with http.stream("GET", "/jmap/eventsource?types=*&closeafter=no&ping=1", headers=headers) as events:
        assert events.headers["access-control-allow-origin"] == MAIL
    assert "access-control-allow-origin" not in (await http.get("/jmap/session", headers={"Origin": STRANGER})).headers
