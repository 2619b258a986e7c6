"""Signed in by each of the three ways, and what each protocol does with it."""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from secrets import token_urlsafe
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.api.conftest import mail
from tests.oauth.conftest import ME, Device, Replica, Serve, sign_in
from tests.servers.issuer import Issuer, TokenDovecot
from tests.servers.sink import Sink

REDIRECT = "org.example.app:/signed-in"


async def code_for(replica: Replica, user: str) -> dict[str, str]:
    """What an app has once the user has agreed in a browser: it knows no more than the address before."""
    found = (await replica.get("/v1/discovery", params={"email": user})).json()
    assert found["candidates"] == [
        {"source": "table", "server": "home", "login": "address", "auth": ["oauth2", "password"]}
    ]
    oauth = found["oauth"]
    verifier, state = token_urlsafe(48), token_urlsafe(8)
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": oauth["clientId"],
        "redirect_uri": REDIRECT,
        "scope": " ".join(oauth["scopes"]),
        "state": state,
        "login_hint": user,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    async with httpx.AsyncClient() as browser:
        agreed = await browser.get(oauth["authorizationEndpoint"], params=query)
    brought = parse_qs(urlsplit(agreed.headers["Location"]).query)
    assert brought["state"] == [state]
    return {"code": brought["code"][0], "codeVerifier": verifier, "redirectUri": REDIRECT}


async def test_by_a_code_from_the_address_to_the_mailbox(serve: Serve, token_dovecot: TokenDovecot) -> None:
    user = token_dovecot.user()
    token_dovecot.seed(user, [(mail("welcome"), (), None)])
    async with serve() as [replica]:
        device = await Device.signed_in(replica, user, **await code_for(replica, user))
        page = await device.get(replica, f"{ME}/folders/inbox/messages")
    assert [row["subject"] for row in page.json()["items"]] == ["welcome"]


async def test_a_code_is_good_once_and_only_with_its_verifier(serve: Serve, token_dovecot: TokenDovecot) -> None:
    user = token_dovecot.user()
    async with serve() as [replica]:
        given = await code_for(replica, user)
        stolen = {**given, "codeVerifier": token_urlsafe(48)}
        refused = await replica.post("/v1/sessions", json={"username": user, **stolen})
        again = await replica.post("/v1/sessions", json={"username": user, **given})
    for response in (refused, again):
        assert (response.status_code, response.json()["type"]) == (401, "/problems/consent-required")
        assert "canary-of-the-issuer" not in response.text


async def test_by_a_device_code_once_the_user_has_agreed(
    serve: Serve, issuer: Issuer, token_dovecot: TokenDovecot
) -> None:
    user = token_dovecot.user()
    async with serve() as [replica]:
        begun = await replica.post("/v1/oauth/fake/device")
        assert begun.status_code == 200
        shown = begun.json()
        assert shown["verificationUri"].startswith(issuer.url)
        waiting = await replica.post("/v1/sessions", json={"username": user, "deviceCode": shown["deviceCode"]})
        assert (waiting.status_code, waiting.json()["type"]) == (428, "/problems/authorization-pending")
        assert waiting.json()["retryable"]
        assert int(waiting.headers["Retry-After"]) >= shown["interval"]
        issuer.agree(shown["userCode"], user)
        device = await Device.signed_in(replica, user, deviceCode=shown["deviceCode"])
        assert (await device.get(replica)).json()["username"] == user


async def test_a_user_who_does_not_agree_is_asked_again(serve: Serve, issuer: Issuer) -> None:
    async with serve() as [replica]:
        shown = (await replica.post("/v1/oauth/fake/device")).json()
        issuer.refuse(shown["userCode"])
        refused = await replica.post(
            "/v1/sessions", json={"username": "ann@example.org", "deviceCode": shown["deviceCode"]}
        )
    assert refused.json()["type"] == "/problems/consent-required"


