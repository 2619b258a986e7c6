"""The store of requests done with an Idempotency-Key, and its limits."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from tracemalloc import get_traced_memory, start, stop
from typing import Any

import httpx
import pytest

from service.api.idempotency import UNKNOWN, IdempotencyStore
from service.api.idempotency_records import LARGEST_ANSWER, OF_ACCOUNT, OF_ALL, SECONDS, Record, Records
from service.mail.errors import AlreadyDone, InvalidRequest, LoginRefused, UpstreamError
from service.mail.model import Value
from tests.api.served import CANARY, served
from tests.api.served import USER as ME_USER
from tests.api.test_brake import ME, PASSWORD, USER, sluggish
from tests.api.test_problems import is_problem
from tests.servers.scripted import Imap, ScriptedServer

BULK = f"{ME}/messages/bulk"


class Answer(Value):
    text: str


class Work:
    """Something to be done once."""

    def __init__(self, size: int = 10, error: BaseException | None = None) -> None:
        self.size, self.error, self.done = size, error, 0

    async def __call__(self) -> Answer:
        self.done += 1
        if self.error is not None:
            raise self.error
        return Answer(text="x" * self.size)


async def nobody_asks() -> None:
    """Who it is that asks."""


async def once(
    store: IdempotencyStore, work: Callable[[], Awaitable[Answer]], key: str = "k", account: str = "a"
) -> Answer:
    return await store.once(account, key, b"request", work, nobody_asks)


def record_of(records: Records, account: str, key: str) -> Record | None:
    return records.get(account, key, 0)


async def test_keys_of_one_account_never_evict_those_of_another() -> None:
    """R-HTTP-28: more keys than an account may have, and one account with more than all others together."""
    records = Records()
    store, mine, theirs = IdempotencyStore(records), Work(), Work()
    await once(store, mine, account="mine")
    for n in range(10_400):
        await once(store, theirs, f"k{n}", "theirs")
    assert await once(store, mine, account="mine") == Answer(text="x" * 10)
    assert mine.done == 1
    assert records.octets <= 2 * OF_ACCOUNT
    await once(store, theirs, "k10399", "theirs")
    assert theirs.done == 10_400
    await once(store, theirs, "k0", "theirs")  # its own oldest is forgotten, as docs/write.md says
    assert theirs.done == 10_401


async def test_answers_are_evicted_before_records() -> None:
    """R-HTTP-28: far more octets of answers than fit. Nothing is done twice."""
    records = Records()
    store, work = IdempotencyStore(records), Work(size=LARGEST_ANSWER // 2)
    for n in range(100):
        await once(store, work, f"k{n}")
    assert records.octets <= OF_ACCOUNT
    assert len(records) == 100
    assert (await once(store, work, "k99")).text == "x" * work.size
    with pytest.raises(AlreadyDone):
        await once(store, work, "k0")
    with pytest.raises(InvalidRequest):
        await store.once("a", "k0", b"another request", work, nobody_asks)
    assert work.done == 100


async def test_answers_and_records_both_have_room() -> None:
    """R-HTTP-28: the newest large answers are kept, with at least 2,000 records. The newest answer always is."""
    records = Records()
    store, work = IdempotencyStore(records), Work(size=100_000)
    for n in range(2500):
        await once(store, work, f"k{n}")
        assert records.octets <= OF_ACCOUNT
    assert (await once(store, work, "k2490")).text == "x" * work.size
    with pytest.raises(AlreadyDone):
        await once(store, work, "k500")
    assert work.done == 2500
    await once(store, work, "k0")
    assert work.done == 2501


async def test_an_answer_too_large_to_keep_is_not_done_twice() -> None:
    """R-HTTP-28."""
    records = Records()
    store, work = IdempotencyStore(records), Work(size=LARGEST_ANSWER + 1)
    assert len((await once(store, work)).text) == work.size
    for _ in range(2):
        with pytest.raises(AlreadyDone):
            await once(store, work)
    assert work.done == 1
    assert records.octets < 5000


def test_very_many_accounts_share_the_memory_limit() -> None:
    """R-HTTP-28: an account with few records loses nothing to one with many, and the total is limited."""
    records = Records(of_account=100_000, of_all=1_000_000)
    little = Record(b"r", SECONDS, Answer, b"x" * 100)
    much = Record(b"r", SECONDS, Answer, b"x" * 10_000)
    for n in range(50):
        records.put(f"little{n}", "k", little)
    for account in range(40):
        for n in range(15):
            records.put(f"much{account}", f"k{n}", much)
            assert records.octets <= 1_000_000
    assert all(record_of(records, f"little{n}", "k") == little for n in range(50))
    newest = [record_of(records, f"much{account}", "k14") for account in range(40)]
    assert all(record is not None for record in newest)
    assert newest[-1] == much


def test_records_expire_on_requests_of_any_account() -> None:
    """R-HTTP-28: an account's records expire even if it sends no further request, and leave nothing behind."""
    records = Records()
    for n in range(1000):
        records.put(f"a{n}", "k", Record(b"r", n, Answer, b"x"))
    assert records.get("a999", "k", 998) is not None
    assert len(records) == 1
    assert records.get("a999", "k", 999) is None
    assert (len(records), records.octets, len(records._accounts), len(records._by_size)) == (0, 0, 0, 0)


