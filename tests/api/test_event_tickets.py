"""What the ticket of a common stream holds, and the token of the state of several accounts."""

from secrets import token_bytes, token_urlsafe

import httpx
import pytest

from service.accounts.credentials import Credentials, SecretKind
from service.accounts.tokens import EVENT_TICKET_SECONDS, Listener, Sessions
from service.api.events.position import LOST, open_position, seal_position
from service.api.events.response import names_of
from service.app import create_app
from service.mail.errors import StaleToken, Unauthenticated
from service.mail.model import Protocol
from service.settings.model import KEY_OCTETS, Settings

SESSIONS = Sessions([token_bytes(KEY_OCTETS)], 3600)
IN_A_REQUEST_LINE = 8 << 10


def signed_in(number: int, secret: str = "secret", now: float | None = None) -> Listener:
    credentials = Credentials("home", Protocol.IMAP, f"user{number}@example.org", secret, SecretKind.ACCESS_TOKEN)
    session = SESSIONS.session_of(SESSIONS.seal(credentials, now)[0])
    assert session is not None
    return Listener(credentials, session)


def test_a_ticket_holds_sessions_and_is_good_for_nothing_else() -> None:
    """R-HTTP-37: for ten minutes; each session still ends by itself."""
    listeners = [signed_in(1), signed_in(2, now=1000.0)]
    ticket, expires = SESSIONS.seal_event_ticket(listeners)
    assert list(SESSIONS.open_event_ticket(ticket)) == listeners
    with pytest.raises(Unauthenticated):
        SESSIONS.open_event_ticket(ticket, expires)
    assert SESSIONS.open_event_ticket(ticket, expires - EVENT_TICKET_SECONDS)
    with pytest.raises(Unauthenticated):
        SESSIONS.open(ticket)
    with pytest.raises(Unauthenticated):
        SESSIONS.open_part_link(ticket, "m", "1")
    token, _ = SESSIONS.seal(listeners[0].credentials)
    for other in (token, SESSIONS.seal_part_link(listeners[0].credentials, "m", "1"), ticket[:-2]):
        with pytest.raises(Unauthenticated):
            SESSIONS.open_event_ticket(other)
    listeners[0].require_unexpired()
    with pytest.raises(Unauthenticated):
        listeners[1].require_unexpired()


def test_a_state_that_is_too_long_is_left_out_and_its_account_lists_again() -> None:
    """R-OPS-19: the others continue where they were."""
    states = {"a": b"short", "b": token_bytes(4000), "c": token_bytes(3000), "d": b"1:2,"}
    token = seal_position(SESSIONS, states)
    assert len(token) < IN_A_REQUEST_LINE
    assert open_position(SESSIONS, token) == {**states, "b": LOST}
    with pytest.raises(StaleToken):
        open_position(SESSIONS, SESSIONS.seal_sync_token("a", "account", b"x"))


async def test_sessions_that_do_not_fit_into_one_ticket_are_413() -> None:
    """Of fifty accounts with passwords all fit."""
    app = create_app(Settings(servers={}, secret_keys=token_urlsafe(KEY_OCTETS)))
    sessions: Sessions = app.state.service.sessions
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://casella.example.org") as client:
        for secret, status in (("secret", 201), (token_urlsafe(3000), 413)):
            tokens = [sessions.seal(signed_in(number, secret).credentials)[0] for number in range(50)]
            answer = await client.post("/v1/events/tickets", json={"tokens": tokens})
            assert answer.status_code == status, answer.text
            assert secret not in answer.text


@pytest.mark.parametrize("given", [None, "", ",", " , "])
def test_no_names_of_folders_are_all_folders(given: str | None) -> None:
    """R-OPS-19: as in a search; a stream that never says anything helps nobody."""
    assert names_of(given) is None
    assert names_of(f"{given or ''},inbox") == frozenset({"inbox"})
