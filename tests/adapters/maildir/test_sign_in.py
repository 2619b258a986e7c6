"""Signing in to mailboxes on disk."""

import asyncio
import threading
from pathlib import Path

import pytest
from argon2 import PasswordHasher, extract_parameters
from pydantic import ValidationError

from service.accounts.credentials import Credentials, SecretKind
from service.accounts.servers import MailServer
from service.adapters.maildir.backend import MaildirBackend
from service.adapters.maildir.disk.threads import DiskThreads
from service.adapters.maildir.passwords import Passwords
from service.adapters.maildir.sign_in import HASHING_THREADS, HashingQueue, SignIn, SignIns, root_of
from service.mail.errors import LoginRefused, NotFound, NotPermitted, ServerBusy, UpstreamUnavailable
from service.mail.model import Protocol
from service.mail.search.filter import ListQuery
from service.settings.model import Settings
from tests.adapters.maildir.conftest import USER
from tests.adapters.maildir.post import PASSWORD, QUICK, Post
from tests.contract.letters import plain

NO_NAMES = (
    "..", ".", "../ann@example.org", "a/b", "/etc", "", ".hidden", "a..b", "a\0b", "a\nb", "a b", "ö", "{user}", "~root",
    "-x", "x" * 200, "%2e%2e", "a\\b",
)  # fmt: skip


async def test_only_the_right_password_opens(post: Post) -> None:
    post.deliver(USER, plain("x"))
    await post.backend(USER).check()
    for user, password in (
        (USER, "wrong"), (USER, ""), (USER, f"{PASSWORD} "), ("nobody@example.org", PASSWORD), (USER.upper(), PASSWORD),
    ):  # fmt: skip
        backend = post.backend(user, password)
        with pytest.raises(LoginRefused):
            await backend.check()
        with pytest.raises(LoginRefused):
            await backend.list_messages("inbox", ListQuery())
    assert not post.maildir("nobody@example.org").exists()


@pytest.mark.parametrize("user", NO_NAMES)
async def test_no_username_becomes_a_path(post: Post, user: str) -> None:
    """Not even if the file of passwords contains it."""
    post.passwords.write_text(post.passwords.read_text() + f"{user}:{QUICK.hash(PASSWORD)}\n")
    with pytest.raises(LoginRefused):
        await post.backend(user).check()
    with pytest.raises(LoginRefused):
        root_of(f"{post.folder}/{{user}}", user)


async def test_a_mailbox_that_links_elsewhere_stays_closed(post: Post, tmp_path: Path) -> None:
    """A link does not open another user's mail either."""
    for name, target in (("eve@example.org", post.maildir(USER)), ("out@example.org", tmp_path / "outside")):
        post.make(target)
        backend = post.backend(post.user(name))
        for place in (post.maildir(name), post.maildir(name).parent):
            place.rename(tmp_path / f"{name}-{place.name}")
            place.symlink_to(target if place.name == "Maildir" else target.parent)
            with pytest.raises(NotPermitted):
                await backend.check()
            place.unlink()
            if place.name == "Maildir":
                (tmp_path / f"{name}-Maildir").rename(place)


async def test_an_unknown_user_is_verified_with_a_hash_as_costly(post: Post) -> None:
    passwords = Passwords(post.passwords)
    known, unknown = passwords.hash_to_verify(USER), passwords.hash_to_verify("nobody")
    assert known != unknown
    assert extract_parameters(known) == extract_parameters(unknown)
    assert passwords.verify(USER, PASSWORD)
    assert not passwords.verify("nobody", PASSWORD)


async def test_a_changed_hash_ends_the_sign_in_with_the_old_password(post: Post) -> None:
    """The next request is refused, although the mailbox was in use."""
    backend = post.backend(USER)
    await backend.list_folders()
    post.passwords.write_text(f"{USER}:{QUICK.hash('another')}\n")
    with pytest.raises(LoginRefused):
        await backend.list_folders()
    await post.backend(USER, "another").list_folders()
    post.passwords.write_text("")
    with pytest.raises(LoginRefused):
        await post.backend(USER, "another").list_folders()


async def test_without_the_file_of_passwords_no_user_signs_in(post: Post) -> None:
    """For each call, and whether or not the user had signed in before."""
    inside, outside = post.backend(USER), post.backend(USER, "wrong")
    await inside.check()
    held = post.passwords.rename(post.passwords.with_name("away"))
    for backend in (inside, outside):
        for call in (backend.check(), backend.list_folders(), backend.list_messages("inbox", ListQuery())):
            with pytest.raises(UpstreamUnavailable):
                await call
    held.rename(post.passwords)
    await inside.list_folders()
    with pytest.raises(LoginRefused):
        await outside.list_folders()


