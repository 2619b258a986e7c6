"""Clocks that jump: time within a process is measured by a monotonic clock, everything else by the wall clock."""

import os
import re
import time
from pathlib import Path

import pytest

from service.accounts.credentials import Credentials
from service.accounts.tokens import Sessions
from service.adapters.maildir.disk.names import arrival, new_unique
from service.mail.errors import Unauthenticated
from service.mail.model import Protocol
from tests.adapters.maildir.post import Post

SERVICE = Path(__file__).parents[2] / "service"
WALL = re.compile(r"\btime\.(?:time|time_ns|localtime|gmtime)\b|\b(?:datetime|date)\.(?:now|utcnow|today)\b")
HOUR = 3600
MONTH = 30 * 24 * HOUR
USES_WALL_CLOCK = {
    "accounts/tokens.py": "tokens outlive the process",
    "accounts/revocation.py": "revoked tokens are kept until they expire",
    "accounts/redis_store.py": "all replicas share what it keeps",
    "accounts/rates.py": "all replicas share what Redis counts",
    "accounts/windows.py": "limits reads the end of a window as Redis gives it",
    "demo/delivery.py": "mail arrives now",
    "oauth/grants.py": "a session token says when its access token ends",
    "oauth/client.py": "and a device code when it does",
    "fetches/content.py": "the store keeps when a fetch was made",
    "fetches/running.py": "and when it last ran",
    "push/subscribing.py": "subscriptions outlive the process",
    "push/vapid.py": "a signature says until when it holds",
    "push/sending/apns.py": "a token says when it was made",
    "push/sending/fcm.py": "and so does this one",
    "push/sending/pusher.py": "push services are told when a push is over",
    "push/server/entry.py": "subscriptions outlive the process",
    "push/server/hook.py": "a push says when the mail came",
    "push/server/keeper.py": "subscriptions outlive the process",
    "standing/credentials.py": "the store keeps when an access token ends",
    "push/watch/devices.py": "subscriptions outlive the process",
    "push/watch/news.py": "a push says when it was made",
    "personal/people.py": "people write to whom they wrote to lately",
    "adapters/imap/settings/message.py": "a message says when it was written",
    "submission/drafts.py": "a message says when it was written",
    "submission/outbox.py": "and when it was sent",
    "submission/dispatch.py": "and when it came without a date",
    "mail/search/grammar/parser.py": "people mean days",
    "jmap/account/uploads.py": "uploads outlive the process",
    "jmap/values/composing.py": "a message says when it was written",
    "jmap/methods/submissions.py": "and when it was sent",
    "adapters/maildir/disk/names.py": "names outlive the process",
    "adapters/maildir/disk/files.py": "and so do the times of files",
    "adapters/maildir/disk/snapshot.py": "it is compared with the times of files",
}


def test_only_times_that_outlive_the_process_use_the_wall_clock() -> None:
    """R-OPS-15: deadlines, queues, idle connections and pings do not."""
    users = {str(file.relative_to(SERVICE)) for file in SERVICE.rglob("*.py") if WALL.search(file.read_text())}
    assert users == USES_WALL_CLOCK.keys()


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_token_opens_although_the_clock_is_an_hour_off(jump: int) -> None:
    """R-OPS-15: a replica's clock, or this one's own, is ahead or behind; a token ends an hour sooner or later."""
    sessions, now = Sessions([b"k" * 32], MONTH), time.time()
    credentials = Credentials("home", Protocol.IMAP, "ann@example.org", "secret")
    token, expires = sessions.seal(credentials, now)
    assert sessions.open(token, now + jump) == credentials
    assert sessions.open(token, expires - 1) == credentials
    with pytest.raises(Unauthenticated):
        sessions.open(token, expires)


def test_new_names_sort_last_although_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-OPS-15: a message appended afterwards still comes last, under a new name."""
    names = [new_unique(1) for _ in range(3)]
    before = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: before - HOUR * 10**9)
    names += [new_unique(1) for _ in range(3)]
    assert sorted(names, key=arrival) == names
    assert len(set(names)) == len(names)


async def test_mail_that_arrives_at_a_repeated_time_is_seen(tmp_path: Path) -> None:
    """R-OPS-15: an unchanged modification time of a folder means that nothing happened only if it lies in the past."""
    post = Post(tmp_path)
    user = post.user("ann")
    backend = post.backend(user)
    new = tmp_path / "mail" / user / "Maildir" / "new"
    ahead = time.time() + HOUR
    for count in (1, 2, 3):
        post.deliver(user, b"Subject: x\r\n\r\nx\r\n")
        os.utime(new, (ahead, ahead))
        assert (await backend.get_folder("inbox")).total_messages == count
