"""People who do all that can be done with mail, and look closely at what they are told."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.soak.faults import Faults
from tests.soak.mail import MARK, Account, number_in

DEADLINE = 60.0
"""By which every answer has come to its end."""
KEPT = (20, 60)
"""Below so many messages only new ones come, above only go."""
ME = "/v1/accounts/me"
GONE = frozenset({404, 409, 410})
"""Others do something with the same messages."""
TROUBLE = frozenset({429, 502, 503, 504})
"""What the faults may come to."""


class Wrong(Exception):
    """An answer that must not be."""


@dataclass
class Report:
    """What came of all requests."""

    answers: Counter[int] = field(default_factory=Counter)
    by_action: Counter[str] = field(default_factory=Counter)
    broken_off: int = 0
    left: int = 0
    events: int = 0
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)
    errors: list[bytes] = field(default_factory=list)
    """Bodies of all answers that are none of success."""
    tokens: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return sum(self.answers.values()) + self.broken_off + self.left


class Client:
    """One of the people who use an account. ``report`` has what they saw."""

    def __init__(
        self, http: httpx.AsyncClient, account: Account, faults: Faults, report: Report, password: str
    ) -> None:
        self._http = http
        self._account = account
        self._faults = faults
        self._report = report
        self._auth: httpx.Auth | None = httpx.BasicAuth(account.user, password)
        self._headers = {"Casella-Protocol": "pop3"} if account.is_pop3 else {}
        self._rows: list[tuple[str, int]] = []
        self._actions: list[Callable[[], Awaitable[None]]] = [
            *[self.list_messages] * 5, *[self.get] * 4, *[self.source] * 3, *[self.part] * 3, self.delete,
        ]  # fmt: skip
        if not account.is_pop3:
            self._actions += [
                *[self.flag] * 3, *[self.search] * 2, *[self.append] * 3, *[self.move] * 2, self.copy, self.many,
                self.changes, self.folders,
            ]  # fmt: skip

    @property
    def is_pop3(self) -> bool:
        return self._account.is_pop3

    async def sign_in(self, password: str) -> None:
        """By a token from now on."""
        body = {"username": self._account.user, "password": password}
        if self._account.is_pop3:
            body["protocol"] = "pop3"
        answer = await self._http.post("/v1/sessions", json=body)
        answer.raise_for_status()
        token = answer.json()["token"]
        self._report.tokens.append(token)
        self._auth, self._headers = None, {"Authorization": f"Bearer {token}"}

    async def visit(self) -> None:
        """A list, then one action of all."""
        await self._do(self.list_messages)
        await self.act()

    async def act(self) -> None:
        """One of all, on one of the messages listed last."""
        await self._do(random.choice(self._actions) if self._rows else self.list_messages)

    async def _do(self, action: Callable[[], Awaitable[None]]) -> None:
        self._report.by_action[getattr(action, "__name__", "")] += 1
        try:
            async with asyncio.timeout(DEADLINE):
                await action()
        except TimeoutError:
            self._report.wrong.append(f"{self._report.by_action} not done in {DEADLINE} s")
        except Wrong as wrong:
            self._report.wrong.append(str(wrong))

    async def list_messages(self) -> None:
        folder = "inbox" if self._account.is_pop3 else random.choice(["inbox", "inbox", "archive"])
        fields = "" if self._account.is_pop3 else random.choice(["", "&fields=id,subject,preview,threadId"])
        answer = await self._ask("GET", f"/folders/{folder}/messages?limit={random.choice([10, 50, 200])}{fields}")
        if answer is not None:
            self._take(answer.json()["items"])

    async def search(self) -> None:
        _, number = random.choice(self._rows)
        body = {"filter": {"subject": self._account.subject(number)}}
        answer = await self._ask("POST", "/search", json=body)
        if answer is not None:
            for row in answer.json()["items"]:
                self._is(row["subject"].startswith(self._account.subject(number)), "found what nobody looked for")

    async def get(self) -> None:
        message, number = random.choice(self._rows)
        answer = await self._ask("GET", f"/messages/{message}")
        if answer is not None:
            found = answer.json()
            self._is(found["subject"] == self._account.subject(number), "another subject")
            self._is(
                found["body"].get("text", "").strip() == self._account.text(number),
                f"another text: {answer.text[:3000]}",
            )

    async def source(self) -> None:
        message, number = random.choice(self._rows)
        answer = await self._ask("GET", f"/messages/{message}/source")
        if answer is not None:
            self._same(answer, self._account.source(number))

    async def part(self) -> None:
        message, number = random.choice(self._rows)
        answer = await self._ask("GET", f"/messages/{message}/parts/2")
        if answer is not None:
            self._same(answer, self._account.file(number))

    async def flag(self) -> None:
        message, _ = random.choice(self._rows)
        change = random.choice(["add", "remove"])
        await self._ask("PATCH", f"/messages/{message}/flags", json={change: [random.choice(["$seen", "$flagged"])]})

    async def append(self) -> None:
        if self._account.given - len(self._account.given_up) > KEPT[1]:
            return
        number = self._account.new()
        answer = await self._ask(
            "POST", "/folders/inbox/messages", content=self._account.source(number),
            headers={"Content-Type": "message/rfc822", "Idempotency-Key": uuid4().hex},
        )  # fmt: skip
        if answer is not None:
            self._account.stored.add(number)
            self._account.numbers.setdefault(answer.json()["id"], number)

    async def move(self) -> None:
        message, _ = random.choice(self._rows)
        await self._ask("POST", f"/messages/{message}/move", json={"folderId": random.choice(["inbox", "archive"])})

    async def copy(self) -> None:
        """And away with what there was: the mailbox is not to grow."""
        message, _ = random.choice(self._rows)
        if await self._ask("POST", f"/messages/{message}/copy", json={"folderId": "archive"}) is not None:
            await self._ask("DELETE", f"/messages/{message}")

    async def delete(self) -> None:
        if self._account.given - len(self._account.given_up) < KEPT[0]:
            return
        message, number = random.choice(self._rows)
        self._account.given_up.add(number)
        await self._ask("DELETE", f"/messages/{message}")

    async def many(self) -> None:
        rows = random.sample(self._rows, min(5, len(self._rows)))
        body = {"ids": [message for message, _ in rows], "action": "flags", "add": ["$seen"]}
        answer = await self._ask("POST", "/messages/bulk", json=body)
        if answer is not None:
            told = {one["status"] for one in answer.json()["results"]}
            self._is(told <= {200} | GONE | TROUBLE, f"many were answered {told}")

    async def changes(self) -> None:
        answer = await self._ask("GET", "/folders/inbox/changes")
        if answer is not None:
            await self._ask("GET", "/folders/inbox/changes", params={"since": answer.json()["token"]})

    async def folders(self) -> None:
        await self._ask("GET", "/folders")

    async def listen(self, until: asyncio.Event) -> None:
        """To the events, for as long as it lasts, again and again."""
        last: str | None = None
        while not until.is_set():
            headers = self._headers | ({"Last-Event-ID": last} if last else {})
            with suppress(httpx.TransportError):
                async with self._http.stream("GET", f"{ME}/events", auth=self._auth, headers=headers) as answer:
                    if answer.status_code != 200:
                        self._note(answer.status_code, await answer.aread())
                        await asyncio.sleep(0.5)
                        continue
                    async for line in answer.aiter_lines():
                        self._of_the_account(line.encode())
                        self._report.events += line.startswith("event:")
                        last = line[4:] if line.startswith("id: ") else last

    def _take(self, rows: list[dict[str, Any]]) -> None:
        found = []
        for row in rows:
            self._is(row.get("subject", "").startswith(self._account.canary), f"a row of nothing: {row}")
            number = number_in(row["subject"])
            known = self._account.numbers.setdefault(row["id"], number)
            self._is(known == number, f"an id of {known} became one of {number}")
            found.append((row["id"], number))
        self._rows = found

    async def _ask(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        """None where there is nothing to look at: a fault, or a message that is gone."""
        headers = self._headers | more.pop("headers", {})
        asked = asyncio.ensure_future(self._http.request(method, ME + path, auth=self._auth, headers=headers, **more))
        if self._faults.drawn():
            await asyncio.wait([asked], timeout=random.uniform(0, 0.03))
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            self._report.left += 1
            return None
        began = time.monotonic()
        try:
            answer = await asked
        except httpx.TransportError:
            self._report.broken_off += 1
            return None
        self._report.slowest = max(self._report.slowest, time.monotonic() - began)
        self._note(answer.status_code, answer.content)
        return answer if answer.is_success else None

    def _note(self, status: int, body: bytes) -> None:
        self._report.answers[status] += 1
        self._of_the_account(body)
        if status >= 300:
            self._report.errors.append(body)
            self._is(status in GONE | TROUBLE, f"answered {status}: {body.decode(errors='replace')[:500]}")
            self._is(json.loads(body)["status"] == status, "a problem of another status")

    def _same(self, answer: httpx.Response, octets: bytes) -> None:
        got = answer.content
        at = next((at for at, (one, other) in enumerate(zip(got, octets, strict=False)) if one != other), min(len(got), len(octets)))  # fmt: skip
        self._is(got == octets, f"{answer.url.path}: {len(got)} octets instead of {len(octets)}, other ones from {at}: {got[at:at + 100]!r}, {answer.headers}")  # fmt: skip

    def _of_the_account(self, body: bytes) -> None:
        foreign = set(MARK.findall(body)) - {self._account.canary.encode()}
        self._is(not foreign, "somebody else's mail")

    def _is(self, true: bool, otherwise: str) -> None:
        if not true:
            raise Wrong(f"{self._account.user}: {otherwise}")
