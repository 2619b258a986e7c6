"""The same mailbox by JMAP and by REST: whatever either does at random, both see the same.

``CASELLA_JMAP_OPERATIONS=1000`` does more of it.
"""

import os
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from tests.jmap.clients import Jmap
from tests.jmap.letters import plain

OPERATIONS = int(os.environ.get("CASELLA_JMAP_OPERATIONS", "40"))
EVERY = 10
"""Operations between two comparisons."""
FLAGS = ("$seen", "$flagged", "$answered", "work")
ME = "/v1/accounts/me"
View = dict[str, tuple[frozenset[str], frozenset[str]]]
"""The mailboxes and keywords of each message, by its subject, which no other has."""


class Sides:
    """One account. ``folders`` has the REST id and the Mailbox id of each folder by name."""

    def __init__(self, jmap: Jmap, random: Random) -> None:
        self.jmap, self.random = jmap, random
        self.folders: dict[str, tuple[str, str]] = {}
        self.count = 0

    async def begin(self) -> None:
        for name in ("One", "Two"):
            await self.jmap.create_mailbox(name)
        items = (await self.jmap.http.get(f"{ME}/folders")).json()["items"]
        ids = {each["name"]: each["id"] for each in items}
        mailboxes = await self.jmap.mailboxes()
        self.folders = {name: (ids[name], mailboxes[name]["id"]) for name in ("INBOX", "Trash", "One", "Two")}

    async def rest_view(self) -> View:
        """Copies are told by their subject, and have the keywords of all of them."""
        view: View = {}
        for name, rows in (await self._rows()).items():
            for row in rows:
                folders, flags = view.get(row["subject"], (frozenset(), frozenset()))
                view[row["subject"]] = folders | {name}, flags | set(row["flags"])
        return view

    async def jmap_view(self) -> View:
        names = {mailbox: name for name, (_, mailbox) in self.folders.items()}
        reference = {"resultOf": "0", "name": "Email/query", "path": "/ids"}
        (_, query), (_, get) = await self.jmap.run(
            ("Email/query", {"calculateTotal": True}),
            ("Email/get", {"#ids": reference, "properties": ["subject", "mailboxIds", "keywords"]}),
        )
        assert query["total"] == len(query["ids"]) == len(get["list"])
        return {
            each["subject"]: (frozenset(names[box] for box in each["mailboxIds"]), frozenset(each["keywords"]))
            for each in get["list"]
        }

    async def _rows(self) -> dict[str, list[dict[str, Any]]]:
        rows = {}
        for name, (folder, _) in self.folders.items():
            rows[name] = (await self.jmap.http.get(f"{ME}/folders/{folder}/messages", params={"limit": 200})).json()[
                "items"
            ]
        return rows

    async def _message(self) -> dict[str, Any] | None:
        rows = [row for each in (await self._rows()).values() for row in each]
        return self.random.choice(rows) if rows else None

    async def _email(self) -> str | None:
        emails = await self.jmap.query()
        return self.random.choice(emails) if emails else None

    def _folder(self) -> tuple[str, str]:
        return self.folders[self.random.choice(list(self.folders))]

    async def rest_append(self) -> None:
        self.count += 1
        headers = {"Content-Type": "message/rfc822"}
        folder = self._folder()[0]
        await self.jmap.http.post(f"{ME}/folders/{folder}/messages", content=plain(f"m{self.count}"), headers=headers)

    async def jmap_import(self) -> None:
        self.count += 1
        boxes = {self._folder()[1] for _ in range(self.random.randint(1, 2))}
        await self.jmap.imported(plain(f"m{self.count}"), *boxes, keywords={self.random.choice(FLAGS): True})

    async def jmap_create(self) -> None:
        self.count += 1
        record = {"mailboxIds": {self._folder()[1]: True}, "subject": f"m{self.count}"}
        answer = await self.jmap.call("Email/set", create={"new": record})
        assert answer["notCreated"] is None

    async def rest_flags(self) -> None:
        if (row := await self._message()) is not None:
            change = {self.random.choice(("add", "remove")): [self.random.choice(FLAGS)]}
            answer = await self.jmap.http.patch(f"{ME}/messages/{row['id']}/flags", json=change)
            assert answer.status_code == 200

    async def jmap_keywords(self) -> None:
        if (email := await self._email()) is not None:
            patch = {f"keywords/{self.random.choice(FLAGS)}": self.random.choice((True, None))}
            await self._updated(email, patch)

    async def rest_move(self) -> None:
        if (row := await self._message()) is not None:
            verb = self.random.choice(("move", "copy"))
            answer = await self.jmap.http.post(
                f"{ME}/messages/{row['id']}/{verb}", json={"folderId": self._folder()[0]}
            )
            assert answer.status_code in {200, 201}

    async def jmap_move(self) -> None:
        if (email := await self._email()) is not None:
            boxes = {self._folder()[1] for _ in range(self.random.randint(1, 3))}
            await self._updated(email, {"mailboxIds": dict.fromkeys(boxes, True)})

    async def _updated(self, email: str, patch: dict[str, Any]) -> None:
        answer = await self.jmap.call("Email/set", update={email: patch})
        assert answer["notUpdated"] is None, answer

    async def rest_delete(self) -> None:
        if (row := await self._message()) is not None:
            assert (await self.jmap.http.delete(f"{ME}/messages/{row['id']}")).status_code == 204

    async def jmap_destroy(self) -> None:
        if (email := await self._email()) is not None:
            assert (await self.jmap.call("Email/set", destroy=[email]))["destroyed"] == [email]

    @property
    def operations(self) -> list[Callable[[], Awaitable[None]]]:
        writes = [self.rest_append, self.jmap_import, self.jmap_create]
        changes = [self.rest_flags, self.jmap_keywords, self.rest_move, self.jmap_move, self.jmap_move]
        return [*writes, *changes, self.rest_delete, self.jmap_destroy]


async def test_both_sides_see_one_mailbox(jmap: Jmap) -> None:
    """Email/changes, too, lead from each state to the next."""
    seed = OPERATIONS if OPERATIONS > 40 else 7
    sides = Sides(jmap, Random(seed))
    await sides.begin()
    state, known = (await jmap.call("Email/get", ids=[]))["state"], set[str]()
    for number in range(1, OPERATIONS + 1):
        await sides.random.choice(sides.operations)()
        if number % EVERY == 0:
            assert await sides.jmap_view() == await sides.rest_view(), f"after {number} operations"
            changes = await jmap.call("Email/changes", sinceState=state)
            state = changes["newState"]
            known = (known | set(changes["created"])) - set(changes["destroyed"])
            assert known == set(await jmap.query()), f"after {number} operations"
