"""The initial responses of SASL, as the RFCs and Google show them."""

from base64 import b64decode

import pytest

from service.accounts.credentials import Credentials, SecretKind
from service.adapters.shared.sign_in.sasl import CANCEL, Exchange, bearer, plain
from service.mail.errors import InvalidRequest
from service.mail.model import Protocol

ALL = ("OAUTHBEARER", "XOAUTH2")


def credentials(username: str, secret: str, kind: SecretKind = SecretKind.ACCESS_TOKEN) -> Credentials:
    return Credentials("home", Protocol.POP3, username, secret, kind)


def decoded(exchange: Exchange | None) -> tuple[str, str, str]:
    assert exchange is not None
    return exchange.mechanism, b64decode(exchange.response).decode(), exchange.dismissal


def test_plain_has_no_authorization_identity_and_speaks_utf_8() -> None:
    exchange = plain(credentials("änne", "grün", SecretKind.PASSWORD))
    assert decoded(exchange) == ("PLAIN", "\0änne\0grün", CANCEL)


def test_oauthbearer_escapes_the_username_and_dismisses_a_refusal_with_0x01() -> None:
    expected = ("OAUTHBEARER", "n,a=a=3Db=2Cc,\x01auth=Bearer t0k\x01\x01", "AQ==")
    assert decoded(bearer(credentials("a=b,c", "t0k"), ALL)) == expected


def test_xoauth2_is_used_if_there_is_no_oauthbearer() -> None:
    expected = ("XOAUTH2", "user=anna\x01auth=Bearer t0k\x01\x01", "")
    assert decoded(bearer(credentials("anna", "t0k"), ["XOAUTH2"])) == expected


def test_without_a_mechanism_for_tokens_there_is_no_exchange() -> None:
    assert bearer(credentials("anna", "t0k"), ["PLAIN"]) is None


@pytest.mark.parametrize(
    ("username", "token"), [("a\x01b", "t"), ("anna", "t\x01auth=Bearer u"), ("anna", "é"), ("a\nb", "t")]
)
def test_characters_that_could_end_a_field_are_refused(username: str, token: str) -> None:
    with pytest.raises(InvalidRequest):
        bearer(credentials(username, token), ALL)


@pytest.mark.parametrize(("username", "secret"), [("a\0b", "c"), ("a", "b\0c")])
def test_nul_in_a_password_is_refused(username: str, secret: str) -> None:
    with pytest.raises(InvalidRequest):
        plain(credentials(username, secret, SecretKind.PASSWORD))
