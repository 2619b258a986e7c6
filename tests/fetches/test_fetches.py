"""New mail of old mailboxes comes in by itself, once each."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from service.fetches.model import MOST
from service.fetches.running import pause
from tests.fetches.site import ME, login, mail, renumber, running, subjects
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.mailutils import Mailutils
from tests.servers.postgres import Postgres

pytestmark = pytest.mark.dovecot


def told(*numbers: int) -> list[str]:
    return sorted(f"number {number}" for number in numbers)


@pytest.fixture(params=["dovecot", "mailutils"])
def old_server(request: pytest.FixtureRequest) -> Dovecot | Mailutils:
    """Where the mail is that is fetched."""
    found: Dovecot | Mailutils = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def full_dovecot() -> Iterator[Dovecot]:
    """Mailboxes there have room for six messages."""
    with Dovecot(settings="plugin {\n  quota_rule = *:storage=1G:messages=6\n}") as server:
        yield server


async def test_mail_that_comes_is_fetched_once_and_left_on_the_server(
    dovecot: Dovecot, old_server: Dovecot | Mailutils, store_url: str
) -> None:
    """By POP3, from the creation of the fetch on: the first, second and third run add nothing."""
    user, old = dovecot.user(), old_server.user()
    old_server.seed(old, [(mail(1), (), None), (mail(2), (), None)])
    async with running(dovecot, store_url, old_server) as site:
        fetch = await site.create(user, old)
        assert (fetch["copied"], fetch["state"], fetch["deleteSource"]) == (0, "waiting", False)
        for _ in range(2):
            assert (await site.again(user, fetch["id"]))["copied"] == 0
        old_server.seed(old, [(mail(3), (), None)])
        done = await site.again(user, fetch["id"])
        assert (done["copied"], done["lastCopied"], done["failed"]) == (1, 1, [])
        for _ in range(2):
            done = await site.again(user, fetch["id"])
            assert (done["copied"], done["lastCopied"]) == (1, 0)
            assert "problem" not in done
    assert subjects(dovecot, user) == told(3)
    with old_server.connect(old) as client:
        assert client.select("INBOX", readonly=True)[1] == [b"3"]


async def test_mail_from_before_is_fetched_if_the_user_says_since_when(dovecot: Dovecot, file_url: str) -> None:
    """By IMAP the day of receipt counts. What is here already, by an import or another fetch, does not come again."""
    user, old = dovecot.user(), dovecot.user()
    dovecot.seed(old, [(mail(year), (), datetime(year, 5, 1, tzinfo=UTC)) for year in (2020, 2024, 2025)])
    dovecot.seed(user, [(mail(2025), (), datetime(2025, 5, 1, tzinfo=UTC))])
    async with running(dovecot, file_url) as site:
        fetch = await site.create(user, old, "imap", since="2024-01-01T00:00:00Z")
        assert fetch["copied"] == 1
        assert (await site.again(user, fetch["id"]))["lastCopied"] == 0
        assert subjects(dovecot, user) == told(2024, 2025)
        assert (await site.create(user, old, "imap", since="2020-01-01T00:00:00Z"))["copied"] == 2
        assert (await site.create(user, old, "imap"))["copied"] == 2
    assert subjects(dovecot, user) == told(2020, 2024, 2025)


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
async def test_new_ids_of_all_messages_are_no_new_mail(dovecot: Dovecot, file_url: str, protocol: str) -> None:
    """The server was moved, and has other unique-ids or another UIDVALIDITY. Neither what was fetched comes again, even
    if its user has filed it elsewhere, nor what was there before."""
    user, old = dovecot.user(), dovecot.user()
    dovecot.seed(old, [(mail(number), (), datetime(2024, 5, 1, tzinfo=UTC)) for number in range(5)])
    async with running(dovecot, file_url) as site:
        fetch = await site.create(user, old, protocol)
        dovecot.append(old, mail(10))
        dovecot.append(old, mail(11))
        assert (await site.again(user, fetch["id"]))["copied"] == 2
        with dovecot.connect(user) as client:
            client.select("INBOX")
            client.create("Filed")
            client.copy("1", "Filed")
            client.store("1", "+FLAGS", r"(\Deleted)")
            client.expunge()
        await site.close_all()
        renumber(dovecot.maildir(old))
        dovecot.append(old, mail(12))
        assert (await site.again(user, fetch["id"]))["copied"] == 3
        assert (await site.again(user, fetch["id"]))["copied"] == 3
    assert subjects(dovecot, user) + subjects(dovecot, user, "Filed") == told(11, 12) + told(10)


async def test_mail_that_is_moved_at_the_source_is_no_new_mail(dovecot: Dovecot, file_url: str) -> None:
    """By IMAP mail comes from all folders but drafts, trash and junk, into the same ones; and once, wherever its user
    puts it."""
    user, old = dovecot.user(), dovecot.user()
    dovecot.seed(old, [(mail(1), (), datetime(2024, 5, 1, tzinfo=UTC))])
    async with running(dovecot, file_url) as site:
        fetch = await site.create(user, old, "imap")
        for number, folder in ((2, "INBOX"), (3, "Sent"), (4, "Drafts"), (5, "Trash"), (6, "Junk")):
            dovecot.append(old, mail(number), folder=folder)
        assert (await site.again(user, fetch["id"]))["copied"] == 2
        with dovecot.connect(old) as client:
            client.create("Lists")
            client.select("INBOX")
            client.copy("1:2", "Lists")
            client.store("1:2", "+FLAGS", r"(\Deleted)")
            client.expunge()
        dovecot.append(old, mail(7), folder="Lists")
        assert (await site.again(user, fetch["id"]))["copied"] == 3
    folders = {name: subjects(dovecot, user, name) for name in ("INBOX", "Sent", "Drafts", "Trash", "Junk", "Lists")}
    assert folders == {"INBOX": told(2), "Sent": told(3), "Drafts": [], "Trash": [], "Junk": [], "Lists": told(7)}


async def test_folders_are_chosen_on_both_sides(dovecot: Dovecot, file_url: str) -> None:
    user, old = dovecot.user(), dovecot.user()
    async with running(dovecot, file_url) as site:
        fetch = await site.create(user, old, "imap", folders=["junk"], into="archive")
        dovecot.append(old, mail(1))
        dovecot.append(old, mail(2), folder="Junk")
        done = await site.again(user, fetch["id"])
        assert (done["copied"], done["folders"], done["into"]) == (1, ["junk"], "archive")
        for wrong in ({"folders": ["nowhere"]}, {"into": "nowhere"}):
            async with site.client(user) as client:
                answer = await client.post(f"{ME}/fetches", json={"from": login(old, "imap"), **wrong})
            assert (answer.status_code, answer.json()["what"]) == (404, "folder")
    assert subjects(dovecot, user, "Archive") == told(2)


async def test_a_wrong_password_stops_it_and_is_not_tried_again(dovecot: Dovecot, store_url: str) -> None:
    """One login, and it is said. Created again with the right one, it goes on where it was."""
    user, old = dovecot.user(), dovecot.user()
    async with running(dovecot, store_url) as site:
        fetch = await site.create(user, old)
        dovecot.append(old, mail(1))
        await site.change_password(user, old, "wrong")
        before = site.old.connections
        done = await site.again(user, fetch["id"])
        assert done["state"] == "stopped"
        assert done["problem"]["type"] == "/problems/login-refused"
        assert done["problem"]["detail"].startswith("The source: ")
        assert "nextRunAt" not in done
        runs = await site.runs(fetch["id"])
        await site.execute("update casella_work set due_at = 0 where kind = 'fetch'")
        await site.beats(3)
        assert (site.old.connections - before, await site.runs(fetch["id"])) == (1, runs)
        again = await site.create(user, old)
        assert (again["id"], again["copied"], again["state"]) == (fetch["id"], 1, "waiting")
        assert again["createdAt"] == fetch["createdAt"]  # what came while it was stopped is not too old
        assert "problem" not in again
        assert len(await site.all(user)) == 1
        async with site.client(user) as client:
            answer = await client.post(f"{ME}/fetches", json={"from": login(old, password="wrong")})
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/login-refused")
        assert answer.json()["detail"].startswith("The source: ")
    assert subjects(dovecot, user) == told(1)


async def test_a_source_that_is_down_is_tried_again_later_and_later(dovecot: Dovecot, file_url: str) -> None:
    """It is told, and when it is back nothing is missing."""
    user, old = dovecot.user(), dovecot.user()

    async def lost(octets: bytes) -> tuple[bytes, bool]:
        return b"", False

    async with running(dovecot, file_url) as site:
        fetch = await site.create(user, old, everySeconds=60)
        dovecot.append(old, mail(1))
        await site.close_all()
        works, site.old.fate = site.old.fate, lost
        pauses = []
        for _ in range(3):
            done = await site.again(user, fetch["id"])
            assert (done["state"], done["problem"]["type"]) == ("waiting", "/problems/upstream-unavailable")
            next_run_at, last_run_at = (datetime.fromisoformat(done[each]) for each in ("nextRunAt", "lastRunAt"))
            pauses.append((next_run_at - last_run_at).total_seconds())
        for pause_seconds, expected in zip(pauses, (60, 120, 240), strict=True):
            assert expected - 5 <= pause_seconds < expected * 1.1 + 5, pauses
        site.old.fate = works
        done = await site.again(user, fetch["id"])
        assert (done["copied"], done["state"]) == (1, "waiting")
        assert "problem" not in done


def test_a_fetch_that_fails_is_tried_every_hour_at_least() -> None:
    assert [pause(60, failures, None) for failures in (1, 2, 7, 50)] == [60, 120, 3600, 3600]
    assert [pause(86400, failures, None) for failures in (1, 2, 50)] == [86400, 86400, 86400]
    assert pause(60, 1, 7200) == 7200  # what the mail server wants
    assert pause(900, 0, 5) == 5  # it has copied something: more is there


async def test_a_fetch_that_is_deleted_ends_within_a_heartbeat(dovecot: Dovecot, store_url: str) -> None:
    """Also if a run is under way, which writes nothing any more."""
    user, old = dovecot.user(), dovecot.user()
    reached, goes_on = asyncio.Event(), asyncio.Event()

    async def hang(octets: bytes) -> tuple[bytes, bool]:
        if octets.startswith(b"RETR"):
            reached.set()
            await goes_on.wait()
        return octets, True

    async with running(dovecot, store_url) as site:
        fetch = await site.create(user, old)
        dovecot.append(old, mail(1))
        await site.close_all()
        site.old.fate = hang
        await site.execute("update casella_work set due_at = 0 where kind = 'fetch'")
        await asyncio.wait_for(reached.wait(), 20)
        assert (await site.get(user, fetch["id"]))["state"] == "running"
        async with site.client(user) as client:
            assert (await client.delete(f"{ME}/fetches/{fetch['id']}")).status_code == 204
            await asyncio.wait_for(site.is_idle(), 5)
            goes_on.set()
            gone = await client.get(f"{ME}/fetches/{fetch['id']}")
            assert (gone.status_code, gone.json()["what"]) == (404, "fetch")
            assert (await client.delete(f"{ME}/fetches/{fetch['id']}")).status_code == 404
        assert await site.all(user) == []
        assert await site.execute("select count(*) from casella_work") == 0
    assert subjects(dovecot, user) == []


async def test_messages_are_deleted_at_the_source_only_if_asked_for_and_copied(dovecot: Dovecot, file_url: str) -> None:
    """What cannot be copied is told, and stays."""
    user, old = dovecot.user(), dovecot.user()
    async with running(dovecot, file_url) as site:
        fetch = await site.create(user, old, deleteSource=True)
        dovecot.seed(old, [(mail(1), (), None), (mail(2, "NUL \0"), (), None), (mail(3), (), None)])
        done = await site.again(user, fetch["id"])
        assert (done["copied"], [each["reason"] for each in done["failed"]]) == (2, ["nul"])
        assert (await site.again(user, fetch["id"]))["failed"] == []
    assert subjects(dovecot, user) == told(1, 3)
    assert subjects(dovecot, old) == told(2)


async def test_a_mailbox_does_not_fetch_from_itself(dovecot: Dovecot, file_url: str) -> None:
    """By another protocol and another name of the server it is not seen before; nothing is deleted then."""
    user = dovecot.user()
    async with running(dovecot, file_url) as site:
        async with site.client(user) as client:
            own = {**login(user, "imap"), "server": "home"}
            assert (await client.post(f"{ME}/fetches", json={"from": own})).status_code == 422
        fetch = await site.create(user, user, "imap", since="2020-01-01T00:00:00Z", deleteSource=True)
        dovecot.append(user, mail(1))
        done = await site.again(user, fetch["id"])
        assert (done["state"], done["problem"]["type"]) == ("stopped", "/problems/invalid-request")
    assert subjects(dovecot, user) == told(1)


async def test_a_fetch_into_another_folder_looks_again_whether_it_fetches_from_itself(
    dovecot: Dovecot, file_url: str
) -> None:
    """From INBOX to another folder of the same mailbox is a move. Into INBOX the message would be its own copy."""
    user = dovecot.user()
    async with running(dovecot, file_url) as site:
        fetch = await site.create(user, user, deleteSource=True, into="archive")
        dovecot.append(user, mail(1))
        assert (await site.again(user, fetch["id"]))["copied"] == 1
        fetch = await site.create(user, user, deleteSource=True, into="inbox")
        dovecot.append(user, mail(2))
        await site.close_all()
        done = await site.again(user, fetch["id"])
        assert (done["state"], done["problem"]["type"]) == ("stopped", "/problems/invalid-request")
    assert (subjects(dovecot, user, "Archive"), subjects(dovecot, user)) == (told(1), told(2))


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
async def test_what_a_run_copied_before_the_mailbox_was_full_does_not_come_again(
    full_dovecot: Dovecot, file_url: str, protocol: str
) -> None:
    """Its user makes room by deleting just that."""
    user, old = full_dovecot.user(), full_dovecot.user()
    async with running(full_dovecot, file_url) as site:
        fetch = await site.create(user, old, protocol)
        for number in range(1, 5):
            full_dovecot.append(old, mail(number))
            full_dovecot.append(user, mail(number + 10))
        done = await site.again(user, fetch["id"])
        assert (done["copied"], done["problem"]["type"]) == (2, "/problems/over-quota")
        with full_dovecot.connect(user) as client:
            client.select("INBOX")
            client.store("1:*", "+FLAGS", r"(\Deleted)")
            client.expunge()
        done = await site.again(user, fetch["id"])
        assert (done["copied"], done.get("problem")) == (4, None)
    assert subjects(full_dovecot, user) == told(3, 4)


async def test_an_account_has_so_many_fetches_and_credentials_that_last(dovecot: Dovecot, file_url: str) -> None:
    user = dovecot.user()
    async with running(dovecot, file_url) as site:
        for _ in range(MOST):
            await site.create(user, dovecot.user())
        async with site.client(user) as client:
            for body in (
                {"from": login(dovecot.user())},
                {"from": {"username": "x@example.org", "accessToken": "x", "server": "old"}},
                {"from": login(dovecot.user()), "everySeconds": 59},
                {"from": login(dovecot.user()), "everySeconds": 86401},
            ):
                answer = await client.post(f"{ME}/fetches", json=body)
                assert answer.status_code in {401, 422}, answer.text
        assert len(await site.all(user)) == MOST
        assert await site.all(dovecot.user()) == []


async def test_a_stolen_store_has_no_credentials_and_no_mail(dovecot: Dovecot, postgres: Postgres) -> None:
    """Not a name, password, server, folder or id of a message."""
    user, old, url = dovecot.user("owner"), dovecot.user("origin"), postgres.url()
    async with running(dovecot, url) as site:
        fetch = await site.create(user, old, folders=["inbox"], into="archive")
        dovecot.append(old, mail(1))
        dovecot.seed(old, [(mail(2, "NUL \0"), (), None)])
        assert (await site.again(user, fetch["id"]))["copied"] == 1
        stolen = postgres.dump(url)
    for secret in (
        PASSWORD,
        user,
        old,
        "origin",
        "example.org",
        "INBOX",
        "archive",
        "everySeconds",
        "number 1",
        "contains NUL",
    ):
        assert secret.encode() not in stolen, secret
        assert secret.encode().hex().encode() not in stolen, secret


async def test_without_a_store_it_says_what_to_do(dovecot: Dovecot) -> None:
    user = dovecot.user()
    async with running(dovecot, None) as site, site.client(user) as client:
        for method, path in (("POST", ""), ("GET", ""), ("GET", "/f_1"), ("DELETE", "/f_1")):
            body = {"from": login(dovecot.user())} if method == "POST" else None
            answer = await client.request(method, f"{ME}/fetches{path}", json=body)
            assert (answer.status_code, answer.json()["capability"]) == (501, "fetches")
            assert "/imports" in answer.json()["detail"]
            assert "store.url" in answer.json()["detail"]


def test_without_a_store_nothing_of_it_is_imported() -> None:
    code = (
        "import sys; from service.app import create_app; from service.settings.model import Settings;"
        "create_app(Settings(servers={'home': {'imap': {'host': 'localhost', 'port': 1, 'security': 'none'}}}));"
        "print(sorted(each for each in sys.modules if each.startswith(('service.store', 'service.fetches.'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip().splitlines()[-1] == "['service.fetches.model']"
