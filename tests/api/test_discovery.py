"""``GET /v1/discovery`` as an app calls it."""

import httpx
import pytest

import service.app
from service.accounts.servers import ELSEWHERE, Endpoint, Security
from service.app import create_app
from service.discovery.providers import providers
from service.settings.model import Settings
from tests.api.conftest import Connect, settings_for
from tests.servers.dovecot import Dovecot

PATH = "/v1/discovery"
HOME = {"home": {"domains": ["example.org"], "imap": {"host": "imap.example.org", "port": 993}}}


def client_of(settings: Settings) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(settings), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://casella.example.org")


async def test_the_address_of_a_row_s_domain(dovecot: Dovecot, connect: Connect) -> None:
    """No host of the table is shown, as in GET /v1/servers; and the session can be made with no more than this."""
    user = dovecot.user()
    async with connect() as client:
        found = (await client.get(PATH, params={"email": user})).json()
        assert found == {
            "candidates": [{"source": "table", "server": "home", "login": "address", "auth": ["password"]}]
        }
        body = {"username": user, "password": "secret", "server": found["candidates"][0]["server"]}
        assert (await client.post("/v1/sessions", json=body)).status_code == 201


async def test_nothing_is_asked_of_anybody_unless_the_operator_allows_it() -> None:
    app = create_app(Settings(servers=HOME, default_server="home"))
    assert app.state.service.discovery._network is None
    async with client_of(Settings(servers=HOME, default_server="home")) as client:
        found = (await client.get(PATH, params={"email": "ann@unknown.example"})).json()
    assert [each["server"] for each in found["candidates"]] == ["home"]


async def test_a_known_provider_that_is_not_reached_from_here_has_no_server() -> None:
    async with client_of(Settings(servers=HOME)) as client:
        [found] = (await client.get(PATH, params={"email": "ann@gmail.com"})).json()["candidates"]
    assert found == {
        "source": "providers",
        "provider": "googlemail.com",
        "imap": {"host": "imap.gmail.com", "port": 993, "security": "tls"},
        "pop3": {"host": "pop.gmail.com", "port": 995, "security": "tls"},
        "smtp": {"host": "smtp.gmail.com", "port": 465, "security": "tls"},
        "login": "address",
        "auth": ["oauth2", "password"],
    }


async def test_each_provider_s_server_is_one_to_sign_in_to_where_clients_may_name_any() -> None:
    settings = Settings(servers={}, any_server=True, rates={"address_lookups": "off"})
    table = settings.server_table()
    async with client_of(settings) as client:
        for name, row in providers().items():
            email = f"ann@{row.domains[0]}"
            [found] = (await client.get(PATH, params={"email": email})).json()["candidates"]
            mailbox = row.imap or row.pop3
            assert mailbox is not None
            if mailbox.security is Security.NONE:
                assert "server" not in found
                continue
            server = table.pick(email, found["server"])
            place = server.imap or server.pop3
            assert isinstance(place, Endpoint), name
            host = mailbox.host.replace("{domain}", row.domains[0])
            assert (place.host, place.port, place.security) == (host, mailbox.port, mailbox.security)


def test_those_who_read_at_a_provider_send_there_too() -> None:
    """By the rules of hosts that clients name: another host's accounts cannot send."""
    table = Settings(servers={}, any_server=True).server_table()
    smtp = table.named("imap.gmail.com").smtp
    assert smtp is not None
    assert (smtp.host, smtp.port, smtp.server) == ("smtp.gmail.com", 465, ELSEWHERE)
    assert smtp.address_policy is table.address_policy
    assert table.named("imap.example.org").smtp is None


async def test_a_row_s_host_is_named_by_the_row() -> None:
    """With its issuer: an address of Google's own domain, or of a domain whose mail Google has."""
    gmail = {"imap": {"host": "imap.gmail.com", "port": 993}, "oauth": "google"}
    place = "https://accounts.google.com/o/oauth2/v2/auth"
    google = {
        "authorization_endpoint": place,
        "token_endpoint": "https://oauth2.googleapis.com/token",
        "client_id": "abc",
        "scopes": ["https://mail.google.com/"],
    }
    async with client_of(Settings(servers={**HOME, "gmail": gmail}, oauth={"google": google})) as client:
        found = (await client.get(PATH, params={"email": "ann@gmail.com"})).json()
    [candidate] = found["candidates"]
    assert (candidate["server"], candidate["auth"]) == ("gmail", ["oauth2", "password"])
    assert found["oauth"] == {
        "provider": "google",
        "authorizationEndpoint": place,
        "scopes": ["https://mail.google.com/"],
        "clientId": "abc",
    }


async def test_an_issuer_that_is_away_leaves_the_candidates() -> None:
    rows = {"home": {**HOME["home"], "oauth": "away"}}
    away = {"issuer": "http://127.0.0.1:1", "client_id": "x"}
    async with client_of(Settings(servers=rows, oauth={"away": away})) as client:
        response = await client.get(PATH, params={"email": "ann@example.org"})
    assert response.status_code == 200
    assert response.json().keys() == {"candidates"}


async def test_it_is_rate_limited() -> None:
    async with client_of(Settings(servers=HOME, rates={"address_lookups": "2/minute"})) as client:
        answers = [await client.get(PATH, params={"email": "ann@example.org"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "Retry-After" in answers[-1].headers


@pytest.mark.parametrize("email", ["", "ann", "ann@", "a@" + "b" * 2000])
async def test_what_is_no_address_is_422(email: str) -> None:
    async with client_of(Settings(servers=HOME)) as client:
        response = await client.get(PATH, params={"email": email})
    assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-request")


async def test_without_its_libraries_the_tables_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.app, "find_spec", lambda _: None)
    async with client_of(Settings(servers={}, any_server=True)) as client:
        found = (await client.get(PATH, params={"email": "ann@gmail.com"})).json()
    assert [each["server"] for each in found["candidates"]] == ["imap.gmail.com"]


def test_only_mx_is_looked_up_if_clients_may_not_name_servers(dovecot: Dovecot) -> None:
    network = create_app(settings_for(dovecot, discovery_mx=True)).state.service.discovery._network
    assert (network._fetcher, network._reach) == (None, None)
