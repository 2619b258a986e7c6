"""``wake.py URL USERNAME PASSWORD PUSH KEYS BODY SECRET ID STAMP SIGNATURE WEBHOOK`` verifies and renews a subscription by
a push, decrypts another, and verifies a webhook. It prints what came of it as JSON."""

import json
import sys
from base64 import b64decode

from casella_client import Casella, PushKeys, Verification, read_push, verify_webhook

url, username, password, push, keys, body, secret, identity, stamp, signature, webhook = sys.argv[1:]
casella = Casella(url, username=username, password=password)
headers = {"Webhook-Id": identity, "Webhook-Timestamp": stamp, "Webhook-Signature": signature}
device = PushKeys(keys)


def is_refused(octets: bytes, when: float | None = None) -> bool:
    try:
        verify_webhook(secret, headers, octets, when)
    except ValueError:
        return True
    return False


def is_for_another() -> bool:
    try:
        PushKeys().decrypt(b64decode(body))
    except ValueError:
        return True
    return False


confirmed = casella.confirm(read_push(push))
assert confirmed is not None
print(
    json.dumps(
        {
            "confirmed": confirmed.id,
            "renewed": [casella.renew(confirmed), casella.renew(Verification("p_none", "code"))],
            "again": PushKeys(device.export()).keys == device.keys,
            "decrypted": [device.decrypt(b64decode(body)).sender, is_for_another()],
            "webhook": [
                verify_webhook(secret, headers, webhook.encode()).account,
                is_refused(b"{}"),
                is_refused(webhook.encode(), 0),
            ],
        }
    )
)
