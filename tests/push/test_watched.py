"""Mailboxes whose server reports nothing, by the API: the whole way from the subscription to the phone."""

import asyncio
from copy import copy
from pathlib import Path

import pytest

from tests.push.conftest import serving
from tests.push.test_deliveries import mail
from tests.servers.dovecot import Dovecot, Ports
from tests.servers.process import HOST, free_ports
from tests.servers.push import Phone, PushDouble
from tests.servers.reporting import ReportingDovecot

pytestmark = pytest.mark.dovecot


async def test_a_phone_is_woken_by_mail_of_a_server_that_reports_nothing(
    dovecot: Dovecot, double: PushDouble, tmp_path: Path
) -> None:
    """R-CONC-20: subscribed by HTTP, verified by the code of the first push, woken by APPEND, encrypted for the phone."""
    user, phone = dovecot.user(), Phone(double)
    async with serving(dovecot, user, store=f"sqlite:///{tmp_path}/casella.db", dovecot=None) as client:
        kinds = (await client.get("http://casella.example.org/v1/push", auth=None)).json()["kinds"]
        assert kinds == ["webpush", "webhook"]
        account = (await client.get("http://casella.example.org/v1/accounts/me")).json()
        assert "subscriptions" in account["capabilities"]
        made = (await client.post("/subscriptions", json=phone.subscription | {"alert": True})).json()
        assert made["source"] == "watch"
        code = (await phone.next())["verification"]["code"]
        place = f"/subscriptions/{made['id']}"
        assert (await client.post(place, json={"code": code})).json()["isVerified"]
        await asyncio.to_thread(dovecot.append, user, mail(7))
        said = await phone.next()
        assert (said["from"], said["subject"]) == ("Ann Exämple", "Lünch 7")
        assert (await client.delete(place)).status_code == 204
        assert (await client.get("/subscriptions")).json()["items"] == []


async def test_events_that_no_server_reports_are_watched(
    reporting: ReportingDovecot, double: PushDouble, tmp_path: Path
) -> None:
    """R-CONC-20: the same device is subscribed once, in the place that fits what it wants to hear of."""
    user, phone = reporting.user(), Phone(double)
    async with serving(reporting, user, store=f"sqlite:///{tmp_path}/casella.db") as client:
        first = (await client.post("/subscriptions", json=phone.subscription)).json()
        second = (
            await client.post("/subscriptions", json=phone.subscription | {"events": ["created", "updated"]})
        ).json()
        assert (first["source"], second["source"]) == ("server", "watch")
        assert [each["id"] for each in (await client.get("/subscriptions")).json()["items"]] == [second["id"]]


async def test_a_store_that_is_away_leaves_subscriptions_in_the_mailbox_alone(
    reporting: ReportingDovecot, double: PushDouble
) -> None:
    """R-OPS-41: what needs the store is 503, and nothing else."""
    user, phone, other = reporting.user(), Phone(double), Phone(double)
    [port] = free_ports(1)
    async with serving(reporting, user, store=f"postgresql://casella@{HOST}:{port}/casella") as client:
        made = await client.post("/subscriptions", json=phone.subscription)
        assert (made.status_code, made.json()["source"]) == (201, "server")
        code = (await phone.next())["verification"]["code"]
        place = f"/subscriptions/{made.json()['id']}"
        assert (await client.post(place, json={"code": code})).status_code == 200
        assert [each["id"] for each in (await client.get("/subscriptions")).json()["items"]] == [made.json()["id"]]
        missing = await client.delete("/subscriptions/p_0123456789abcdef")
        assert (missing.status_code, missing.json()["type"].rpartition("/")[2]) == (503, "store-unavailable")
        watched = await client.post("/subscriptions", json=other.subscription | {"events": ["updated"]})
        assert watched.status_code == 503
        assert (await client.get("/folders")).status_code == 200
        assert (await client.delete(place)).status_code == 204


async def test_a_password_that_no_server_confirmed_sees_and_changes_nothing(
    dovecot: Dovecot, double: PushDouble, tmp_path: Path
) -> None:
    """While the mail server is away nobody knows whether a password is right, and the store answers without it."""
    user, phone, away = dovecot.user(), Phone(double), copy(dovecot)
    away.ports = Ports(*free_ports(len(Ports._fields)))
    store = f"sqlite:///{tmp_path}/casella.db"
    async with serving(dovecot, user, store=store, dovecot=None) as client:
        made = (await client.post("/subscriptions", json=phone.subscription)).json()
        async with serving(away, user, store=store, dovecot=None) as guessing:
            guessing.auth = (user, "a guess")
            answers = [
                await guessing.get("/subscriptions"),
                await guessing.post("/subscriptions", json=Phone(double).subscription),
                await guessing.delete(f"/subscriptions/{made['id']}"),
                await guessing.get("/fetches"),
                await guessing.get("/people"),
            ]
        assert [answer.json()["type"] for answer in answers] == ["/problems/upstream-unavailable"] * len(answers)
        assert [each["id"] for each in (await client.get("/subscriptions")).json()["items"]] == [made["id"]]


async def test_ten_devices_are_watched_for_and_no_more(dovecot: Dovecot, double: PushDouble, tmp_path: Path) -> None:
    """Those that subscribe at the same time too."""
    user = dovecot.user()
    async with serving(dovecot, user, store=f"sqlite:///{tmp_path}/casella.db", dovecot=None) as client:
        wanted = [Phone(double).subscription for _ in range(12)]
        answers = await asyncio.gather(*(client.post("/subscriptions", json=each) for each in wanted))
        assert sorted(answer.status_code for answer in answers) == [201] * 10 + [422] * 2
        assert len((await client.get("/subscriptions")).json()["items"]) == 10
