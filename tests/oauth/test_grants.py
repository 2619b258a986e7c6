"""The state of a grant: which of two is newer, and what of it is sealed."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from service.accounts.credentials import Credentials, SealedGrant, SecretKind
from service.accounts.tokens import Sessions
from service.mail.errors import ConsentRequired, NotFound, Unauthenticated
from service.mail.model import Protocol
from service.oauth.client import IssuerClient
from service.oauth.grants import Grants, SessionGrant
from service.oauth.issuer import Issuer as Row
from service.oauth.issuer import Tokens
from tests.servers.issuer import CLIENT, SECRET, Issuer

NOW = time.time()
STATE = SealedGrant("fake", 1, "r1", "a1", NOW + 1000, 1000)


@pytest.fixture
async def grants(issuer: Issuer) -> AsyncIterator[Grants]:
    made = Grants({"fake": IssuerClient(Row("fake", CLIENT, SECRET, url=issuer.url))}, 1000)
    yield made
    await made.aclose()


def credentials(session: str, grant: SessionGrant) -> Credentials:
    return Credentials("home", Protocol.IMAP, "ann@example.org", session, SecretKind.GRANT, grant)


async def test_the_newest_state_is_kept(grants: Grants) -> None:
    grant = grants.of("s", STATE)
    newer = STATE._replace(generation=2, refresh="r2", access="a2", ends_at=NOW + 2000)
    assert grants.of("s", newer) is grant
    grants.of("s", STATE)
    assert grant.sealed == newer


async def test_a_newer_state_without_an_access_token_leaves_the_one_that_is_there(grants: Grants) -> None:
    grant = grants.of("s", STATE)
    grants.of("s", STATE._replace(generation=2, refresh="r2", access="", ends_at=0))
    assert (grant.sealed.generation, grant.sealed.refresh, grant.sealed.access) == (2, "r2", "a1")


async def test_a_ticket_never_replaces_a_refresh_token_and_a_session_token_completes_a_ticket(grants: Grants) -> None:
    whole = grants.of("s", STATE)
    grants.of("s", STATE._replace(generation=2, refresh="", access="a2", ends_at=NOW + 2000))
    assert (whole.sealed.generation, whole.sealed.refresh, whole.sealed.access) == (1, "r1", "a2")
    ticket = grants.of("t", STATE._replace(refresh=""))
    grants.of("t", STATE)
    assert ticket.sealed == STATE


async def test_a_ticket_whose_access_token_has_ended_asks_no_issuer(grants: Grants, issuer: Issuer) -> None:
    grant = grants.of("s", STATE._replace(refresh="", ends_at=NOW - 1))
    with pytest.raises(ConsentRequired):
        await grant.access_token()
    assert not issuer.asked


async def test_a_refresh_goes_on_if_the_request_that_began_it_is_gone(grants: Grants, issuer: Issuer) -> None:
    """The issuer would not take the old refresh token again."""
    issuer.delay = 0.2
    grant = grants.of("s", STATE._replace(refresh=issuer.grant("ann@example.org"), ends_at=NOW - 1))
    request = asyncio.create_task(grant.access_token())
    while not issuer.asked["refresh_token"]:
        await asyncio.sleep(0.01)
    request.cancel()
    assert issuer.is_active((await grant.access_token()).value) == "ann@example.org"
    assert (issuer.asked["refresh_token"], grant.sealed.generation) == (1, 2)


async def test_a_session_that_was_ended_gives_nothing(grants: Grants) -> None:
    grant = grants.of("s", STATE)
    grants.end("s")
    with pytest.raises(ConsentRequired):
        await grant.access_token()


async def test_an_issuer_that_is_no_longer_there(grants: Grants) -> None:
    with pytest.raises(Unauthenticated):
        grants.of("s", STATE._replace(issuer="other"))
    with pytest.raises(NotFound):
        grants.client("other")


async def test_a_session_token_is_short_enough_for_a_header_field(grants: Grants) -> None:
    """The access token is left out if both are long: any replica gets another one. A link has it and no more."""
    sessions = Sessions([b"k" * 32], 1000)
    session, grant = grants.begin("fake", Tokens("a" * 2000, 3600, "r" * 2000))
    token, _ = sessions.seal(credentials(session, grant))
    assert sessions.grant_of(token) == grant.sealed
    session, grant = grants.begin("fake", Tokens("a" * 2500, 3600, "r" * 2500))
    token, _ = sessions.seal(credentials(session, grant))
    assert len(token) < 8000
    assert sessions.grant_of(token) == grant.sealed._replace(access="", ends_at=0)
    link = sessions.seal_part_link(credentials(session, grant), "m", "1")
    assert sessions.grant_of(link) == grant.sealed._replace(refresh="")


async def test_all_tokens_of_a_session_have_its_id(grants: Grants) -> None:
    sessions = Sessions([b"k" * 32], 1000)
    session, grant = grants.begin("fake", Tokens("a", 3600, "r"))
    first, _ = sessions.seal(credentials(session, grant))
    second, _ = sessions.seal(credentials(session, grant))
    assert first != second
    ids = {found.value for token in (first, second) if (found := sessions.session_of(token))}
    assert ids == {session}
    assert sessions.open(first) == credentials(session, grant)


async def test_a_slow_issuer_holds_no_request_up_while_the_access_token_is_good(
    grants: Grants, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refresh goes on, and a later request brings its result."""
    monkeypatch.setattr("service.oauth.grants.PATIENCE", 0.05)
    issuer.delay = 1.5
    ends_at = time.time() + 5
    grant = grants.of("s", STATE._replace(refresh=issuer.grant("ann@example.org"), ends_at=ends_at))
    began = time.monotonic()
    await grant.keep_fresh()
    assert time.monotonic() - began < 1
    assert (await grant.access_token()).value == "a1"
    deadline = time.monotonic() + 10
    while grant.sealed.generation == 1:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert issuer.asked["refresh_token"] == 1
