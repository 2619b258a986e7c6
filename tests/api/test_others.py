"""Every operation of the contract with values of another account: that account's data is neither shown nor changed."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx
import pytest

from service.app import create_app
from tests.api.conftest import mail, settings_for
from tests.api.others import (
    BODIES,
    CONDITIONS,
    FOREIGN,
    LISTED,
    MESSAGE,
    NEUTRAL,
    OF_NOBODY,
    REFUSED,
    Ask,
    ask,
    choices,
    key_of,
    operations,
)
from tests.api.served import listening
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST

ME = "/v1/accounts/me"
CANARY = "wombat-3f81"
"""Stands in everything that is theirs."""
MANY = 400
KEY = "of the other"
UNKNOWN = frozenset({403, 404, 410, 422})
PICTURE = (
    f"From: {CANARY} <other@example.org>\nSubject: {CANARY}\nMIME-Version: 1.0\n"
    "Content-Type: multipart/related; boundary=b\n\n"
    f"--b\nContent-Type: text/html\n\n<p>{CANARY}<img src='cid:p@example.org'></p>\n"
    f"--b\nContent-Type: image/png; name={CANARY}.png\nContent-ID: <p@example.org>\n\n{CANARY}\n--b--\n"
).replace("\n", "\r\n").encode()  # fmt: skip


@dataclass
class Party:
    """A client of one account, and a name of each kind that the account has."""

    client: httpx.AsyncClient
    names: dict[str, str]

    async def get(self, path: str, **more: Any) -> Any:
        answer = await self.client.get(ME + path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def service(dovecot: Dovecot) -> AsyncIterator[str]:
    """Its address: real, since a stream of events does not end by itself."""
    app = create_app(settings_for(dovecot))
    async with listening(app) as port:
        yield f"http://{HOST}:{port}"


@asynccontextmanager
async def party(service: str, user: str, protocol: str) -> AsyncIterator[Party]:
    headers = {"Casella-Protocol": protocol}
    async with httpx.AsyncClient(base_url=service, auth=(user, PASSWORD), headers=headers, timeout=30) as client:
        yield Party(client, {})


async def names_of(one: Party) -> dict[str, str]:
    """Ids, cursors, tokens, a ticket, tags and a key with what was done under it."""
    page = await one.client.get(f"{ME}/folders/inbox/messages", params={"limit": 1})
    first = page.json()["items"][0]
    at = f"{ME}/messages/{first['id']}"
    message, source = await one.client.get(at), await one.client.get(f"{at}/source")
    flags = await one.client.get(f"{at}/flags")
    _, _, ticket = message.json()["body"].get("html", "").partition("ticket=")
    folder = first["folderId"]
    return {
        **dict.fromkeys(
            ("folder", "folders", "folderId", "toFolderId", "parentId", "inMailbox", "inMailboxOtherThan"), folder
        ),
        **dict.fromkeys(("message", "id", "ids"), first["id"]),
        "account": (await one.get(""))["id"],
        "thread": await thread_of(one),
        "cursor": page.json()["nextCursor"],
        "ticket": ticket.partition('"')[0],
        "If-None-Match": ", ".join(tagged.headers.get("etag", '"x"') for tagged in (page, source)),
        "If-Range": source.headers["etag"],
        "If-Match": flags.headers.get("etag", '"x"'),
        "part": "1",
        "identifier": "third@example.org",
        "Idempotency-Key": KEY,
    }


async def thread_of(one: Party) -> str:
    """Of the newest message. A maildrop has none."""
    page = await one.client.get(f"{ME}/folders/inbox/messages", params={"limit": 1, "include": "threadId"})
    return page.json()["items"][0]["threadId"] if page.status_code == 200 else "t_eA"


async def tokens_of(one: Party, names: Mapping[str, str]) -> dict[str, str]:
    """Of changes; and what is done once under a key is done."""
    at = f"{ME}/messages/{names['message']}"
    target = {"folderId": names["folder"]}
    bulk = {"ids": [names["message"]], "action": "copy", **target}
    made = [
        await one.client.post(path, headers={"Idempotency-Key": key_of(KEY, path), **kind}, **body)
        for path, kind, body in (
            (f"{ME}/folders", {}, {"json": BODIES["NewFolder"]}),
            (f"{at}/copy", {}, {"json": target}),
            (f"{ME}/messages/bulk", {}, {"json": bulk}),
            (f"{ME}/folders/{names['folder']}/messages", {"Content-Type": "message/rfc822"}, {"content": MESSAGE}),
        )
    ]
    assert all(answer.is_success for answer in made), [answer.text for answer in made]
    token = (await one.get("/changes"))["token"]
    results = [answer.json() for answer in made]
    results[2:3] = [{"id": result["newId"]} for result in results[2]["results"]]
    return {f"made {number}": result["id"] for number, result in enumerate(results)} | {
        "since": token,
        "Last-Event-ID": token,
        "of a folder": (await one.get("/folders/inbox/changes"))["token"],
    }


async def answered(client: httpx.AsyncClient, one: Ask) -> tuple[httpx.Response, str]:
    """The answer and its text; of a stream the first event."""
    method, params, headers = one.operation.method.upper(), dict(one.query), dict(one.headers)
    async with client.stream(method, one.url, params=params, headers=headers, content=one.body) as answer:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            async for text in answer.aiter_text():
                return answer, text
        return answer, (await answer.aread()).decode("utf-8", "replace")


def faults(one: Ask, answer: httpx.Response, text: str, theirs: Mapping[str, str], *, has_all: bool) -> list[str]:
    """What is wrong with the answer to a request of mine."""
    sent, shown = f"{answer.request.url}{one.headers}{one.body!r}", f"{text}{answer.headers}"
    names = [name for kind, name in theirs.items() if kind not in CONDITIONS and len(name) > 12]
    is_told = CANARY in shown or any(name in shown and name not in sent for name in names)
    fits = _fits(one, answer, text) or (not has_all and answer.status_code == 501)
    return [f"{one}: {answer.status_code} {text[:300]}"] if is_told or not fits else []


def _fits(one: Ask, answer: httpx.Response, text: str) -> bool:
    """A name of the other account is unknown. Its state makes no difference, except for a stream: a client with a token
    of another account gets `resync`."""
    is_stream = one.operation.path.endswith("/events")
    named = one.foreign & REFUSED - ({"since"} if is_stream else set())
    if named:
        return answer.status_code in UNKNOWN | ({401} if "ticket" in named else set())
    if one.foreign & LISTED:
        return answer.status_code in UNKNOWN or _is_unknown(answer, text)
    if is_stream and one.foreign:
        return answer.is_success and "event: resync" in text
    return answer.is_success or (answer.status_code == 412 and "If-Match" in one.foreign)


def _is_unknown(answer: httpx.Response, text: str) -> bool:
    """Each of what was listed is; a folder that is left out of a search leaves nothing out."""
    body = json.loads(text)
    results = [result["status"] for result in body.get("results", ())]
    return answer.is_success and set(results) <= UNKNOWN and (bool(results) or not body.get("items") or "total" in body)


async def seen(one: Party) -> list[Any]:
    """All that a client can tell of a mailbox."""
    folders = (await one.get("/folders"))["items"]
    pages = [await one.get(f"/folders/{folder['id']}/messages", params={"limit": 200}) for folder in folders]
    return [folders, *pages]


async def settled(one: Party, *, has_all: bool) -> list[Any]:
    """Once the POP3 session has ended in which a message was read, as Dovecot says of it."""
    async with asyncio.timeout(20):
        while (
            (found := await seen(one)) and not has_all and found[0][0]["unreadMessages"] == found[0][0]["totalMessages"]
        ):
            await asyncio.sleep(0.05)
    return found


def test_every_value_of_the_contract_is_classified_as_of_an_account_or_not() -> None:
    """R-HTTP-40: a new route, parameter or member of a body has to be put into the sweep."""
    for operation in operations():
        assert operation.name in OF_NOBODY or operation.foreign, f"{operation.name} is not swept"
        if operation.name not in OF_NOBODY:
            new = (operation.parameters.keys() | operation.members) - FOREIGN - NEUTRAL
            assert new == set(), f"{operation.name} has {new}: put it into FOREIGN or NEUTRAL"
            assert operation.schema is None or operation.schema in BODIES, f"{operation.schema}: put it into BODIES"
    assert {operation.name for operation in operations()} >= OF_NOBODY
    assert not FOREIGN & NEUTRAL
    assert not REFUSED & CONDITIONS


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
async def test_no_operation_shows_or_changes_data_of_another_account(
    service: str, dovecot: Dovecot, protocol: str
) -> None:
    """R-HTTP-12, R-HTTP-40: ids, cursors, tokens, tickets, tags and keys, one, two and all at once, by every operation.
    With nothing of theirs each works."""
    has_all = protocol == "imap"
    users = dovecot.user(), dovecot.user()
    dovecot.seed(users[0], ((mail(f"mine {number}"), (), None) for number in range(MANY)))
    dovecot.seed(users[1], [(PICTURE, (), None)] * 3)
    async with party(service, users[0], protocol) as mine, party(service, users[1], protocol) as theirs, party(
        service, users[1], "imap"
    ) as by_imap:  # fmt: skip
        theirs.names = await names_of(theirs)
        assert theirs.names["ticket"]
        theirs.names |= await tokens_of(by_imap, await names_of(by_imap))
        mine.names = await names_of(mine)
        account = mine.names["account"]
        mine.names |= {"Last-Event-ID": "", "since": "", "account": "me"}
        for one in known(theirs.names):
            answer, text = await answered(theirs.client, one)
            assert answer.is_success or not has_all, f"{one}: {text}"
        before = await settled(by_imap, has_all=has_all)
        found: list[str] = []
        async for one in asks(mine, theirs.names, has_all=has_all):
            answer, text = await answered(mine.client, one)
            found += faults(one, answer, text, theirs.names, has_all=has_all)
        assert not found, "\n".join(found)
        ticket = {"ticket": theirs.names["ticket"]}
        part = f"messages/{theirs.names['message']}/parts/2"
        by_link = [await mine.client.get(f"/v1/accounts/{of}/{part}", params=ticket) for of in (account, "me")]
        assert [answer.status_code for answer in by_link] == [404, 200], "a ticket is for who has it, under its account"
        after = await seen(by_imap)
        assert json.dumps(after) == json.dumps(before)


def known(theirs: Mapping[str, str]) -> Iterator[Ask]:
    """What they can read by their own names: these are good ones. The ticket is for another part."""
    for operation in operations():
        if operation.name not in OF_NOBODY and operation.method == "get":
            for name in set(operation.foreign) & REFUSED - {"ticket"}:
                of_folder = {"since": theirs["of a folder"]} if "{folder}" in operation.path else {}
                yield ask(operation, frozenset({name}), theirs, {**theirs, **of_folder})


async def asks(mine: Party, theirs: Mapping[str, str], *, has_all: bool) -> AsyncIterator[Ask]:
    """Each has a message and, if it writes, a folder that no earlier request has used."""
    pages = [await mine.get("/folders/inbox/messages", params={"limit": 200})]
    pages.append(await mine.get("/folders/inbox/messages", params={"limit": 200, "cursor": pages[0]["nextCursor"]}))
    messages = [item["id"] for page in pages for item in page["items"]]
    numbers = count()
    for operation in operations():
        if operation.name in OF_NOBODY:
            continue
        for foreign in choices(operation):
            number = next(numbers)
            names = {**mine.names, **dict.fromkeys(("message", "id", "ids"), messages[number % MANY])}
            if has_all and operation.method != "get" and "folder" not in foreign:
                made = await mine.client.post(f"{ME}/folders", json={"name": f"mine {number}"})
                names["folder"] = made.json()["id"]
            for values in _each(theirs, foreign):
                yield ask(operation, foreign, names, values)


def _each(theirs: Mapping[str, str], foreign: frozenset[str]) -> list[Mapping[str, str]]:
    """Tokens are of two kinds."""
    folder = dict.fromkeys(("since", "Last-Event-ID"), theirs["of a folder"])
    return [theirs, {**theirs, **folder}] if foreign & folder.keys() else [theirs]
