"""States that clients keep."""

import pytest

from service.accounts.states import States
from service.mail.errors import StaleToken

OLD, NEW = b"o" * 32, b"n" * 32


def test_a_state_is_the_same_text_each_time_and_opens_with_old_keys() -> None:
    text = States([OLD]).sign("me", b"state")
    assert text == States([OLD, NEW]).sign("me", b"state")
    assert States([NEW, OLD]).open("me", text) == b"state"
    assert "=" not in text


@pytest.mark.parametrize(
    "change", [lambda text: text[:-1] + "A", lambda text: "", lambda text: "ä", lambda text: "A" * 99_999]
)
def test_only_the_service_makes_states(change: object) -> None:
    assert callable(change)
    states = States([OLD])
    text = states.sign("me", b"state")
    for account, given in (("me", change(text)), ("other", text)):
        with pytest.raises(StaleToken):
            states.open(account, given)
    with pytest.raises(StaleToken):
        States([NEW]).open("me", text)
