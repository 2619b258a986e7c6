"""FCM and APNs, by the keys of an operator's own apps, on doubles that check what Google and Apple do."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from service.accounts.address_policy import AddressPolicy
from service.push.model import Event, Kind, Outcome, Verification
from service.push.sending import pusher
from service.push.sending.apns import Apns, TeamKey
from service.push.sending.fcm import SCOPE, Fcm, ServiceAccount
from service.push.sending.pusher import Sender
from service.push.sending.transport import HttpTransport
from tests.push.sending import made
from tests.push.sending.made import CHANGE, HERE
from tests.servers.process import HOST
from tests.servers.push import PushDouble, Received
from tests.servers.tls import make_certificate

TOKEN = "fcm-token:" + "a" * 100
DEVICE = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pusher, "WAITS", (0.0, 0.01, 0.02))


@dataclass
class Google:
    """The endpoint for tokens, and that for messages."""

    key: RSAKey
    url: str = ""
    token: str = "ya29.first"
    asked: int = 0
    status: int = 200
    messages: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, received: Received) -> tuple[int, bytes]:
        if received.path == "/token":
            return self._token(received)
        assert received.path == "/v1/projects/mail-of-ann/messages:send"
        if received.headers["authorization"] != f"Bearer {self.token}":
            return 401, b"{}"
        self.messages.append(json.loads(received.body)["message"])
        return self.status, b"{}"

    def _token(self, received: Received) -> tuple[int, bytes]:
        asked = parse_qs(received.body.decode())
        assert asked["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        token = jwt.decode(asked["assertion"][0], self.key, algorithms=["RS256"])
        assert token.header["kid"] == "key-1"
        assert (token.claims["iss"], token.claims["scope"]) == ("casella@example.org", SCOPE)
        assert token.claims["aud"] == f"{self.url}/token"
        self.asked += 1
        return 200, json.dumps({"access_token": self.token, "expires_in": 3600}).encode()


async def test_fcm_sends_a_data_message_with_one_access_token_for_many(double: PushDouble) -> None:
    key = RSAKey.generate_key(2048)
    google = Google(key, double.url)
    double.answer = google.answer
    values = {
        "project_id": "mail-of-ann",
        "client_email": "casella@example.org",
        "private_key_id": "key-1",
        "private_key": key.as_pem(private=True).decode(),
        "token_uri": f"{double.url}/token",
    }
    account = ServiceAccount.read(json.dumps(values))
    assert "PRIVATE" not in repr(account)
    sender = Sender({Kind.FCM: Fcm(made.transport(), account, double.url)})
    subscription = replace(made.at(TOKEN), kind=Kind.FCM)
    results = await asyncio.gather(*(sender.push(subscription, CHANGE) for _ in range(5)))
    assert (results, google.asked) == ([Outcome.DELIVERED] * 5, 1)
    message = google.messages[0]
    assert message["token"] == TOKEN
    assert message["android"]["priority"] == "HIGH"
    assert json.loads(message["data"]["casella"])["account"] == "account"
    google.token = "ya29.second"
    assert await sender.push(subscription, CHANGE) is Outcome.DELIVERED
    assert google.asked == 2
    for status, outcome in ((404, Outcome.GONE), (400, Outcome.FAILED), (503, Outcome.FAILED)):
        google.status = status
        assert await sender.push(subscription, CHANGE) is outcome
    await sender.aclose()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"private_key": "canary-key", "project_id": "a"}'])
def test_what_is_no_service_account_is_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="the JSON file of a service account") as caught:
        ServiceAccount.read(text)
    assert "canary" not in repr(caught.value)
    assert caught.value.__suppress_context__


@dataclass
class Apple:
    """APNs: HTTP/2 alone. It takes tokens of one key."""

    key: ECKey
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    received: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    port: int = 0

    @asynccontextmanager
    async def serving(self, context: ssl.SSLContext) -> AsyncIterator[str]:
        context.set_alpn_protocols(["h2"])
        server = await asyncio.start_server(self._serve, HOST, 0, ssl=context)
        async with server:
            yield f"https://localhost:{server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        heads: dict[int, dict[str, str]] = {}
        bodies: dict[int, bytes] = {}
        writer.write(connection.data_to_send())
        while octets := await reader.read(65536):
            for event in connection.receive_data(octets):
                match event:
                    case RequestReceived():
                        heads[event.stream_id] = {str(name): str(value) for name, value in event.headers}
                    case DataReceived():
                        bodies[event.stream_id] = bodies.get(event.stream_id, b"") + event.data
                    case StreamEnded():
                        status, body = self._answer(heads[event.stream_id], bodies[event.stream_id])
                        connection.send_headers(event.stream_id, [(":status", str(status))], end_stream=not body)
                        if body:
                            connection.send_data(event.stream_id, body, end_stream=True)
            writer.write(connection.data_to_send())
        writer.close()

    def _answer(self, head: dict[str, str], body: bytes) -> tuple[int, bytes]:
        token = jwt.decode(head["authorization"].removeprefix("bearer "), self.key)
        assert token.header["kid"] == "KEY1234567"
        assert token.claims["iss"] == "TEAM123456"
        self.tokens.add(head["authorization"])
        self.received.append((head, json.loads(body)))
        return self.answers.pop(0) if self.answers else (200, b"")


async def test_apns_gets_http_2_with_one_token_for_many(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path), ECKey.generate_key("P-256")
    apple = Apple(key)
    context = ssl.create_default_context(cafile=certificate.ca_file)
    async with apple.serving(certificate.server_context()) as url:
        carrier = HttpTransport(AddressPolicy(HERE, _here), http2=True, context=context)
        team = TeamKey(key, "KEY1234567", "TEAM123456", "org.example.mail")
        sender = Sender({Kind.APNS: Apns(carrier, team, url)})
        subscription = replace(made.at(DEVICE), kind=Kind.APNS)
        results = await asyncio.gather(*(sender.push(subscription, CHANGE) for _ in range(5)))
        assert (results, len(apple.tokens)) == ([Outcome.DELIVERED] * 5, 1)
        head, body = apple.received[0]
        assert (head[":path"], head["apns-topic"]) == (f"/3/device/{DEVICE}", "org.example.mail")
        assert (head["apns-push-type"], head["apns-priority"]) == ("alert", "10")
        assert body["aps"] == {"alert": {"loc-key": "CASELLA_NEW_MAIL"}, "sound": "default", "mutable-content": 1}
        assert body["casella"]["account"] == "account"
        for notice in (replace(CHANGE, events=frozenset({Event.UPDATED})), Verification("p_1", "code")):
            assert await sender.push(subscription, notice) is Outcome.DELIVERED
            head, body = apple.received[-1]
            assert (head["apns-push-type"], head["apns-priority"], body["aps"]) == (
                "background",
                "5",
                {"content-available": 1},
            )
        for status, reason, outcome in (
            (410, b"Unregistered", Outcome.GONE),
            (400, b"BadDeviceToken", Outcome.FAILED),
            (403, b"ExpiredProviderToken", Outcome.DELIVERED),
            (503, b"Shutdown", Outcome.DELIVERED),
        ):
            apple.answers = [(status, json.dumps({"reason": reason.decode()}).encode())]
            assert await sender.push(subscription, CHANGE) is outcome, reason
        assert len(apple.tokens) == 2
        await sender.aclose()


async def _here(_: str) -> list[str]:
    return [HOST]
