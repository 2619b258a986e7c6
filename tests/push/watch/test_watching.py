"""Mailboxes are watched on the store, and devices are woken."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.mail.errors import LoginRefused, NotFound
from service.mail.model import Protocol
from service.mail.search.filter import ListQuery
from service.push.model import MOST_FAILURES, Alert, Change, Event, Notice, Outcome, SignInAgain, Subscription
from service.push.watch import worker
from service.push.watch.content import write_subscription
from service.push.watch.news import alert_of
from service.settings.model import Settings
from service.standing.credentials import write_credentials
from service.standing.starts import Starts
from service.store.model import Item
from service.store.opened import Store
from service.store.subscriptions import Watched
from tests.push.watch.site import KEYS, Recorder, Site, credentials_of, running, settings_of, subscription_of, until
from tests.servers.dovecot import Dovecot
from tests.servers.postgres import Postgres

pytestmark = pytest.mark.dovecot
MAIL = b"From: Ann <ann@example.org>\r\nSubject: hello\r\n\r\nworld\r\n"
SECONDS = 3.0


def change_of(notice: Notice) -> Change:
    assert isinstance(notice, Change)
    return notice


async def test_mail_by_append_wakes_the_phone(dovecot: Dovecot, store_url: str) -> None:
    """Within three seconds, on each kind of database, and once for each message."""
    credentials = credentials_of(dovecot.user())
    async with running(settings_of(dovecot, store_url)) as site:
        phone = await site.subscribe(credentials)
        for number in range(3):
            dovecot.append(credentials.username, MAIL)
            done_at = time.monotonic()
            pushed = await site.recorder.next(phone, number, SECONDS)
            assert pushed.at - done_at < SECONDS
            change = change_of(pushed.notice)
            assert change.account == credentials.account
            assert change.events == {Event.CREATED}
            assert len(change.folders) == 1
            assert change.token
        assert len(site.recorder.pushed) == 3


async def test_mail_that_comes_before_the_watch_has_begun_is_not_missed(dovecot: Dovecot, store_url: str) -> None:
    """The mailbox's state is that of the moment when the device showed its code."""
    credentials = credentials_of(dovecot.user())
    phone = subscription_of()
    async with running(settings_of(dovecot, store_url)) as site:
        await site.watching.keeper(credentials).keep(phone)
        dovecot.append(credentials.username, MAIL)
        await site.recorder.next(phone)


async def test_nothing_is_missed_over_a_restart(dovecot: Dovecot, store_url: str) -> None:
    """The change token is kept in the store. What was told before is not told again."""
    credentials, recorder = credentials_of(dovecot.user()), Recorder()
    settings = settings_of(dovecot, store_url)
    async with running(settings, recorder) as site:
        phone = await site.subscribe(credentials)
        dovecot.append(credentials.username, MAIL)
        await recorder.next(phone)
    dovecot.append(credentials.username, MAIL)
    async with running(settings, recorder) as site:
        await recorder.next(phone, 1)
        await until(lambda: site.is_watched(credentials))
    async with running(settings, recorder) as site:
        await until(lambda: site.is_watched(credentials))
    assert len(recorder.pushed) == 2


async def test_a_push_that_was_not_handed_over_is_sent_by_the_next_process(dovecot: Dovecot, store_url: str) -> None:
    """The token moves after the push, so an end in between leads to a second push, and never to none."""

    class Hanging(Recorder):
        async def push(self, subscription: Subscription, notice: Notice) -> Outcome:
            await super().push(subscription, notice)
            await asyncio.Event().wait()
            raise AssertionError

    credentials, hanging, recorder = credentials_of(dovecot.user()), Hanging(), Recorder()
    settings = settings_of(dovecot, store_url)
    async with running(settings, hanging) as site:
        phone = await site.subscribe(credentials)
        dovecot.append(credentials.username, MAIL)
        before = change_of((await hanging.next(phone)).notice)
    async with running(settings, recorder):
        after = change_of((await recorder.next(phone)).notice)
    assert (after.folders, after.events) == (before.folders, before.events)


async def test_devices_hear_of_what_they_asked_for(dovecot: Dovecot, file_url: str) -> None:
    """They share one watch of the mailbox."""
    credentials = credentials_of(dovecot.user())
    user = credentials.username
    async with running(settings_of(dovecot, file_url)) as site:
        async with site.tools.accounts.mailbox(credentials) as mailbox:
            ids = {folder.role: folder.id for folder in await mailbox.list_folders()}
        all_of_it = await site.subscribe(credentials, device="all", events=frozenset(Event))
        junk = await site.subscribe(credentials, device="junk", folders=(ids["junk"],))
        new = await site.subscribe(credentials, device="new")
        assert len(site.watching._worker._watches) == 1
        dovecot.append(user, MAIL)
        first = change_of((await site.recorder.next(new)).notice)
        assert first.folders == (ids["inbox"],)
        dovecot.append(user, MAIL, folder="Junk")
        second = change_of((await site.recorder.next(junk)).notice)
        assert second.folders == (ids["junk"],)
        await site.recorder.next(new, 1)
        async with site.tools.accounts.mailbox(credentials) as mailbox:
            [row] = (await mailbox.list_messages(ids["inbox"], ListQuery(10))).items
            await mailbox.change_flags(row.id, ["$flagged"], [])
        await until(lambda: any(Event.UPDATED in each.events for each in site.recorder.changes(all_of_it)))
        assert len(site.recorder.of(junk)) == 1
        assert len(site.recorder.of(new)) == 2


