"""Access tokens end while requests go on, on replicas that share nothing but their keys.

``CASELLA_TOKENS=60 pytest tests/oauth`` is the long form: tokens of 5 s, for that many seconds.
"""

import asyncio
import os
import random
import time
from typing import Any

import httpx
import pytest

from tests.api.conftest import mail
from tests.oauth.conftest import ME, Device, Replica, Serve, settings_for, sign_in
from tests.servers.issuer import Issuer, TokenDovecot

LONG = float(os.environ.get("CASELLA_TOKENS", "0"))
SECONDS, LIFE = (LONG, 5) if LONG else (6, 1)
INBOX = f"{ME}/folders/inbox/messages"


class Work:
    """Requests of every kind, each of which has to succeed."""

    def __init__(self, replicas: list[Replica], device: Device, seed: int, *, is_pop3: bool = False) -> None:
        self._replicas, self._device, self._random = replicas, device, random.Random(seed)
        self._is_pop3 = is_pop3
        self.done = 0

    async def go_on(self, until: float) -> None:
        kinds = [self._list, self._read, self._flag, self._append, self._move, self._search, self._changes, self._send]
        if self._is_pop3:
            kinds = [self._list, self._send]
        while time.monotonic() < until:
            await self._random.choice(kinds)()
            self.done += 1

    async def _request(self, method: str, path: str, expected: int = 200, **more: Any) -> Any:
        replica = self._random.choice(self._replicas)
        response = await self._device.request(replica, method, path, **more)
        assert response.status_code == expected, (method, path, response.text)
        return response.json() if response.content else None

    async def _first(self) -> str:
        return str((await self._request("GET", INBOX, params={"limit": 1, "sort": "receivedAt"}))["items"][0]["id"])

    async def _list(self) -> None:
        await self._request("GET", INBOX)

    async def _read(self) -> None:
        await self._request("GET", f"{ME}/messages/{await self._first()}")

    async def _flag(self) -> None:
        await self._request("PATCH", f"{ME}/messages/{await self._first()}/flags", json={"add": ["$seen"]})

    async def _append(self) -> str:
        answer = await self._request("POST", INBOX, 201, content=mail("more"), media="message/rfc822")
        return str(answer["id"])

    async def _move(self) -> None:
        await self._request("POST", f"{ME}/messages/{await self._append()}/move", json={"folderId": "archive"})

    async def _search(self) -> None:
        await self._request("GET", INBOX, params={"q": "subject:more"})

    async def _changes(self) -> None:
        await self._request("GET", f"{ME}/changes")

    async def _send(self) -> None:
        draft = {"to": [{"email": "bob@example.net"}], "subject": "mixed", "text": "Hi!"}
        await self._request("POST", f"{ME}/submissions", 201, json=draft)


@pytest.mark.timeout(150 + LONG)
async def test_no_request_fails_while_tokens_end_on_two_replicas(
    serve: Serve, issuer: Issuer, token_dovecot: TokenDovecot
) -> None:
    """Each phone has a session of its own; a refresh token works once."""
    issuer.seconds, issuer.delay = LIFE, 0.05
    users = [token_dovecot.user() for _ in range(3)]
    async with serve(2) as replicas:
        devices = []
        for user in users:
            token_dovecot.seed(user, [(mail("first"), (), None)])
            devices.append(await Device.signed_in(replicas[0], user, refreshToken=issuer.grant(user)))
        work = [Work(replicas, device, seed) for seed, device in enumerate(devices)]
        old = await Device.signed_in(replicas[1], users[0], refreshToken=issuer.grant(users[0]), protocol="pop3")
        devices.append(old)
        work.append(Work(replicas, old, len(work), is_pop3=True))
        until = time.monotonic() + SECONDS
        await asyncio.gather(*(each.go_on(until) for each in work))
    assert all(each.done for each in work)
    assert all(device.renewals >= SECONDS / LIFE / 4 for device in devices)
    assert issuer.asked["invalid_grant"] == 0


