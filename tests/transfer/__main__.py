"""``make imports``: ten thousand messages in thirty folders from each kind of mailbox, while the service is killed twenty
times; then the same again, which has to add nothing. What came is compared by imaplib."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from imapclient import imap_utf7

from tests.corpus import PUBLIC
from tests.servers.dovecot import Dovecot, Mail
from tests.servers.mailutils import Mailutils
from tests.transfer.checker import Contents, Seen, contents, differences, maildrop, of_files
from tests.transfer.letters import FIRST, Letter, corpus, letters
from tests.transfer.stage import JSON, Kills, Stage, login

KILLS = 20
STEPS = {"dovecot": (200, 1500), "maildir": (100, 700), "mailutils-imap": (100, 700), "mailutils-pop3": (100, 700)}
_PRESENT = 2020
"""Years after this are those of asking: see mailutils."""


def made(count: int, large: int) -> list[Letter]:
    """The mail, with that of the corpus among it."""
    extra = corpus(PUBLIC) if PUBLIC.is_dir() else []
    mails = list(letters(count - len(extra), large=large))
    return [*mails, *(Letter("Archive", (octets, ("$seen",), FIRST)) for octets in extra)]


class Run:
    """One run of all kinds."""

    def __init__(self, stage: Stage, mails: Sequence[Letter], kills: int) -> None:
        self._stage, self._mails, self._kills = stage, mails, kills
        self.is_good = True

    async def dovecot(self) -> None:
        """IMAP to IMAP, with everything."""
        dovecot = self._stage.dovecot
        old, new = dovecot.user("old"), dovecot.user("new")
        self._stage.seed(old, self._mails)
        told = await self._import("dovecot", new, login(old))
        self._compare("dovecot", told, contents(dovecot, old), contents(dovecot, new))

    async def maildir(self) -> None:
        """Files with LF alone, as most programs write them."""
        post = self._stage.post
        assert post is not None
        user, new = post.user("ann"), self._stage.dovecot.user("new")
        mails = [(each.folder, _with_lf(each)) for each in self._mails]
        for folder, mail in mails:
            name = (
                "" if folder == "INBOX" else "." + imap_utf7.encode(folder.replace(".", "_")).decode().replace("/", ".")
            )
            post.deliver(user, *mail, folder=name)
        told = await self._import("maildir", new, login(user, "disk", "maildir"))
        expected: Contents = {}
        for folder in {folder for folder, _ in mails}:
            expected[folder] = of_files(mail for name, mail in mails if name == folder)
        self._compare("maildir", told, expected, contents(self._stage.dovecot, new))

    async def mailutils_imap(self) -> None:
        """A server that knows little: dates are those of headers."""
        mailutils = self._stage.mailutils
        assert mailutils is not None
        old, new = mailutils.user(), self._stage.dovecot.user("new")
        for folder in dict.fromkeys(each.folder for each in self._mails):
            mailutils.seed(old, [_kept(each) for each in self._mails if each.folder == folder], folder)
        told = await self._import("mailutils-imap", new, login(old, "old", "imap"))
        here, there = contents(mailutils, old), contents(self._stage.dovecot, new)
        unknown = _of_present(here) | _of_present(there)
        self._compare("mailutils-imap", told, _without_present(here, unknown), _without_present(there, unknown))

    async def mailutils_pop3(self) -> None:
        """One folder, without flags and dates."""
        mailutils = self._stage.mailutils
        assert mailutils is not None
        old, new = mailutils.user(), self._stage.dovecot.user("new")
        mailutils.seed(old, [_kept(each) for each in self._mails])
        told = await self._import("mailutils-pop3", new, login(old, "old", "pop3"))
        found = contents(self._stage.dovecot, new)
        inbox = Counter(each.without(flags=True, at=True) for each in found["INBOX"].elements())
        self._compare("mailutils-pop3", told, {"INBOX": maildrop(mailutils.ports.pop3, old)}, {"INBOX": inbox})

    async def _import(self, name: str, user: str, new: JSON) -> Kills:
        began = time.monotonic()
        told = await self._stage.run_killed(user, new, self._kills, steps=STEPS[name])
        print(f"{name}: {told.count} kills, {len(told.answers)} answers, {time.monotonic() - began:.0f} s")
        return told

    def _compare(self, name: str, told: Kills, source: Contents, destination: Contents) -> None:
        total = sum(each.total() for each in source.values())
        found = differences(source, {folder: rows for folder, rows in destination.items() if folder in source or rows})
        again = {key: told.again[key] for key in ("copied", "skipped", "left")}
        print(f"{name}: {total} messages in {len(source)} folders; again: {again}; failed: {told.again['failed']}")
        for difference in found:
            print(f"  {difference}")
        self.is_good &= not found and not again["copied"] and not told.again["failed"] and told.count == self._kills


def _with_lf(letter: Letter) -> Mail:
    source, flags, at = letter.mail
    return source.replace(b"\r\n", b"\n"), flags, at


def _kept(letter: Letter) -> Mail:
    """Without messages marked as deleted, which POP3 does not have."""
    source, flags, at = letter.mail
    return source.replace(b"\r\n", b"\n"), [flag for flag in flags if flag != "$deleted"], at


def _of_present(found: Contents) -> set[str]:
    """The digests of messages whose dates imap4d does not know: it says the time of asking, but not each time."""
    return {each.octets for rows in found.values() for each in rows if each.at is None or each.at.year > _PRESENT}


def _without_present(found: Contents, unknown: set[str]) -> Contents:
    """Without what imap4d does not know of a date: of one without seconds it says others each time."""
    return {
        folder: Counter(_to_the_minute(each, unknown) for each in rows.elements()) for folder, rows in found.items()
    }


def _to_the_minute(seen: Seen, unknown: set[str]) -> Seen:
    return seen._replace(at=None if seen.at is None or seen.octets in unknown else seen.at.replace(second=0))


async def main(count: int, large: int, kills: int, kinds: Sequence[str]) -> bool:
    """Whether all is as it has to be."""
    mails = made(count, large)
    plain = [each for each in made(count, 0) if b"\r\n\r\n" in each.mail[0]]
    with Dovecot() as dovecot, Mailutils() as mailutils, tempfile.TemporaryDirectory() as folder:
        stage = Stage(dovecot, mailutils, Path(folder))
        runs = {"dovecot": Run(stage, mails, kills), "other": Run(stage, plain, kills)}
        for kind in kinds:
            run = runs["dovecot" if kind in {"dovecot", "maildir"} else "other"]
            await getattr(run, kind.replace("-", "_"))()
        return all(run.is_good for run in runs.values())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.transfer", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=4)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("kinds", nargs="*", default=list(STEPS), metavar="kind")
    options = parser.parse_args()
    sys.exit(0 if asyncio.run(main(options.count, options.large, options.kills, options.kinds)) else 1)