async def test_an_alert_names_sender_and_subject(dovecot: Dovecot, file_url: str) -> None:
    """Only for the device that asked for it."""
    credentials = credentials_of(dovecot.user())
    async with running(settings_of(dovecot, file_url)) as site:
        plain = await site.subscribe(credentials, device="plain")
        shown = await site.subscribe(credentials, device="shown", with_alert=True)
        dovecot.append(credentials.username, MAIL)
        assert change_of((await site.recorder.next(shown)).notice).alert == Alert("Ann", "hello")
        assert change_of((await site.recorder.next(plain)).notice).alert is None
        dovecot.append(credentials.username, MAIL, ("$seen",))
        assert change_of((await site.recorder.next(shown, 1)).notice).alert is None


async def test_an_alert_is_of_unread_mail_in_any_of_the_folders(dovecot: Dovecot, file_url: str) -> None:
    """A copy in Sent that came at the same time hides no new mail."""
    credentials = credentials_of(dovecot.user())
    async with running(settings_of(dovecot, file_url)) as site, site.tools.accounts.mailbox(credentials) as mailbox:
        folders = [(await mailbox.create_folder(name)).id for name in ("A", "B", "C")]
        mark = await mailbox.get_sync_token(None)
        for name, flags in (("A", ("$seen",)), ("B", ()), ("C", ("$seen",))):
            dovecot.append(credentials.username, MAIL.replace(b"hello", name.encode()), flags, folder=name)
        changes = await mailbox.list_all_changes(mark)
        assert {each.folder_id for each in changes.folders} == {*folders}
        assert await alert_of(mailbox, changes, folders) == Alert("Ann", "B")


async def keep_with(site: Site, user: str, password: str, phone: Subscription) -> None:
    """As if the password had changed since the device subscribed."""
    credentials = credentials_of(user, password)
    item = Item(phone.id, write_subscription(phone), 0, phone.expires_at.timestamp())
    watched = Watched(credentials.account, write_credentials(credentials), mark=b"mark")
    await site.tools.store.subscriptions.keep(watched, item, "webpush phone", is_active=True)


async def test_a_wrong_password_is_tried_once(dovecot: Dovecot, store_url: str) -> None:
    """R-OPS-41: one push says so. Neither beats nor restarts try again: mail servers lock accounts. The app subscribes
    with the new password, and all goes on."""
    user, phone, recorder = dovecot.user("changed"), subscription_of(), Recorder()
    settings = settings_of(dovecot, store_url)
    async with running(settings, recorder) as site:
        await keep_with(site, user, "wrong", phone)
        assert isinstance((await recorder.next(phone)).notice, SignInAgain)
        await until(lambda: not site.watching._worker._watches)
    async with running(settings, recorder) as site:
        await asyncio.sleep(1)  # three beats
        assert not site.watching._worker._watches
        assert failures(dovecot, user) == 1
        assert len(recorder.pushed) == 1
        await site.subscribe(credentials_of(user))
        dovecot.append(user, MAIL)
        await until(lambda: any(isinstance(each.notice, Change) for each in recorder.pushed))
    assert [type(each.notice) for each in recorder.pushed] == [SignInAgain, Change]


def failures(dovecot: Dovecot, user: str) -> int:
    """Logins that Dovecot refused."""
    return sum(user in line and "auth failed" in line for line in dovecot.log.splitlines())


async def test_a_password_that_changes_while_it_is_watched_ends_the_watch(dovecot: Dovecot, file_url: str) -> None:
    """R-OPS-41: with the next connection."""
    user, recorder = dovecot.user("changing"), Recorder()
    async with running(settings_of(dovecot, file_url), recorder) as site:
        phone = await site.subscribe(credentials_of(user))
        await keep_with(site, user, "wrong", phone)
        assert isinstance((await recorder.next(phone)).notice, SignInAgain)


