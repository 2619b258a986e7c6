"""Web Push (RFC 8030, 8291, 8292), which is also what UnifiedPush speaks."""

from datetime import datetime

from service.push.model import Notice, Subscription
from service.push.sending.encryption import encrypt, padding_of
from service.push.sending.exchange import Answer, NotPossible, Post, Transport, Verdict, usual_verdict
from service.push.sending.payload import is_urgent, octets, payload, topic, ttl
from service.push.vapid import VapidKeys


class WebPush:
    """Implements ``Courier``."""

    def __init__(self, transport: Transport, keys: VapidKeys) -> None:
        self.transport = transport
        self._keys = keys

    async def post(self, subscription: Subscription, notice: Notice, now: datetime) -> Post:
        keys, said = subscription.keys, octets(payload(notice, is_encrypted=True))
        if keys is None or subscription.vapid_key not in self._keys:
            raise NotPossible
        headers = {
            "Authorization": self._keys.authorization(subscription.vapid_key, subscription.endpoint),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(ttl(subscription, notice, now)),
            "Urgency": "high" if is_urgent(notice) else "normal",
        }
        if (collapsed := topic(notice)) is not None:
            headers["Topic"] = collapsed
        return Post(subscription.endpoint, headers, encrypt(said, keys, padding=padding_of(said)))

    def verdict(self, answer: Answer) -> Verdict:
        return usual_verdict(answer)