@pytest.mark.timeout(150 + LONG)
async def test_no_request_of_a_phone_that_sends_many_at_once_fails(
    serve: Serve, issuer: Issuer, token_dovecot: TokenDovecot
) -> None:
    """Four requests at a time, of one session, so that both replicas may refresh it at once. With tokens of a second the
    issuer takes a refresh token again for a moment, as many do: a slow machine may use up the rest of the other one."""
    issuer.seconds, issuer.grace = LIFE, 0 if LONG else 2
    user = token_dovecot.user()
    token_dovecot.seed(user, [(mail("first"), (), None)])
    async with serve(2) as replicas:
        device = await Device.signed_in(replicas[0], user, refreshToken=issuer.grant(user))
        work = [Work(replicas, device, seed) for seed in range(4)]
        until = time.monotonic() + SECONDS
        await asyncio.gather(*(each.go_on(until) for each in work))
    assert all(each.done for each in work)
    assert device.renewals >= SECONDS / LIFE / 4


async def test_many_requests_cost_one_refresh(serve: Serve, issuer: Issuer, token_dovecot: TokenDovecot) -> None:
    user = token_dovecot.user()
    async with serve(2) as [one, other]:
        device = await Device.signed_in(one, user, refreshToken=issuer.grant(user))
        issuer.delay = 0.1
        issuer.seconds = 3600
        before = issuer.asked["refresh_token"]
        token = await _ended(device, issuer, user, other)
        assert all(response.status_code == 200 for response in token)
        assert issuer.asked["refresh_token"] == before + 1
    assert issuer.most_at_once == 1


async def _ended(device: Device, issuer: Issuer, user: str, replica: Replica) -> list[httpx.Response]:
    """Twenty requests at once to a replica that never saw the session, whose access token the mail server refuses."""
    issuer.forget_access(user)
    return list(await asyncio.gather(*(device.get(replica) for _ in range(20))))


async def test_a_token_that_the_mail_server_refuses_before_its_time_is_replaced(
    serve: Serve, issuer: Issuer, token_dovecot: TokenDovecot
) -> None:
    user = token_dovecot.user()
    async with serve() as [replica]:
        device = await Device.signed_in(replica, user, refreshToken=issuer.grant(user))
        issuer.forget_access(user)
        await replica.app.state.service.accounts.aclose()  # as if they had been idle
        assert (await device.get(replica, INBOX)).status_code == 200
    assert device.renewals == 1


async def test_the_old_session_token_gets_the_new_one_and_elsewhere_a_clear_401(
    serve: Serve, issuer: Issuer, token_dovecot: TokenDovecot
) -> None:
    """A phone lost the answer that brought the new token."""
    user = token_dovecot.user()
    async with serve(2) as [one, other]:
        session = await sign_in(one, user, refreshToken=issuer.grant(user))
        issuer.forget_access(user)
        await one.app.state.service.accounts.aclose()
        for _ in range(2):
            behind = Device(session)
            assert (await behind.get(one)).status_code == 200
            assert behind.renewals == 1
        refused = await Device(session).get(other)
        assert (refused.status_code, refused.json()["type"]) == (401, "/problems/consent-required")
        assert (await behind.get(other)).status_code == 200
        assert (await Device(session).get(other)).status_code == 200  # which knows the newer state by now


async def test_a_new_token_comes_once(serve: Serve, issuer: Issuer, token_dovecot: TokenDovecot) -> None:
    user = token_dovecot.user()
    async with serve(2) as [one, other]:
        device = await Device.signed_in(one, user, refreshToken=issuer.grant(user))
        for replica in (one, other, one, other):
            assert (await device.get(replica)).status_code == 200
    assert device.renewals == 0
    assert issuer.asked["refresh_token"] == 1


async def test_a_grant_that_is_withdrawn_needs_consent_and_the_issuer_is_asked_once(
    serve: Serve, issuer: Issuer, token_dovecot: TokenDovecot
) -> None:
    user = token_dovecot.user()
    async with serve() as [replica]:
        device = await Device.signed_in(replica, user, refreshToken=issuer.grant(user))
        issuer.withdraw(user)
        issuer.forget_access(user)
        await replica.app.state.service.accounts.aclose()
        answers = [await device.get(replica) for _ in range(3)]
    for answer in answers:
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/consent-required")
        assert not answer.json()["retryable"]
    assert issuer.asked["invalid_grant"] == 1


