"""Apple's push service: HTTP/2, with a token key of the operator's own team."""

import json
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from service.push.model import Change, Event, Notice, SignInAgain, Subscription
from service.push.sending.exchange import Answer, Post, Transport, Verdict, usual_verdict
from service.push.sending.payload import octets, payload, topic, ttl

_BASE = "https://api.push.apple.com"
_SANDBOX = "https://api.sandbox.push.apple.com"
_TOKEN_SECONDS = 40 * 60
"""Apple takes tokens of at most an hour, and no new one within 20 minutes."""
_STALE = frozenset({"ExpiredProviderToken"})
ALERT_KEYS = ("CASELLA_NEW_MAIL", "CASELLA_SIGN_IN")
"""What the app's Localizable.strings translate, if its notification service extension does not replace the text."""


@dataclass(frozen=True, slots=True)
class TeamKey:
    """A key for tokens: Apple's .p8 file, its id, the team, and the app (its bundle id)."""

    key: ECKey = field(repr=False)
    key_id: str
    team_id: str
    topic: str
    sandbox: bool = False


class Apns:
    """Implements ``Courier``. ``base`` differs in tests only."""

    def __init__(self, transport: Transport, key: TeamKey, base: str | None = None) -> None:
        self.transport = transport
        self._key = key
        self._base = base or (_SANDBOX if key.sandbox else _BASE)
        self._token, self._made = "", 0.0

    async def post(self, subscription: Subscription, notice: Notice, now: datetime) -> Post:
        shown = _shown(notice)
        headers = {
            "Authorization": f"bearer {self._signed()}",
            "Apns-Topic": self._key.topic,
            "Apns-Push-Type": "alert" if shown else "background",
            "Apns-Priority": "10" if shown else "5",
            "Apns-Expiration": str(int(now.timestamp()) + ttl(subscription, notice, now)),
            "Content-Type": "application/json",
        }
        if (collapsed := topic(notice)) is not None:
            headers["Apns-Collapse-Id"] = collapsed
        aps: dict[str, Any] = {"content-available": 1}
        if shown:
            aps = {"alert": {"loc-key": shown}, "sound": "default", "mutable-content": 1}
        url = f"{self._base}/3/device/{subscription.endpoint}"
        return Post(url, headers, octets({"aps": aps, "casella": payload(notice)}))

    def verdict(self, answer: Answer) -> Verdict:
        """410 is Unregistered. 400 BadDeviceToken may be one of the other environment, so it counts as a failure."""
        if answer.status == 403 and _reason(answer) in _STALE:
            self._made = 0.0
            return Verdict.LATER
        return usual_verdict(answer)

    def _signed(self) -> str:
        now = time.time()
        if now > self._made + _TOKEN_SECONDS:
            head = {"alg": "ES256", "kid": self._key.key_id}
            self._token = jwt.encode(head, {"iss": self._key.team_id, "iat": int(now)}, self._key.key)
            self._made = now
        return self._token


def _shown(notice: Notice) -> str | None:
    """The key of the text of a notification; None for a push that only wakes the app."""
    match notice:
        case Change() if Event.CREATED in notice.events:
            return ALERT_KEYS[0]
        case SignInAgain():
            return ALERT_KEYS[1]
    return None


def _reason(answer: Answer) -> str | None:
    try:
        said = json.loads(answer.body)
    except ValueError:
        return None
    return said.get("reason") if isinstance(said, dict) else None