async def test_a_device_code_of_an_unknown_provider_is_404(serve: Serve) -> None:
    async with serve() as [replica]:
        response = await replica.post("/v1/oauth/other/device")
    assert (response.status_code, response.json()["what"]) == (404, "provider")


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
async def test_by_a_refresh_token_on_each_protocol(
    serve: Serve, issuer: Issuer, token_dovecot: TokenDovecot, protocol: str
) -> None:
    user = token_dovecot.user()
    token_dovecot.seed(user, [(mail("welcome"), (), None)])
    async with serve() as [replica]:
        device = await Device.signed_in(replica, user, refreshToken=issuer.grant(user), protocol=protocol)
        page = await device.get(replica, f"{ME}/folders/inbox/messages")
    assert [row["subject"] for row in page.json()["items"]] == ["welcome"]


async def test_sending_signs_in_by_the_same_grant(
    serve: Serve, issuer: Issuer, token_dovecot: TokenDovecot, sink: Sink
) -> None:
    user = token_dovecot.user()
    async with serve() as [replica]:
        device = await Device.signed_in(replica, user, refreshToken=issuer.grant(user))
        issuer.forget_access(user)  # the mail server refuses the token that is thought to be good
        draft = {"to": [{"email": "bob@example.org"}], "subject": f"by {user}", "text": "Hi!"}
        sent = await device.request(replica, "POST", f"{ME}/submissions", json=draft)
    assert sent.status_code == 201, sent.text
    assert f"by {user}".encode() in sink.wait_for("bob@example.org").octets


async def test_another_user_s_grant_opens_no_mailbox(serve: Serve, issuer: Issuer, token_dovecot: TokenDovecot) -> None:
    async with serve() as [replica]:
        token = issuer.grant(token_dovecot.user("other"))
        body = {"username": token_dovecot.user(), "refreshToken": token}
        response = await replica.post("/v1/sessions", json=body)
    assert (response.status_code, response.json()["type"]) == (401, "/problems/login-refused")


@pytest.mark.parametrize(
    "body",
    [
        {"refreshToken": "x", "password": "y"},
        {"code": "x"},
        {"code": "x", "codeVerifier": "v" * 43},
        {"password": "x", "redirectUri": "https://app.example.org"},
        {"code": "x", "codeVerifier": "too short", "redirectUri": "https://app.example.org"},
        {"code": "x", "codeVerifier": "v" * 43, "redirectUri": "https://app.example.org/a b"},
        {"refreshToken": ""},
        {"refreshToken": "a\r\nb"},
        {"refreshToken": "\ud800"},
        {"deviceCode": "ü"},
        {},
    ],
)
async def test_a_session_has_one_secret(serve: Serve, body: dict[str, str]) -> None:
    async with serve() as [replica]:
        content = json.dumps({"username": "ann@example.org", **body})
        response = await replica.post("/v1/sessions", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 422


async def test_a_server_without_an_issuer_takes_no_grant(
    serve: Serve, issuer: Issuer, token_dovecot: TokenDovecot
) -> None:
    from tests.api.conftest import settings_for

    async with serve(settings=settings_for(token_dovecot)) as [replica]:
        body = {"username": "ann@example.org", "refreshToken": "x"}
        response = await replica.post("/v1/sessions", json=body)
    assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-request")
    assert not issuer.asked


async def test_guesses_are_braked(serve: Serve) -> None:
    """As passwords are."""
    async with serve() as [replica]:
        body = {"username": "brake@example.org", "refreshToken": "guess"}
        answers = [await replica.post("/v1/sessions", json=body) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]


async def test_a_session_by_password_is_as_before(serve: Serve, token_dovecot: TokenDovecot) -> None:
    async with serve() as [replica]:
        session = await sign_in(replica, token_dovecot.user(), password="secret")
        device = Device(session)
        assert (await device.get(replica)).status_code == 200
    assert device.renewals == 0