async def test_an_issuer_that_does_not_rotate_keeps_the_refresh_token(
    serve: Serve, issuer: Issuer, token_dovecot: TokenDovecot
) -> None:
    issuer.rotates = False
    user = token_dovecot.user()
    async with serve(2) as replicas:
        session = await sign_in(replicas[0], user, refreshToken=issuer.grant(user))
        for replica in (*replicas, *replicas):
            issuer.forget_access(user)
            await replica.app.state.service.accounts.aclose()
            assert (await Device(session).get(replica)).status_code == 200


async def test_while_the_issuer_is_away_a_token_that_is_good_still_serves(
    serve: Serve, token_dovecot: TokenDovecot, issuer: Issuer
) -> None:
    user = token_dovecot.user()
    settings = settings_for(issuer, token_dovecot)
    away = {"fake": {"token_endpoint": "http://127.0.0.1:1/token", "client_id": "x"}}
    async with serve(1, settings) as [replica], serve(1, settings.model_copy(update=_oauth(away))) as [cut_off]:
        session = await sign_in(replica, user, refreshToken=issuer.grant(user))
        assert (await Device(session).get(cut_off)).status_code == 200
        issuer.forget_access(user)
        await cut_off.app.state.service.accounts.aclose()
        failed = await Device(session).get(cut_off)
    assert (failed.status_code, failed.json()["type"]) == (503, "/problems/upstream-unavailable")
    assert failed.json()["upstream"] == {"protocol": "oauth"}


def _oauth(tables: dict[str, dict[str, str]]) -> dict[str, Any]:
    from service.settings.issuers import IssuerSettings

    return {"oauth": {name: IssuerSettings.model_validate(table) for name, table in tables.items()}}


async def test_signing_out_ends_all_tokens_of_the_session(
    serve: Serve, issuer: Issuer, token_dovecot: TokenDovecot
) -> None:
    user = token_dovecot.user()
    async with serve() as [replica]:
        session = await sign_in(replica, user, refreshToken=issuer.grant(user))
        device = Device(session)
        issuer.forget_access(user)
        await replica.app.state.service.accounts.aclose()
        await device.get(replica)
        assert device.token != session["token"]
        assert (await device.request(replica, "DELETE", "/v1/sessions/current")).status_code == 204
        for token in (session["token"], device.token):
            answer = await Device({"token": token}).get(replica)
            assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated")
            assert "Casella-Token" not in answer.headers
    assert issuer.asked["refresh_token"] == 2


async def test_a_link_to_a_part_never_uses_up_the_refresh_token(
    serve: Serve, issuer: Issuer, token_dovecot: TokenDovecot
) -> None:
    """Nobody would read the new session token from the answer to an image."""
    user = token_dovecot.user()
    token_dovecot.seed(user, [(PICTURE, (), None)])
    async with serve(2) as [one, other]:
        device = await Device.signed_in(one, user, refreshToken=issuer.grant(user))
        [row] = (await device.get(one, INBOX)).json()["items"]
        html = (await device.get(one, f"{ME}/messages/{row['id']}")).json()["body"]["html"]
        link = html.split('src="')[1].split('"')[0].replace("&amp;", "&")
        shown = await other.get(link)
        assert (shown.status_code, shown.content) == (200, b"GIF89a")
        issuer.forget_access(user)
        await other.app.state.service.accounts.aclose()
        assert (await other.get(link)).status_code == 401
        assert issuer.asked["refresh_token"] == 1
        assert (await device.get(other)).status_code == 200  # which has the refresh token


PICTURE = (
    b"From: ann@example.org\r\nSubject: picture\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n"
    b'--b\r\nContent-Type: text/html\r\n\r\n<img src="cid:one">\r\n'
    b"--b\r\nContent-Type: image/gif\r\nContent-ID: <one>\r\nContent-Transfer-Encoding: base64\r\n\r\nR0lGODlh\r\n--b--\r\n"
)