def test_the_counted_octets_are_those_taken() -> None:
    """R-HTTP-28: octets in memory, for records without an answer too."""
    records = Records()
    start()
    try:
        before, _ = get_traced_memory()
        for n in range(20_000):
            records.put(
                f"account {n}", f"a key as long as a uuid has it {n:05}", Record(bytes([n % 256]) * 16, 1.0 + n)
            )
        after, _ = get_traced_memory()
    finally:
        stop()
    assert len(records) == 20_000
    assert after - before < records.octets * 1.1 < OF_ALL


@pytest.mark.parametrize("code", [UNKNOWN, "notRemoved", "deleteUnconfirmed"])
async def test_an_unknown_outcome_is_stored_and_holds_no_frames(code: str) -> None:
    """R-HTTP-28, R-CONC-06: a stored error keeps nothing of the request alive."""
    records = Records()
    store, work = IdempotencyStore(records), Work(error=UpstreamError("lost", code=code))
    for _ in range(3):
        with pytest.raises(UpstreamError, match="lost"):
            await once(store, work)
    assert work.done == 1
    record = record_of(records, "a", "k")
    assert record is not None
    assert record.error is not None
    assert record.error.__traceback__ is None


async def test_an_interrupted_request_is_unknown_and_a_failed_one_is_tried_again() -> None:
    """R-HTTP-28, R-CONC-06."""
    store = IdempotencyStore()
    with pytest.raises(asyncio.CancelledError):
        await once(store, Work(error=asyncio.CancelledError()))
    with pytest.raises(UpstreamError) as unknown:
        await once(store, Work())
    assert unknown.value.code == UNKNOWN
    for error in (LoginRefused(), ValueError()):
        with pytest.raises(type(error)):
            await once(store, Work(error=error), "again")
    assert await once(store, Work(), "again") == Answer(text="x" * 10)


async def test_bulk_answers_under_new_keys_do_not_fill_the_memory() -> None:
    """R-HTTP-28: as requests, 600 results each; the last is answered as it was, the first is not done again."""
    async with sluggish() as (door, stage), stage.clients("192.0.2.1") as client:
        door.gate.set()
        client.auth = httpx.BasicAuth(USER, PASSWORD)
        body = {"ids": [f"m_{n}" for n in range(600)], "action": "flags", "add": ["$seen"]}
        answers = [await client.post(BULK, json=body, headers={"Idempotency-Key": f"k{n}"}) for n in range(60)]
        assert {answer.status_code for answer in answers} == {200}
        assert sum(len(answer.content) for answer in answers) > OF_ACCOUNT
        assert stage.service.idempotency._records.octets <= OF_ACCOUNT
        again = await client.post(BULK, json=body, headers={"Idempotency-Key": "k59"})
        assert again.json() == answers[-1].json()
        is_problem(await client.post(BULK, json=body, headers={"Idempotency-Key": "k0"}), 409, "already-done")


async def test_a_stored_response_is_for_those_with_the_password_only() -> None:
    """R-HTTP-12: also while the mail server cannot say whether a password is right. A session token was made with it."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(ScriptedServer([Imap()]))
        service = await stack.enter_async_context(served(server))
        made = await service.client.post("/v1/sessions", json={"username": ME_USER.username, "password": CANARY})
        bearer = {"Authorization": f"Bearer {made.json()['token']}"}

        async def again(**more: Any) -> httpx.Response:
            body = {"ids": ["m_none"], "action": "delete"}
            return await service.client.post(BULK, json=body, **{"headers": {"Idempotency-Key": "k"}, **more})

        assert (await again()).status_code == 200
        await server.__aexit__(None, None, None)
        is_problem(await again(auth=(ME_USER.username, "wrong")), 503, "upstream-unavailable")
        kept = await again(auth=None, headers={"Idempotency-Key": "k", **bearer})
        assert (kept.status_code, kept.json()["results"][0]["status"]) == (200, 404)
