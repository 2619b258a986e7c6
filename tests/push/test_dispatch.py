"""What is pushed to whom, when a subscription is over, and what is sealed."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from secrets import token_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.mail.errors import InvalidRequest, NotSupported
from service.push import dispatch, losses
from service.push.dispatch import Dispatcher, wanted
from service.push.losses import SPACING, Losses
from service.push.model import MOST_FAILURES, Alert, Change, Event, Kind, Notice, Outcome, SignInAgain, Subscription
from service.push.room import MOST, without
from service.push.sealing import Note, Seals
from service.push.server import entry
from service.push.server.hook import MAX_WAITING, Hook
from tests.push.sending.made import CHANGE, NOW, at, of
from tests.servers.push import Phone, PushDouble

PHONE = of(Phone(PushDouble()))
SEALS = Seals([b"1" * 32])


class Slow:
    """A pusher whose pushes end when the test says so."""

    def __init__(self, outcome: Outcome = Outcome.DELIVERED) -> None:
        self.pushed: list[tuple[str, Notice]] = []
        self.outcome = outcome
        self.go = asyncio.Event()

    async def push(self, subscription: Subscription, notice: Notice) -> Outcome:
        self.pushed.append((subscription.id, notice))
        await self.go.wait()
        return self.outcome


async def test_what_comes_while_a_push_is_under_way_becomes_one() -> None:
    slow = Slow()
    dispatcher = Dispatcher(slow)
    for number in range(1000):
        dispatcher.change("account", PHONE, replace(CHANGE, token=f"t{number}", folders=(f"f_{number % 3}",)))
    await asyncio.sleep(0)
    assert len(slow.pushed) == 1
    slow.go.set()
    await dispatcher.settled()
    [(_, first), (_, then)] = slow.pushed
    assert isinstance(first, Change)
    assert isinstance(then, Change)
    assert (first.token, then.token) == ("t0", "t1")
    assert set(then.folders) == {"f_0", "f_1", "f_2"}


async def test_too_many_at_once_are_lost_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "MOST", 5)
    slow = Slow()
    dispatcher = Dispatcher(slow)
    for number in range(20):
        dispatcher.change("account", replace(PHONE, id=f"p_{number}"), CHANGE)
    slow.go.set()
    await dispatcher.settled()
    assert len(slow.pushed) == 5


async def test_what_is_under_way_ends_with_the_process() -> None:
    dispatcher = Dispatcher(Slow())
    dispatcher.tell("account", PHONE, SignInAgain("account", NOW))
    await asyncio.sleep(0)
    await dispatcher.aclose(0.01)
    await dispatcher.settled()


@pytest.mark.parametrize(
    ("subscription", "change", "is_told"),
    [
        (PHONE, CHANGE, True),
        (replace(PHONE, is_verified=False), CHANGE, False),
        (replace(PHONE, folders=("f_1", "f_2")), CHANGE, True),
        (replace(PHONE, folders=("f_2",)), CHANGE, False),
        (replace(PHONE, folders=("f_2",)), replace(CHANGE, folders=()), True),
        (replace(PHONE, events=frozenset({Event.UPDATED})), CHANGE, False),
        (replace(PHONE, events=frozenset({Event.UPDATED})), replace(CHANGE, events=frozenset(Event)), True),
    ],
)
def test_a_device_hears_of_what_it_asked_for(subscription: Subscription, change: Change, is_told: bool) -> None:
    assert (wanted(subscription, change) is not None) == is_told


def test_sender_and_subject_are_for_those_who_asked() -> None:
    change = replace(CHANGE, alert=Alert("Ann", "Lunch"), events=frozenset(Event))
    plain, alert = wanted(PHONE, change), wanted(replace(PHONE, with_alert=True), change)
    flags = wanted(replace(PHONE, with_alert=True, events=frozenset({Event.UPDATED})), change)
    assert [each and each.alert for each in (plain, alert, flags)] == [None, Alert("Ann", "Lunch"), None]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_an_endpoint_that_answers_400_for_ever_ends_after_ten_failures() -> None:
    clock = Clock()
    counted, failing = Losses(clock), Slow(Outcome.FAILED)
    failing.go.set()
    dispatcher = Dispatcher(failing, counted)
    for _ in range(MOST_FAILURES + 5):
        dispatcher.change("account", PHONE, CHANGE)
        await dispatcher.settled()
        clock.now += SPACING
    assert len(failing.pushed) == MOST_FAILURES
    assert counted.has("account")
    counted.removed("account")
    assert not counted.is_over(PHONE.id)


def test_an_outage_of_an_hour_and_failures_between_successes_end_nothing() -> None:
    clock = Clock()
    counted = Losses(clock)
    for _ in range(1000):
        counted.record("account", "p_1", Outcome.FAILED)
        clock.now += 3.6
    assert not counted.is_over("p_1")
    for _ in range(100):
        clock.now += SPACING
        counted.record("account", "p_1", Outcome.FAILED)
        if _ % 5 == 4:
            counted.record("account", "p_1", Outcome.DELIVERED)
    assert not counted.is_over("p_1")


def test_what_is_remembered_of_failures_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "_REMEMBERED", 10)
    counted = Losses()
    for number in range(100):
        counted.record(f"account {number}", f"p_{number}", Outcome.GONE)
    assert sum(counted.has(f"account {number}") for number in range(100)) == 10


def test_a_device_replaces_itself_and_the_eleventh_is_too_many() -> None:
    present = [replace(PHONE, id=f"p_{number}", device=f"{number}") for number in range(MOST)]
    with pytest.raises(InvalidRequest):
        without(present, replace(PHONE, id="p_new", device="new"))
    assert len(without(present, replace(PHONE, id="p_new", device="3"))) == MOST - 1
    with pytest.raises(InvalidRequest):
        without(present, replace(PHONE, id="p_new", device="3", kind=Kind.WEBHOOK))


@given(st.lists(st.text(max_size=200), max_size=5), st.binary(min_size=16, max_size=16))
def test_what_is_sealed_is_opened_by_any_of_the_keys_and_by_no_other(devices: list[str], auth: bytes) -> None:
    keys = [token_bytes(32) for _ in range(3)]
    assert PHONE.keys is not None
    phone = replace(PHONE, keys=replace(PHONE.keys, auth=auth))
    hook = replace(at("https://back-end.example.org/"), events=frozenset(Event), folders=("f_1", "f_2"))
    note = Note("account", tuple(replace(each, device=name) for name in devices for each in (phone, hook)))
    sealed = Seals(keys[:2]).seal(note)
    assert Seals([keys[2], keys[1], keys[0]]).open(sealed) == note
    assert Seals(keys[1:]).open(sealed) is None
    assert "push.example.org" not in sealed


@given(st.text(max_size=300) | st.from_regex(r"\A[A-Za-z0-9_-]{60,300}\Z"))
def test_what_is_not_sealed_opens_nothing(text: str) -> None:
    assert SEALS.open(text) is None
    assert entry.unsealed(SEALS, f"casella.{text}") == []


def test_what_was_changed_on_its_way_opens_nothing() -> None:
    sealed = SEALS.seal(Note("account", (PHONE,)))
    for place in range(0, len(sealed), 7):
        changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
        assert SEALS.open(changed) is None
    assert SEALS.open(sealed[:-4]) is None
    assert SEALS.open("") is None


def test_the_entry_keeps_what_others_wrote() -> None:
    note = Note("account", (PHONE,))
    value = entry.written(SEALS, b"folder=INBOX\tx=y", note)
    assert value is not None
    assert value.startswith(b"folder=INBOX\tx=y\tuser=casella.")
    assert entry.read(SEALS, value, "account") == note
    assert entry.written(SEALS, value, Note("account", ())) == b"folder=INBOX\tx=y"
    assert entry.written(SEALS, b"user=3@7", Note("account", ())) == b"user=3@7"
    with pytest.raises(NotSupported):
        entry.written(SEALS, b"user=3@7", note)
    unknown = b"user=casella." + Seals([b"2" * 32]).seal(note).encode()
    assert entry.read(SEALS, unknown, "account") is None
    assert entry.read(SEALS, entry.written(SEALS, unknown, note), "account") == note


class Counted(Seals):
    """Counts what it is to open."""

    count = 0

    def open(self, text: str) -> Note | None:
        self.count += 1
        return super().open(text)


def test_what_users_write_into_their_entry_costs_little() -> None:
    """The mail server hands it over with each delivery, and takes 200,000 octets and more."""
    seals = Counted([b"1" * 32])
    for value in (b"user=casella." + b"." * 200_000, b"user=casella.x\t" * 20_000, b"x\t" * 100_000):
        assert entry.read(seals, value, "account") is None
        assert entry.unsealed(seals, value.decode().removeprefix("user=")) == []
    assert seals.count < 200


def test_the_largest_subscriptions_that_may_be_are_read_again() -> None:
    """They compress well, so the entry has room for them."""
    folders = tuple(f"f_{number:02}".ljust(2000, "x") for number in range(20))
    large = replace(PHONE, device="\x01" * 200, endpoint="https://push.example.org/".ljust(1000, "a"), folders=folders)
    note = Note("account", tuple(replace(large, id=f"p_{number}") for number in range(MOST)))
    assert entry.read(SEALS, entry.written(SEALS, None, note), "account") == note


def test_two_accounts_of_one_mailbox_keep_their_own() -> None:
    """One is by another spelling of the username. A phone that changes over is woken once, and what expired goes."""
    old = replace(PHONE, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    tablet = replace(PHONE, id="p_2", device="tablet", endpoint="https://push.example.org/2")
    first, other = Note("first", (PHONE, tablet)), Note("other", (replace(tablet, id="p_3"),))
    value = entry.written(SEALS, None, first)
    assert entry.written(SEALS, value, Note("other", ())) == value
    value = entry.written(SEALS, value, other)
    assert entry.unsealed(SEALS, (value or b"").decode().removeprefix("user=")) == [Note("first", (PHONE,)), other]
    assert entry.written(SEALS, entry.written(SEALS, value, Note("first", ())), Note("other", ())) is None
    assert entry.read(SEALS, entry.written(SEALS, entry.written(SEALS, None, Note("o", (old,))), first), "o") is None


async def test_reports_that_wait_are_bounded() -> None:
    slow = Slow()
    hook = Hook(["secret"], SEALS, Dispatcher(slow), lambda _, name: f"f_{name}")
    expired = replace(PHONE, expires_at=datetime.now(UTC) - timedelta(seconds=1), id="p_expired")
    note = SEALS.seal(Note("account", (PHONE, expired)))
    body = b'{"user":"casella.%b","event":"messageNew","folder":"INBOX"}' % note.encode()
    large = body + b" " * 60_000
    for _ in range(MAX_WAITING // len(large) + 100):
        hook.report(large)
    await hook.drain()
    hook.report(body)
    working = asyncio.create_task(hook.work())
    await asyncio.sleep(0.01)
    working.cancel()
    assert [name for name, _ in slow.pushed] == [PHONE.id]


def test_a_secret_is_one_of_those_that_are_set() -> None:
    hook = Hook(["one", "two"], SEALS, Dispatcher(Slow()), lambda _, __: "")
    assert [hook.accepts(secret) for secret in ("one", "two", "three", "", "\ud800")] == [
        True,
        True,
        False,
        False,
        False,
    ]
