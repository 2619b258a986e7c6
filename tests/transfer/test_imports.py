"""Whole mailboxes, from and to real servers, while the service is killed."""

from collections import Counter
from pathlib import Path

import pytest

from tests.servers.dovecot import Dovecot
from tests.servers.mailutils import Mailutils
from tests.transfer.checker import Seen, contents, differences, maildrop, of_files
from tests.transfer.letters import FOLDERS, letters
from tests.transfer.stage import Stage, login

pytestmark = pytest.mark.dovecot
SOME = FOLDERS[:13]


async def test_a_mailbox_comes_whole_although_the_service_is_killed_on_the_way(dovecot: Dovecot) -> None:
    stage = Stage(dovecot)
    old, new = dovecot.user("old"), dovecot.user("new")
    stage.seed(old, letters(400, SOME))
    told = await stage.run_killed(new, login(old), 3, steps=(40, 120))
    assert told.count == 3
    assert differences(contents(dovecot, old), contents(dovecot, new)) == []
    assert told.last["failed"] == told.again["failed"] == []
    assert [told.again[name] for name in ("copied", "skipped", "left")] == [0, 400, 0]


async def test_the_mail_of_other_servers_and_of_files_comes_whole(
    dovecot: Dovecot, mailutils: Mailutils, tmp_path: Path
) -> None:
    stage = Stage(dovecot, mailutils, tmp_path)
    assert stage.post is not None
    mails = [letter.mail for letter in letters(120, ["INBOX"]) if letter.mail[0].count(b"\r\n\r\n")]
    mails = [(source.replace(b"\r\n", b"\n"), flags, at) for source, flags, at in mails if "$deleted" not in flags]
    old = mailutils.user()
    mailutils.seed(old, mails)
    on_disk = stage.post.user("ann")
    for mail in mails:
        stage.post.deliver(on_disk, *mail)
    async with stage.service() as service:
        for server, protocol in (("old", "imap"), ("disk", "maildir")):
            user = dovecot.user(protocol)
            new = login(on_disk if server == "disk" else old, server, protocol)
            assert (await stage.run(service, user, new))["failed"] == []
            assert (await stage.run(service, user, new))["copied"] == 0
            found = contents(dovecot, user)["INBOX"]
            expected = of_files(mails)
            if (
                protocol == "imap"
            ):  # imap4d loses flags by STATUS; its date is that of the header, or the time of asking
                expected, found = map(_without_present, (contents(mailutils, old)["INBOX"], found))
            assert differences({"INBOX": expected}, {"INBOX": found}) == []
        user, new = dovecot.user("pop3"), login(old, "old", "pop3")
        assert (await stage.run(service, user, new))["copied"] == len(mails)
        assert (await stage.run(service, user, new))["copied"] == 0
    octets = [seen.without(flags=True, at=True) for seen in contents(dovecot, user)["INBOX"].elements()]
    assert Counter(octets) == maildrop(mailutils.ports.pop3, old)  # as pop3d has changed them: X-UIDL


def _without_present(seen: Counter[Seen]) -> Counter[Seen]:
    found: Counter[Seen] = Counter()
    for each, count in seen.items():
        found[each.without(at=each.at is not None and each.at.year > 2020)] += count
    return found
