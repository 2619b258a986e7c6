"""Random work on one mailbox by two replicas and another program at once, against the expected result.

``CASELLA_ROUNDS`` makes it long, and every run another one."""

import asyncio
import imaplib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from service.app import create_app
from tests.api.conftest import settings_for
from tests.ops.oracle import Kept, Oracle, Path, source, subject
from tests.ops.seen import done, fetched, quoted
from tests.servers.dovecot import PASSWORD, Dovecot, append, system_flag

pytestmark = pytest.mark.dovecot
ROUNDS = int(os.environ.get("CASELLA_ROUNDS", "0"))
ME = "/v1/accounts/me"
NAMES = ("Work", "Ärger & 会議", "a b", "INBOX")
FLAGS = ("$seen", "$flagged", "$answered", "$draft", "$deleted", "$junk", "blue")
SETTINGS = settings(
    max_examples=ROUNDS or 8,
    report_multiple_bugs=False,
    stateful_step_count=50 if ROUNDS else 20,
    derandomize=not ROUNDS,
    deadline=None,
    database=None,
    phases=(Phase.generate,),  # the steps are reported as they were: each takes too long for shrinking
    suppress_health_check=list(HealthCheck),
)
pick = st.integers(0, 1 << 16)
some = st.lists(pick, min_size=1, max_size=5)
flags = st.frozensets(st.sampled_from(FLAGS), max_size=3)


class World:
    """What all examples share: Dovecot, and two processes' worth of service."""

    def __init__(self, dovecot: Dovecot, runner: asyncio.Runner) -> None:
        self.dovecot = dovecot
        self._runner = runner
        self._stack = AsyncExitStack()
        self._apis: list[httpx.AsyncClient] = []

    def open(self) -> None:
        self._runner.run(self._open())

    def close(self) -> None:
        self._runner.run(self._stack.aclose())

    async def _open(self) -> None:
        for _ in range(2):
            app = create_app(settings_for(self.dovecot, access_log=False))
            await self._stack.enter_async_context(app.router.lifespan_context(app))
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://casella", timeout=60)
            self._apis.append(await self._stack.enter_async_context(client))

    def ask(self, replica: int, user: str, method: str, path: str, **more: Any) -> httpx.Response:
        api = self._apis[replica % len(self._apis)]
        answer = self._runner.run(api.request(method, ME + path, auth=(user, PASSWORD), **more))
        assert answer.status_code < 500, (method, path, answer.text)
        return answer