async def test_a_device_that_is_gone_is_forgotten(dovecot: Dovecot, file_url: str) -> None:
    """404 and 410 end a subscription, and the last one ends the watch."""
    credentials = credentials_of(dovecot.user())
    async with running(settings_of(dovecot, file_url)) as site:
        lost = await site.subscribe(credentials, device="lost")
        kept = await site.subscribe(credentials, device="kept")
        site.recorder.outcome = lambda each: Outcome.GONE if each.device == "lost" else Outcome.DELIVERED
        for number in range(2):
            dovecot.append(credentials.username, MAIL)
            await site.recorder.next(kept, number)
        assert len(site.recorder.of(lost)) == 1
        assert [each.id for each in await site.watching.keeper(credentials).all()] == [kept.id]
        site.recorder.outcome = lambda _: Outcome.GONE
        dovecot.append(credentials.username, MAIL)
        await until(lambda: not site.watching._worker._watches)
        assert await site.watching.keeper(credentials).all() == []


async def test_ten_failures_without_a_success_end_a_subscription(dovecot: Dovecot, file_url: str) -> None:
    """One message is enough: the device is owed a push, which is tried again."""
    credentials = credentials_of(dovecot.user())
    async with running(settings_of(dovecot, file_url), retry=0.001) as site:
        site.recorder.outcome = lambda _: Outcome.FAILED
        phone = await site.subscribe(credentials)
        dovecot.append(credentials.username, MAIL)
        await until(lambda: not site.watching._worker._watches)
        assert len(site.recorder.of(phone)) == MOST_FAILURES
        assert await site.watching.keeper(credentials).all() == []


async def test_a_device_that_failed_is_owed_a_push(dovecot: Dovecot, store_url: str) -> None:
    """After a restart too, and without any more mail. A success starts the count again."""
    credentials, recorder = credentials_of(dovecot.user()), Recorder()
    settings = settings_of(dovecot, store_url)
    async with running(settings, recorder, retry=60) as site:
        recorder.outcome = lambda _: Outcome.FAILED
        phone = await site.subscribe(credentials)
        [(watch, _)] = site.watching._worker._watches.values()
        before = watch._saved
        dovecot.append(credentials.username, MAIL)
        await until(lambda: watch._saved != before)
    [item] = await _items(settings, credentials.account)
    assert item.failures == 1
    recorder.outcome = lambda _: Outcome.DELIVERED
    async with running(settings, recorder, retry=0.01):
        await recorder.next(phone, 1)
        async with asyncio.timeout(10):
            while (await _items(settings, credentials.account))[0].failures:
                await asyncio.sleep(0.02)
    assert len(recorder.pushed) == 2


async def _items(settings: Settings, account: str) -> list[Item]:
    assert settings.store.url is not None
    store = Store(settings.store.url.get_secret_value(), [key.get_secret_value() for key in settings.secret_keys])
    try:
        return await store.subscriptions.all(account)
    finally:
        await store.aclose()


async def test_a_device_that_hangs_holds_up_no_other(dovecot: Dovecot, file_url: str) -> None:
    """Nor does one for which the pusher has a bug."""

    class Broken(Recorder):
        async def push(self, subscription: Subscription, notice: Notice) -> Outcome:
            await super().push(subscription, notice)
            if subscription.device == "hangs":
                await asyncio.Event().wait()
            if subscription.device == "bug":
                raise KeyError
            return Outcome.DELIVERED

    credentials, recorder = credentials_of(dovecot.user()), Broken()
    async with running(settings_of(dovecot, file_url), recorder, hand_over=0.2, retry=60) as site:
        for device in ("hangs", "bug"):
            await site.subscribe(credentials, device=device)
        phone = await site.subscribe(credentials)
        for number in range(3):
            dovecot.append(credentials.username, MAIL)
            await recorder.next(phone, number, SECONDS)
        assert len(recorder.pushed) == 5


