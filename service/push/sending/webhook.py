"""Signed webhooks for back ends, by the header fields of Standard Webhooks."""

import hmac
from base64 import b64encode
from datetime import datetime
from secrets import token_hex

from service.push.model import Notice, Subscription
from service.push.sending.exchange import Answer, NotPossible, Post, Transport, Verdict, usual_verdict
from service.push.sending.payload import octets, payload
from service.push.webhook_secrets import key_in


class Webhook:
    """Implements ``Courier``."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    async def post(self, subscription: Subscription, notice: Notice, now: datetime) -> Post:
        key = key_in(subscription.secret)
        if not key:
            raise NotPossible
        body, name, seconds = octets(payload(notice)), f"msg_{token_hex(12)}", str(int(now.timestamp()))
        signed = hmac.digest(key, b".".join((name.encode(), seconds.encode(), body)), "sha256")
        headers = {
            "Content-Type": "application/json",
            "Webhook-Id": name,
            "Webhook-Timestamp": seconds,
            "Webhook-Signature": f"v1,{b64encode(signed).decode()}",
        }
        return Post(subscription.endpoint, headers, body)

    def verdict(self, answer: Answer) -> Verdict:
        return usual_verdict(answer)
