"""Clocks that jump: what lasts within a process goes by a clock that cannot, and the rest by one that may."""

import os
import re
import time
from pathlib import Path

import pytest

from service.accounts.live import Credentials
from service.accounts.tokens import Sessions
from service.adapters.maildir.names import arrival, new_unique
from service.mail.errors import Unauthenticated
from service.mail.model import Protocol
from tests.adapters.maildir.post import Post

SERVICE = Path(__file__).parents[1] / "service"
WALL = re.compile(r"\btime\.(?:time|time_ns|localtime|gmtime)\b|\b(?:datetime|date)\.(?:now|utcnow|today)\b")
HOUR = 3600
MONTH = 30 * 24 * HOUR
GOES_BY_THE_WALL = {
    "sessions.py": "tokens outlive the process",
    "revocation.py": "they are kept until the token expires",
    "redis_store.py": "what it keeps is of all replicas",
    "rates.py": "what Redis counts is of all replicas",
    "windows.py": "the end of a window is told in the words of Redis",
    "mail/grammar.py": "people mean days",
    "adapters/maildir/names.py": "names outlive the process",
    "adapters/maildir/disk.py": "and so do files' times",
    "adapters/maildir/snapshot.py": "files' times are compared with it",
}


def test_only_what_outlives_the_process_goes_by_the_wall_clock() -> None:
    """R-OPS-15: deadlines, queues, idle connections and pings do not."""
    found = {str(file.relative_to(SERVICE)) for file in SERVICE.rglob("*.py") if WALL.search(file.read_text())}
    assert found == GOES_BY_THE_WALL.keys()


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_token_opens_where_the_clock_is_an_hour_off(jump: int) -> None:
    """R-OPS-15: a replica's clock, or this one's own, is ahead or behind; a token ends an hour sooner or later."""
    sessions, now = Sessions([b"k" * 32], MONTH), time.time()
    who = Credentials("home", Protocol.IMAP, "ann@example.org", "secret")
    token, expires = sessions.seal(who, now)
    assert sessions.open(token, now + jump) == who
    assert sessions.open(token, expires - 1) == who
    with pytest.raises(Unauthenticated):
        sessions.open(token, expires)


def test_names_go_on_where_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-OPS-15: who appends after it appends behind, under a name that nobody had."""
    names = [new_unique(1) for _ in range(3)]
    before = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: before - HOUR * 10**9)
    names += [new_unique(1) for _ in range(3)]
    assert sorted(names, key=arrival) == names
    assert len(set(names)) == len(names)


async def test_mail_that_comes_at_a_time_that_was_already_is_seen(tmp_path: Path) -> None:
    """R-OPS-15: a folder's time alone says that nothing happened only where it lies behind."""
    post = Post(tmp_path)
    user = post.user("ann")
    backend = post.backend(user)
    new = tmp_path / "mail" / user / "Maildir" / "new"
    ahead = time.time() + HOUR
    for count in (1, 2, 3):
        post.deliver(user, b"Subject: x\r\n\r\nx\r\n")
        os.utime(new, (ahead, ahead))
        assert (await backend.get_folder("inbox")).total_messages == count
