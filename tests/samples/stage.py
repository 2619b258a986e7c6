"""A mailbox of its own for each sample, with everything that the sample names, on a service that runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import httpx

from service.api.openapi.examples import (
    CODE,
    ENDPOINT,
    EXAMPLES,
    FETCH,
    MARK,
    MESSAGE,
    NEW_DRAFT,
    SETTINGS_ETAG,
    SUBSCRIPTION,
    THREAD,
    WORK,
)
from service.api.openapi.samples import HOST
from service.app import create_app
from service.settings.model import Settings
from tests.api.conftest import PARTS
from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import PASSWORD
from tests.servers.process import HOST as LOOPBACK
from tests.servers.push import Phone, PushDouble
from tests.servers.submission import SendingDovecot

Operation = dict[str, Any]
FILES = {
    "message.eml": b"From: ann@example.org\r\nSubject: Lunch\r\n\r\nAt noon?\r\n",
    "expenses.csv": b"date,amount\r\n",
}
"""The files that samples send."""
OLD: dict[str, str] = EXAMPLES["NewFetch"]["from"]
"""The mailbox that mail comes from."""
NO_ENDPOINT = f"http://{LOOPBACK}:65534/push"
"""Nobody answers there."""
OF_FETCHES = {"getFetch", "deleteFetch"}
OF_SUBSCRIPTIONS = {"verifySubscription", "deleteSubscription"}


@cache
def contract() -> dict[str, Any]:
    return create_app(Settings(servers={})).openapi()


def operations() -> dict[str, Operation]:
    """Those of the contract, by operationId."""
    paths = contract()["paths"]
    return {one["operationId"]: one for methods in paths.values() for one in methods.values()}


def has_sample(operation: Operation, label: str) -> bool:
    return any(each["label"] == label for each in operation["x-codeSamples"])


def sample(operation: Operation, label: str) -> str:
    """The sample of that label."""
    [source] = [str(each["source"]) for each in operation["x-codeSamples"] if each["label"] == label]
    return source


def sending_service(dovecot: SendingDovecot, folder: Path) -> Replica:
    """Casella in front of a Dovecot that also sends and keeps METADATA, with a store in this folder. The same Dovecot by
    POP3 is the server ``old``."""
    smtp = {"HOST": LOOPBACK, "PORT": str(dovecot.submission), "SECURITY": "none"}
    env = {f"CASELLA_SERVERS__HOME__SMTP__{name}": value for name, value in smtp.items()}
    env |= {"CASELLA_PUSH__DOVECOT__SECRETS": token_urlsafe(24), "CASELLA_PUSH__NETWORKS": f"{LOOPBACK}/32"}
    env |= {"CASELLA_STORE__URL": f"sqlite:///{folder / 'casella.db'}"}
    old = {"HOST": LOOPBACK, "PORT": str(dovecot.ports.pop3), "SECURITY": "none"}
    env |= {f"CASELLA_SERVERS__OLD__POP3__{name}": value for name, value in old.items()}
    return Replica(environment(dovecot, secret_keys=token_urlsafe(32)) | env)


@dataclass(frozen=True)
class Stage:
    """``values`` are what stands in place of the example values of the contract."""

    token: str
    values: dict[str, str]

    def set(self, source: str) -> str:
        """The sample with values that exist."""
        for example, value in self.values.items():
            source = source.replace(example, value)
        return source


async def stage_for(operation_id: str, url: str, dovecot: SendingDovecot) -> Stage:
    """A new mailbox with a message that has an attachment, a draft with one, and the folder Work with a grant; and with
    a phone that is not verified yet, if the operation needs one."""
    user = dovecot.user("sample")
    dovecot.seed(user, [(PARTS, (), None)])
    async with httpx.AsyncClient(base_url=f"{url}/v1", timeout=30) as client:
        session = (await client.post("/sessions", json={"username": user, "password": PASSWORD})).raise_for_status()
        token = session.json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        me = "/accounts/me"
        [row] = (await client.get(f"{me}/folders/inbox/messages?include=threadId")).json()["items"]
        folder = (await client.post(f"{me}/folders", json={"name": "Work"})).raise_for_status().json()["id"]
        grant = await client.put(f"{me}/folders/{folder}/acl/ben@example.org", json={"rights": "lr"})
        grant.raise_for_status()
        new = {**EXAMPLES["NewDraft"], "attachments": [{"messageId": row["id"], "partId": "2"}]}
        draft = (await client.post(f"{me}/drafts", json=new)).raise_for_status().json()["id"]
        scope = f"{me}/folders/inbox" if operation_id == "listChanges" else me
        settings = (await client.get(f"{me}/settings")).raise_for_status().headers["etag"]
        ticket = (await client.post("/events/tickets", json={"tokens": [token]})).raise_for_status().json()["ticket"]
        mark = (await client.get(f"{scope}/changes")).raise_for_status().json()["token"]
        subscription, code = await _subscribed(client) if operation_id in OF_SUBSCRIPTIONS else ("", "")
        fetch = await _fetching(client, dovecot.user("old")) if operation_id in OF_FETCHES else ""
    login = EXAMPLES["NewSession"] if operation_id == "createSession" else {}
    signing_in = {value: {"username": user, "password": PASSWORD}[name] for name, value in login.items()}
    if operation_id == "importMail":
        old = EXAMPLES["NewImport"]["from"]
        signing_in |= {old["username"]: dovecot.user("old"), old["password"]: PASSWORD}
    values = {HOST: url, MESSAGE: row["id"], NEW_DRAFT: draft, WORK: folder, MARK: mark, **signing_in}
    values |= {THREAD: row["threadId"], SETTINGS_ETAG.strip('"'): settings.strip('"')}
    values |= {EXAMPLES["Session"]["token"]: token, EXAMPLES["EventTicket"]["ticket"]: ticket}
    values |= {OLD["username"]: dovecot.user("old"), OLD["password"]: PASSWORD, FETCH: fetch}
    values |= {ENDPOINT: NO_ENDPOINT, SUBSCRIPTION: subscription, CODE: code}
    return Stage(token, values)


async def _subscribed(client: httpx.AsyncClient) -> tuple[str, str]:
    """The id of a subscription, and the code that its phone got."""
    async with PushDouble() as double:
        phone = Phone(double)
        made = await client.post("/accounts/me/subscriptions", json=phone.subscription)
        code = (await phone.next())["verification"]["code"]
        return made.raise_for_status().json()["id"], code


async def _fetching(client: httpx.AsyncClient, user: str) -> str:
    """The id of a standing fetch."""
    new = {"from": {**OLD, "username": user, "password": PASSWORD}}
    made = await client.post("/accounts/me/fetches", json=new)
    return str(made.raise_for_status().json()["id"])


def write_files(folder: Path) -> None:
    """The files that samples send."""
    for name, content in FILES.items():
        (folder / name).write_bytes(content)


def missing(operation: Operation, answer: Any) -> Iterator[str]:
    """The fields that the contract promises and ``answer`` lacks."""
    schemas = contract()["components"]["schemas"]
    success = next(each for status, each in operation["responses"].items() if status < "300")
    name = success["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    yield from set(schemas[name].get("required", ())) - set(answer)
