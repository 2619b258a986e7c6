"""Firebase Cloud Messaging, HTTP v1: with the service account of the operator's own project."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey

from service.push.model import Notice, Subscription
from service.push.sending.exchange import Answer, Post, Transport, Unreachable, Verdict, usual_verdict
from service.push.sending.payload import is_urgent, octets, payload, topic, ttl

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_BASE = "https://fcm.googleapis.com"
_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EARLIER = 300.0
_MAX_TTL = 28 * 24 * 3600
MEMBER = "casella"
"""The member of the data message that has the payload, as JSON."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """What Google's key file says."""

    project_id: str
    client_email: str
    private_key: RSAKey = field(repr=False)
    private_key_id: str
    token_uri: str

    @classmethod
    def read(cls, text: str) -> "ServiceAccount":
        """Raises ValueError, without what is in the file."""
        try:
            values = json.loads(text)
            project, email, key_id = (str(values[name]) for name in ("project_id", "client_email", "private_key_id"))
            key = RSAKey.import_key(values["private_key"])
            return cls(project, email, key, key_id, str(values.get("token_uri", _TOKEN_URI)))
        except Exception:
            raise ValueError("it is the JSON file of a service account's key") from None


class Fcm:
    """Implements ``Courier``. ``base`` differs in tests only."""

    def __init__(self, transport: Transport, account: ServiceAccount, base: str = _BASE) -> None:
        self.transport = transport
        self._account = account
        self._url = f"{base}/v1/projects/{account.project_id}/messages:send"
        self._token, self._ends = "", 0.0
        self._asking = asyncio.Lock()

    async def post(self, subscription: Subscription, notice: Notice, now: datetime) -> Post:
        seconds = min(ttl(subscription, notice, now), _MAX_TTL)
        android = {"priority": "HIGH" if is_urgent(notice) else "NORMAL", "ttl": f"{seconds}s"}
        if (collapsed := topic(notice)) is not None:
            android["collapse_key"] = collapsed
        data = {MEMBER: octets(payload(notice)).decode()}
        message = {"token": subscription.endpoint, "data": data, "android": android}
        headers = {"Authorization": f"Bearer {await self._access()}", "Content-Type": "application/json"}
        return Post(self._url, headers, octets({"message": message}))

    def verdict(self, answer: Answer) -> Verdict:
        """404 is UNREGISTERED. The token of a request that was refused is not used again."""
        if answer.status == 401:
            self._ends = 0.0
            return Verdict.LATER
        return usual_verdict(answer)

    async def _access(self) -> str:
        """An access token (RFC 7523), kept until five minutes before it ends. Raises Unreachable."""
        async with self._asking:
            if time.monotonic() >= self._ends:
                self._token, seconds = await self._ask()
                self._ends = time.monotonic() + max(60.0, seconds - _EARLIER)
            return self._token

    async def _ask(self) -> tuple[str, float]:
        account, now = self._account, int(time.time())
        claims = {"iss": account.client_email, "scope": SCOPE, "aud": account.token_uri, "iat": now, "exp": now + 3600}
        head = {"typ": "JWT", "alg": "RS256", "kid": account.private_key_id}
        asked = {"grant_type": _GRANT, "assertion": jwt.encode(head, claims, account.private_key, algorithms=["RS256"])}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await self.transport.post(Post(account.token_uri, headers, urlencode(asked).encode()))
        try:
            said = json.loads(answer.body)
            if answer.status == 200 and isinstance(said["access_token"], str):
                return said["access_token"], float(said.get("expires_in", 3600))
        except (ValueError, KeyError, TypeError):
            pass
        raise Unreachable
