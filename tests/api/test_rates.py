"""Guessing of passwords, as a client sees it."""

import asyncio

from tests.api.conftest import Connect, settings_for
from tests.api.test_problems import is_problem
from tests.servers.dovecot import PASSWORD, Dovecot

ME = "/v1/accounts/me"
BOUND = 5


async def test_guessing_is_answered_429_and_who_is_signed_in_goes_on(connect: Connect, dovecot: Dovecot) -> None:
    """R-HTTP-04: the mail server sees no more than the bound, and the owner's open mailbox stays open."""
    user = dovecot.user()
    rates = settings_for(dovecot).rates.model_copy(update={"account_failures": f"{BOUND}/hour"})
    async with connect(user, settings=settings_for(dovecot, rates=rates)) as client:
        assert (await client.get(ME)).status_code == 200
        for number in range(BOUND):
            answer = await client.get(ME, auth=(user, f"wrong {number}"))
            is_problem(answer, 401, "login-refused")
        for path in (ME, f"{ME}/folders", f"{ME}/messages/x"):
            answer = await client.get(path, auth=(user, "wrong again"))
            is_problem(answer, 429, "too-many-requests")
            assert 0 < int(answer.headers["retry-after"]) <= 3600
        new = {"username": user, "password": "wrong once more"}
        is_problem(await client.post("/v1/sessions", json=new), 429, "too-many-requests")
        assert (await client.get(ME)).status_code == 200
    failures = [line for line in dovecot.log.splitlines() if "auth failed" in line and f"user=<{user}>" in line]
    assert len(failures) <= BOUND


async def test_one_wrong_password_of_many_requests_is_tried_once(connect: Connect, dovecot: Dovecot) -> None:
    """R-HTTP-04: an application that asks for many things at once does not lock its user out."""
    user = dovecot.user()
    async with connect(user, "wrong") as client:
        answers = await asyncio.gather(*(client.get(ME) for _ in range(50)))
        assert {answer.status_code for answer in answers} == {401}
        assert (await client.get(ME, auth=(user, PASSWORD))).status_code == 200


async def test_strangers_do_not_use_up_what_an_account_may_ask(connect: Connect, dovecot: Dovecot) -> None:
    """R-HTTP-04: a request with a wrong password is none of the account's; its own are still bounded."""
    user = dovecot.user()
    rates = settings_for(dovecot).rates.model_copy(update={"account": f"{BOUND}/hour"})
    async with connect(user, settings=settings_for(dovecot, rates=rates)) as client:
        for number in range(BOUND + 1):
            is_problem(await client.get(ME, auth=(user, f"wrong {number}")), 401, "login-refused")
        assert [(await client.get(ME)).status_code for _ in range(BOUND + 1)] == [200] * BOUND + [429]