async def test_what_expired_gets_nothing(dovecot: Dovecot, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost phone stops to cost a connection."""
    monkeypatch.setattr(worker, "SWEEP_SECONDS", 0)
    credentials, soon = credentials_of(dovecot.user()), datetime.now(UTC) + timedelta(seconds=1.5)
    async with running(settings_of(dovecot, store_url)) as site:
        await site.watching.keeper(credentials).keep(subscription_of(expires_at=soon))
        await until(lambda: datetime.now(UTC) > soon and not site.watching._worker._watches)
        dovecot.append(credentials.username, MAIL)
        assert await _items(settings_of(dovecot, store_url), credentials.account) == []
        async with site.tools.store.database.begin() as connection:
            assert (await connection.exec_driver_sql("select count(*) from casella_work")).scalar_one() == 0
        assert site.recorder.pushed == []


async def test_a_renewed_one_goes_on(dovecot: Dovecot, file_url: str) -> None:
    """With its new values and no new connection."""
    credentials = credentials_of(dovecot.user())
    async with running(settings_of(dovecot, file_url)) as site:
        phone = await site.subscribe(credentials, expires_at=datetime.now(UTC) + timedelta(seconds=60))
        [(watch, _)] = site.watching._worker._watches.values()
        later = replace(phone, expires_at=datetime.now(UTC) + timedelta(days=7), endpoint="https://push.example.org/2")
        await site.watching.keeper(credentials).keep(later)
        await until(lambda: [each.subscription for each in watch._devices._live()] == [later])
        dovecot.append(credentials.username, MAIL)
        assert (await site.recorder.next(phone)).subscription == later
        assert [each for each, _ in site.watching._worker._watches.values()] == [watch]


async def test_a_mailbox_without_push_is_polled(dovecot: Dovecot, file_url: str) -> None:
    credentials = credentials_of(dovecot.user(), protocol=Protocol.POP3)
    async with running(settings_of(dovecot, file_url), poll=0.2) as site:
        phone = await site.subscribe(credentials)
        [(watch, _)] = site.watching._worker._watches.values()
        assert watch.mode == "poll"
        dovecot.append(credentials.username, MAIL)
        assert change_of((await site.recorder.next(phone)).notice).events == {Event.CREATED}


async def test_watches_leave_connections_to_requests(dovecot: Dovecot, file_url: str) -> None:
    """Half of the server's connections may be of watches. Other mailboxes are polled."""
    users = [credentials_of(dovecot.user()) for _ in range(3)]
    async with running(settings_of(dovecot, file_url, server_connections=4), poll=0.2) as site:
        phones = [await site.subscribe(each) for each in users]
        assert site.watching._worker.modes() == {"push": 2, "poll": 1}
        for each, phone in zip(users, phones, strict=True):
            dovecot.append(each.username, MAIL)
            await site.recorder.next(phone)


async def test_credentials_that_do_not_work_subscribe_nothing(dovecot: Dovecot, file_url: str) -> None:
    async with running(settings_of(dovecot, file_url)) as site:
        credentials = credentials_of(dovecot.user(), "wrong")
        with pytest.raises(LoginRefused):
            await site.watching.keeper(credentials).keep(subscription_of())
        assert await site.watching.keeper(credentials).all() == []
        nowhere = replace(credentials, server="unknown")
        with pytest.raises(NotFound):
            await site.watching.keeper(nowhere).keep(subscription_of())


async def test_a_row_that_no_key_opens_is_left_alone(dovecot: Dovecot, file_url: str) -> None:
    """R-HTTP-17: and what other keys sealed does not hold up the rest."""
    async with running(settings_of(dovecot, file_url)) as site:
        await site.subscribe(credentials_of(dovecot.user()))
    async with running(settings_of(dovecot, file_url, secret_keys=KEYS[1:])) as site:
        phone = await site.subscribe(credentials := credentials_of(dovecot.user()))
        dovecot.append(credentials.username, MAIL)
        await site.recorder.next(phone)
        await until(lambda: len(site.watching._worker._watches) == 1)
        assert {each.subscription.id for each in site.recorder.pushed} == {phone.id}


async def test_replicas_share_the_mailboxes(dovecot: Dovecot, postgres: Postgres) -> None:
    """R-CONC-22: one that joins gets its share, and one that leaves has left its mailboxes to others within a second."""
    settings, recorder = (
        settings_of(dovecot, postgres.url(), store={"heartbeat_seconds": 1, "dead_seconds": 30}),
        Recorder(),
    )
    users = [credentials_of(dovecot.user()) for _ in range(12)]
    async with running(settings, recorder) as first, AsyncExitStack() as stack:
        phones = [await first.subscribe(each) for each in users]
        second = await stack.enter_async_context(running(settings, recorder))
        sites = (first, second)

        def counts() -> list[int]:
            return [sum(map(site.is_watched, users)) for site in sites]

        await until(lambda: sum(counts()) == len(users) and min(counts()) >= 5)
        await stack.aclose()
        left_at = time.monotonic()
        await until(lambda: sum(map(first.is_watched, users)) == len(users))
        assert time.monotonic() - left_at < 1
        for each, phone in zip(users, phones, strict=True):
            dovecot.append(each.username, MAIL)
            await recorder.next(phone)
    assert len(recorder.pushed) == len(users)


async def test_logins_begin_at_a_bounded_rate() -> None:
    """R-OPS-42: the first at once, others in turn, by host."""
    starts = Starts(rate=100, standing=1)
    began = time.monotonic()
    await asyncio.gather(*(starts.turn("home") for _ in range(30)), starts.turn("elsewhere"))
    assert time.monotonic() - began > 0.28
    began = time.monotonic()
    await starts.turn("third")
    assert time.monotonic() - began < 0.2
    with starts.standing("home") as may, starts.standing("home") as may_not, starts.standing("elsewhere") as other:
        assert (may, may_not, other) == (True, False, True)
    with starts.standing("home") as again:
        assert again