class Mailbox(RuleBasedStateMachine):
    """One user's. A number that a rule is given picks one of what there is."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._user = world.dovecot.user("model")
        self._stack = ExitStack()
        self._imap: imaplib.IMAP4 = self._stack.enter_context(world.dovecot.connect(self._user))
        self._oracle = Oracle()
        self._ids: dict[Path, str] = {}
        self._pages: dict[tuple[int, str], httpx.Response] = {}
        self._turns = 0

    def teardown(self) -> None:
        with self._stack:
            if sys.exception() is None:
                self._compare()

    def _compare(self) -> None:
        """Every octet by the API, and everything by the other program."""
        for path, kept in self._oracle.messages():
            self._reads_exactly(path, kept)
        for path, rows in self._oracle.folders.items():
            assert fetched(self._imap, "/".join(path)) == [(source(one.number), one.flags) for one in rows]

    # What the API does.

    @rule(at=pick, flags=flags)
    def append(self, at: int, flags: frozenset[str]) -> None:
        path, number = self._folder(at), self._oracle.new()
        answer = self._ask("POST", f"/folders/{self._ids[path]}/messages", 201, content=source(number),
                           params={"flags": sorted(flags)}, headers={"Content-Type": "message/rfc822"})  # fmt: skip
        self._oracle.folders[path].append(Kept(number, flags, answer.json()["id"]))

    @precondition(lambda self: self._oracle.messages())
    @rule(at=pick, add=flags, remove=flags)
    def change_flags(self, at: int, add: frozenset[str], remove: frozenset[str]) -> None:
        _, kept = self._message(at)
        self._ask("PATCH", f"/messages/{kept.id}/flags", json={"add": sorted(add), "remove": sorted(remove - add)})
        kept.flags = (kept.flags | add) - (remove - add)

    @precondition(lambda self: self._oracle.messages())
    @rule(at=pick, flags=flags)
    def set_flags(self, at: int, flags: frozenset[str]) -> None:
        _, kept = self._message(at)
        answer = self._ask("PUT", f"/messages/{kept.id}/flags", json={"flags": sorted(flags)})
        assert frozenset(answer.json()["flags"]) == flags
        kept.flags = flags

    @precondition(lambda self: self._oracle.messages())
    @rule(at=pick, to=pick, is_move=st.booleans())
    def take_elsewhere(self, at: int, to: int, is_move: bool) -> None:
        (path, kept), target = self._message(at), self._folder(to)
        verb = "move" if is_move else "copy"
        answer = self._ask("POST", f"/messages/{kept.id}/{verb}", json={"folderId": self._ids[target]})
        [new] = self._taken(path, [kept], target, is_move)
        new.id = answer.json()["id"]

    @precondition(lambda self: self._oracle.messages())
    @rule(at=pick)
    def delete(self, at: int) -> None:
        path, kept = self._message(at)
        self._ask("DELETE", f"/messages/{kept.id}", 204)
        self._oracle.remove(path, [kept])

    @precondition(lambda self: self._oracle.messages())
    @rule(at=pick, which=some, to=pick, action=st.sampled_from(["move", "copy", "delete"]), with_gone=st.booleans())
    def many(self, at: int, which: list[int], to: int, action: str, with_gone: bool) -> None:
        """Of one folder, with an id that names nothing among them."""
        path, rows = self._several(at, which)
        target = self._folder(to)
        more = {} if action == "delete" else {"folderId": self._ids[target]}
        gone = self._oracle.gone[-1:] if with_gone else []
        body = {"ids": [*(kept.id for kept in rows), *gone], "action": action, **more}
        results = self._ask("POST", "/messages/bulk", json=body).json()["results"]
        assert [one["status"] for one in results[: len(rows)]] == [200] * len(rows)
        assert {one["status"] for one in results[len(rows) :]} <= {404, 410}
        if action == "delete":
            self._oracle.remove(path, rows)
        else:
            for kept, one in zip(self._taken(path, rows, target, action == "move"), results, strict=False):
                kept.id = one["newId"]

    @precondition(lambda self: self._oracle.messages())
    @rule(which=some, add=flags, remove=flags)
    def flag_many(self, which: list[int], add: frozenset[str], remove: frozenset[str]) -> None:
        """Of several folders."""
        rows = {kept.id: kept for _, kept in map(self._message, which)}
        remove -= add
        body = {"ids": list(rows), "action": "flags", "add": sorted(add), "remove": sorted(remove)}
        results = self._ask("POST", "/messages/bulk", json=body).json()["results"]
        assert {one["status"] for one in results} == {200}
        for kept in rows.values():
            kept.flags = (kept.flags | add) - remove

    @precondition(lambda self: len(self._oracle.messages()) > 5)
    @rule(at=pick)
    def empty(self, at: int) -> None:
        path = self._folder(at)
        answer = self._ask("POST", f"/folders/{self._ids[path]}/empty")
        assert answer.json()["removed"] == len(self._oracle.folders[path])
        self._oracle.remove(path, list(self._oracle.folders[path]))

    @rule(name=st.sampled_from(NAMES), at=pick, is_inner=st.booleans())
    def create_folder(self, name: str, at: int, is_inner: bool) -> None:
        parents = self._oracle.made if is_inner else []
        parent = parents[at % len(parents)] if parents else ()
        inside = {"parentId": self._ids[parent]} if parent else {}
        new = (*parent, self._new(name, parent))
        answer = self._ask("POST", "/folders", 201, json={"name": new[-1], **inside})
        self._oracle.folders[new] = []
        assert answer.json()["path"] == list(new)
        self._ask("POST", "/folders", 409, json={"name": new[-1], **inside})

    @precondition(lambda self: self._oracle.made)
    @rule(at=pick, name=st.sampled_from(NAMES))
    def rename_folder(self, at: int, name: str) -> None:
        old = self._made(at)
        new = (*old[:-1], self._new(name, old[:-1]))
        self._unselect()  # else Dovecot ends the session
        self._ask("PATCH", f"/folders/{self._ids[old]}", json={"name": new[-1]})
        self._oracle.rename(old, new)

    @precondition(lambda self: self._oracle.made)
    @rule(at=pick)
    def delete_folder(self, at: int) -> None:
        path = self._made(at)
        self._unselect()
        has_folders = len(self._oracle.below(path)) > 1
        self._ask("DELETE", f"/folders/{self._ids[path]}", 409 if has_folders else 204)
        if not has_folders:
            self._oracle.delete(path)

    @rule(number=pick)
    def search(self, number: int) -> None:
        """In every folder and in each."""
        wanted = number % (self._oracle.given + 1)
        found = self._ask("POST", "/search", json={"filter": {"subject": subject(wanted)}}).json()["items"]
        expected = {kept.id for _, kept in self._oracle.messages() if kept.number == wanted}
        assert len(found) == len(expected)
        assert {row["id"] for row in found} == expected
        for path, rows in self._oracle.folders.items():
            page = self._ask("GET", f"/folders/{self._ids[path]}/messages", params={"subject": subject(wanted)}).json()
            assert {row["id"] for row in page["items"]} == {kept.id for kept in rows if kept.number == wanted}

    @precondition(lambda self: self._oracle.gone)
    @rule(at=pick, to=pick, how=st.sampled_from(["read", "flag", "move", "copy", "delete"]))
    def what_is_gone_stays_gone(self, at: int, to: int, how: str) -> None:
        gone = self._oracle.gone[at % len(self._oracle.gone)]
        target = {"folderId": self._ids[self._folder(to)]}
        method, path, body = {
            "read": ("GET", "/source", None),
            "flag": ("PATCH", "/flags", {"add": ["$seen"]}),
            "move": ("POST", "/move", target),
            "copy": ("POST", "/copy", target),
            "delete": ("DELETE", "", None),
        }[how]
        answer = self._world.ask(self._turns, self._user, method, f"/messages/{gone}{path}", json=body)
        assert answer.status_code in {404, 410}, answer.text

    # What the other program does.

    @rule(at=pick, flags=flags, count=st.integers(1, 4))
    def other_appends(self, at: int, flags: frozenset[str], count: int) -> None:
        path = self._folder(at)
        for number in [self._oracle.new() for _ in range(count)]:
            append(self._imap, source(number), sorted(flags), None, "/".join(path))
            self._oracle.folders[path].append(Kept(number, flags))

    @precondition(lambda self: self._oracle.messages())
    @rule(at=pick, which=some, flags=flags.filter(bool), sign=st.sampled_from("+-"))
    def other_flags(self, at: int, which: list[int], flags: frozenset[str], sign: str) -> None:
        path, rows = self._several(at, which)
        self._command("STORE", self._uids(path, rows), f"{sign}FLAGS.SILENT", _flag_list(flags))
        for kept in rows:
            kept.flags = kept.flags | flags if sign == "+" else kept.flags - flags

    @precondition(lambda self: self._oracle.messages())
    @rule(at=pick, which=some, to=pick, is_move=st.booleans())
    def other_takes_elsewhere(self, at: int, which: list[int], to: int, is_move: bool) -> None:
        (path, rows), target = self._several(at, which), self._folder(to)
        self._command("MOVE" if is_move else "COPY", self._uids(path, rows), _quoted(target))
        self._taken(path, rows, target, is_move)

    @precondition(lambda self: self._oracle.messages())
    @rule(at=pick)
    def other_expunges(self, at: int) -> None:
        """Flags that either side set."""
        path, _ = self._message(at)
        self._select(path)
        self._imap.expunge()
        self._oracle.remove(path, [kept for kept in self._oracle.folders[path] if "$deleted" in kept.flags])

    @rule(name=st.sampled_from(NAMES))
    def other_creates_folder(self, name: str) -> None:
        path = (self._new(name),)
        done(self._imap.create(_quoted(path)))
        self._oracle.folders[path] = []

    @precondition(lambda self: self._oracle.made)
    @rule(at=pick, name=st.sampled_from(NAMES))
    def other_renames_folder(self, at: int, name: str) -> None:
        old = self._made(at)
        new = (*old[:-1], self._new(name, old[:-1]))
        self._unselect()
        done(self._imap.rename(_quoted(old), _quoted(new)))
        self._oracle.rename(old, new)

    @precondition(lambda self: self._oracle.made)
    @rule(at=pick)
    def other_deletes_folder(self, at: int) -> None:
        path = self._made(at)
        if len(self._oracle.below(path)) == 1:
            self._unselect()
            done(self._imap.delete(_quoted(path)))
            self._oracle.delete(path)

    # What has to be true.

    @invariant()
    def both_replicas_agree(self) -> None:
        """Each step is seen by the one first, then by the other, whose turn it is next."""
        for _ in range(2):
            self._turns += 1
            folders = self._ask("GET", "/folders").json()["items"]
            assert {tuple(one["path"]) for one in folders} == self._oracle.folders.keys()
            self._ids = {tuple(one["path"]): one["id"] for one in folders}
            for one in folders:
                rows = self._oracle.folders[tuple(one["path"])]
                assert one["totalMessages"] == len(rows)
                assert one["unreadMessages"] == sum("$seen" not in kept.flags for kept in rows)
                self._lists(one["id"], rows)
        if messages := self._oracle.messages():
            self._reads_exactly(*messages[self._turns * 7 % len(messages)])

    def _lists(self, folder: str, rows: Sequence[Kept]) -> None:
        """Newest first; a list that the server calls unchanged is the one it gave before."""
        key = (self._turns % 2, folder)
        kept = self._pages.get(key)
        condition = {"If-None-Match": kept.headers["etag"]} if kept is not None else {}
        answer = self._ask("GET", f"/folders/{folder}/messages", (200, 304), params={"limit": 200}, headers=condition)
        if answer.status_code == 200:
            kept = self._pages[key] = answer
        assert kept is not None
        items = kept.json()["items"][::-1]
        assert [(row["subject"], frozenset(row["flags"])) for row in items] == [
            (subject(one.number), one.flags) for one in rows
        ]
        for row, one in zip(items, rows, strict=True):
            assert one.id in {None, row["id"]}
            one.id = row["id"]
            if one.id in self._oracle.gone:  # a folder was given its old name back
                self._oracle.gone.remove(one.id)

    def _reads_exactly(self, path: Path, kept: Kept) -> None:
        assert kept.id is not None, path
        assert self._ask("GET", f"/messages/{kept.id}/source").content == source(kept.number)
        message = self._ask("GET", f"/messages/{kept.id}").json()
        assert (message["subject"], frozenset(message["flags"])) == (subject(kept.number), kept.flags)

    # How it is done.

    def _ask(self, method: str, path: str, status: int | tuple[int, ...] = 200, **more: Any) -> httpx.Response:
        answer = self._world.ask(self._turns, self._user, method, path, **more)
        expected = status if isinstance(status, tuple) else (status,)
        assert answer.status_code in expected, (method, path, answer.status_code, answer.text)
        return answer

    def _folder(self, at: int) -> Path:
        return list(self._oracle.folders)[at % len(self._oracle.folders)]

    def _new(self, name: str, parent: Path = ()) -> str:
        """Often one that a folder had before."""
        is_taken = (*parent, name) in self._oracle.folders
        return f"{name} {self._oracle.new()}" if is_taken else name

    def _made(self, at: int) -> Path:
        return self._oracle.made[at % len(self._oracle.made)]

    def _message(self, at: int) -> tuple[Path, Kept]:
        messages = self._oracle.messages()
        return messages[at % len(messages)]

    def _several(self, at: int, which: list[int]) -> tuple[Path, list[Kept]]:
        """Of one folder, in their order."""
        path, _ = self._message(at)
        rows = self._oracle.folders[path]
        wanted = {number % len(rows) for number in which}
        return path, [kept for number, kept in enumerate(rows) if number in wanted]

    def _taken(self, path: Path, rows: Sequence[Kept], target: Path, is_move: bool) -> list[Kept]:
        new = self._oracle.put(target, rows)
        if is_move:
            self._oracle.remove(path, rows)
        return new

    def _select(self, path: Path) -> None:
        done(self._imap.select(_quoted(path)))

    def _unselect(self) -> None:
        if self._imap.state == "SELECTED":
            done(self._imap.unselect())

    def _uids(self, path: Path, rows: Sequence[Kept]) -> str:
        self._select(path)
        uids: list[bytes] = self._command("SEARCH", "ALL")[0].split()
        places = [self._oracle.folders[path].index(kept) for kept in rows]
        return b",".join(uids[place] for place in places).decode()

    def _command(self, *words: str) -> list[Any]:
        return done(self._imap.uid(*words))


def _quoted(path: Path) -> str:
    return quoted("/".join(path))


def _flag_list(flags: frozenset[str]) -> str:
    return f"({' '.join(map(system_flag, sorted(flags)))})"


@pytest.fixture
def world() -> Iterator[World]:
    """With its index of folders Dovecot lists to other sessions what was there before a change of the same second."""
    with Dovecot(settings="mailbox_list_index = no") as dovecot, asyncio.Runner() as runner:
        world = World(dovecot, runner)
        world.open()
        yield world
        world.close()


@pytest.mark.timeout(0 if ROUNDS else 150)
def test_two_replicas_and_another_program_against_a_model(world: World) -> None:
    """R-CONC-10: lists, flags, counts, searches and octets are as expected after each step. Every request for the id of a
    deleted object is answered 404 or 410."""

    class Ours(Mailbox):
        def __init__(self) -> None:
            super().__init__(world)

    run_state_machine_as_test(Ours, settings=SETTINGS)
