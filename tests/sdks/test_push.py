"""What the SDKs do with pushes: verify and renew a subscription, decrypt, and verify webhooks."""

import json
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from secrets import token_urlsafe

import httpx
import pytest

from service.push.model import Alert
from tests.deploy.replica import Replica, environment
from tests.push.sending import made
from tests.sdks.built import PROGRAMS
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.push import Phone, PushDouble, text

pytestmark = [pytest.mark.sdks, pytest.mark.dovecot, pytest.mark.timeout(600)]
DECRYPTING = {"python", "java", "kotlin"}
VERIFYING = {"python", "typescript"}


def exported(phone: Phone) -> str:
    numbers = phone.key.public_key().public_numbers()
    point = b"\4" + numbers.x.to_bytes(32) + numbers.y.to_bytes(32)
    return ".".join(map(text, (phone.key.private_numbers().private_value.to_bytes(32), point, phone.auth)))


@pytest.mark.parametrize("language", PROGRAMS)
async def test_an_app_is_woken(language: str, metadata_dovecot: Dovecot, double: PushDouble) -> None:
    user, phone, sender = metadata_dovecot.user(), Phone(double), made.sender()
    change = replace(made.CHANGE, at=datetime.now(UTC), alert=Alert("Ann Exämple", "Lünch"))
    back_end = made.at(f"{double.url}/hook")
    await sender.push(made.of(phone), change)
    await sender.push(back_end, change)
    await sender.aclose()
    body, webhook = (await double.next(phone.path)).body, await double.next("/hook")
    env = environment(metadata_dovecot, secret_keys=token_urlsafe(32), push__networks="127.0.0.0/8")
    env["CASELLA_PUSH__DOVECOT__SECRETS"] = token_urlsafe(24)
    async with (
        Replica(env) as service,
        httpx.AsyncClient(base_url=service.url, auth=(user, PASSWORD), timeout=30) as client,
    ):
        created = (
            (await client.post("/v1/accounts/me/subscriptions", json=phone.subscription)).raise_for_status().json()
        )
        push = json.dumps(phone.opened(await double.next(phone.path)))
        signed = [webhook.headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature")]
        arguments = [push, exported(phone), b64encode(body).decode(), back_end.secret, *signed, webhook.body.decode()]
        said = json.loads(await PROGRAMS[language]("wake", service.url, user, PASSWORD, *arguments))
        [listed] = (await client.get("/v1/accounts/me/subscriptions")).json()["items"]
    assert listed["isVerified"]
    assert (said["confirmed"], said["renewed"]) == (created["id"], [True, False])
    if language in DECRYPTING:
        assert (said["again"], said["decrypted"]) == (True, ["Ann Exämple", True])
    if language in VERIFYING:
        assert said["webhook"] == ["account", True, True]