async def test_the_file_may_be_dovecots(post: Post) -> None:
    """With schemes before the hash, fields after it, comments, and malformed lines."""
    argon = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("pass:word")
    post.passwords.write_text(
        f"# users\n\nbroken\nplain:{{PLAIN}}secret\nempty:\nann:{{ARGON2ID}}{argon}:1000:1000::/home/ann::\n"
    )
    assert set(Passwords(post.passwords).users()) == {"ann"}
    await post.backend("ann", "pass:word").check()
    for user, password in (("plain", "secret"), ("empty", ""), ("broken", "")):
        with pytest.raises(LoginRefused):
            await post.backend(user, password).check()


class Counting(Passwords):
    """Records which threads verify passwords."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.threads: list[str] = []

    def verify(self, user: str, password: str) -> bool:
        self.threads.append(threading.current_thread().name)
        return super().verify(user, password)


async def test_a_password_is_verified_once_for_any_number_of_calls(post: Post) -> None:
    """R-HTTP-30: right or wrong, at the same time or later, until the file has another hash."""
    for secret, expected in ((PASSWORD, tuple), ("wrong", LoginRefused)):
        passwords = Counting(post.passwords)
        credentials = Credentials("home", Protocol.MAILDIR, USER, secret)
        assert post.server.maildir is not None
        sign_in = SignIn(post.server.maildir, credentials, passwords, HashingQueue(), DiskThreads())
        backend = MaildirBackend(sign_in, credentials.account)
        results = await asyncio.gather(*(backend.list_folders() for _ in range(50)), return_exceptions=True)
        results += await asyncio.gather(backend.list_folders(), return_exceptions=True)
        assert all(isinstance(result, expected) for result in results)
        assert len(passwords.threads) == 1
        post.passwords.write_text(f"{USER}:{QUICK.hash(PASSWORD)}\n")
        await asyncio.gather(backend.list_folders(), return_exceptions=True)
        assert len(passwords.threads) == 2
        assert all(name.startswith("argon2") for name in passwords.threads)


async def test_few_passwords_are_hashed_at_a_time_few_wait_and_other_work_goes_on(post: Post) -> None:
    """R-HTTP-30: that of other threads of the process, and of users who have signed in before."""
    inside = post.backend(USER)
    await inside.check()
    running, most, go = 0, 0, threading.Event()
    lock = threading.Lock()

    def hash_slowly() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        go.wait(20)
        with lock:
            running -= 1

    queue = HashingQueue(waiting=10)
    tasks = [asyncio.ensure_future(queue.run(hash_slowly)) for _ in range(40)]
    try:
        refused, _ = await asyncio.wait(tasks, timeout=20, return_when=asyncio.FIRST_EXCEPTION)
        assert {type(task.exception()) for task in refused} == {ServerBusy}
        assert {task.exception().retry_after for task in refused} == {5}  # type: ignore[union-attr]
        async with asyncio.timeout(10):
            await asyncio.gather(*(asyncio.to_thread(str) for _ in range(100)))
            await inside.list_folders()
    finally:
        go.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results.count(None) == HASHING_THREADS + 10
    assert most <= HASHING_THREADS
    await queue.run(go.is_set)


async def test_reading_a_changed_file_makes_no_hash(post: Post) -> None:
    """R-HTTP-30: so a change of one user does not delay users who have signed in. The next login makes it."""
    passwords = Passwords(post.passwords)
    await asyncio.gather(*(asyncio.to_thread(passwords.users) for _ in range(50)))
    assert passwords._content is not None
    assert "dummy_hash" not in vars(passwords._content)
    passwords.verify("nobody", "x")
    assert "dummy_hash" in vars(passwords._content)


async def test_a_token_is_not_accepted_as_a_password(post: Post) -> None:
    credentials = Credentials("home", Protocol.MAILDIR, USER, PASSWORD, SecretKind.ACCESS_TOKEN)
    with pytest.raises(LoginRefused):
        await SignIns().sign_in(post.server, credentials).enter()
    with pytest.raises(NotFound):
        SignIns().sign_in(MailServer("other"), credentials)


async def test_a_mailbox_is_made_when_its_user_signs_in_first(post: Post) -> None:
    post.passwords.write_text(f"new@example.org:{QUICK.hash(PASSWORD)}\n")
    [inbox] = await post.backend("new@example.org").list_folders()
    assert (inbox.role, inbox.total_messages) == ("inbox", 0)
    assert post.maildir("new@example.org").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("path", "passwords", "why"),
    [
        ("/var/mail/{user}", None, "passwords"),
        ("/var/mail/{user}", "not-there", "passwords"),
        ("/var/mail/users", "passwd", "path"),
        ("mail/{user}", "passwd", "path"),
        ("/mail/{user}/{user}", "passwd", "path"),
        ("/mail/{name}", "passwd", "path"),
    ],
)
def test_settings_without_protection_are_refused(post: Post, path: str, passwords: str | None, why: str) -> None:
    row = {"path": path} | ({"passwords": str(post.passwords.with_name(passwords))} if passwords else {})
    with pytest.raises(ValidationError) as wrong:
        Settings(servers={"home": {"maildir": row}})
    [error] = wrong.value.errors()
    assert error["loc"] == ("servers", "home", "maildir", why)
