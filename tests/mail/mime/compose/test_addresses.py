"""Addresses are checked before they are written. R-SEND-03, R-SEND-06."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.mail.errors import InvalidRequest
from service.mail.mime.compose.addresses import check_address
from service.mail.mime.compose.composing import compose
from service.mail.model import Address
from service.mail.submission.model import NewDraft
from tests.mail.mime.compose.assembled import IDENTIFIED, assert_fit_to_send, by_ours, by_python, many, octets_of

LOCAL = st.from_regex(r"\A[A-Za-z0-9!#$%&'*+/=^_`{|}~-]{1,9}(\.[A-Za-z0-9!#$%&'*+/=^_`{|}~-]{1,9}){0,4}\Z") | st.from_regex(
    r'\A"(?:[ -!#-\[\]-~]|\\[ -~]){1,20}"\Z'
)  # fmt: skip
DOMAIN = st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?){0,4}\Z").filter(
    lambda domain: "xn--" not in domain
)
BAD = {
    "": "empty",
    "ann": "no @",
    "@example.org": "before the @",
    "ann@": "after the @",
    "a b@example.org": "quotes",
    "a@b@example.org": "quotes",
    "a,b@example.org": "quotes",
    "<ann@example.org>": "quotes",
    "Ann <ann@example.org>": "quotes",
    "ann@example.org ": "domain",
    " ann@example.org": "quotes",
    "ann@exa mple.org": "domain",
    "ann@-example.org": "domain",
    "ann@example..org": "domain",
    "ann@example.org.": "domain",
    "ann@example.org,eve@example.org": "quotes",
    "ann@[127.0.0.256]": "IP address",
    "ann@[IPv6:::1%eth0]": "IP address",
    "ann@[example]": "IP address",
    "ann@\u2100.example": "domain",
    "ann\uff20example.org": "no @",
    "ann\u200b@example.org": "seen",
    "ann\xa0b@example.org": "quotes",
    '""@example.org': "quotes",
    '"a"b"@example.org': "quotes",
    '"ann\\"@example.org': "quotes",
    "=?utf-8?q?ann?=@example.org": "encoded word",
    f"{'x' * 65}@example.org": "64 octets",
    f"{'ä' * 33}@example.org": "64 octets",
    f"ann@{'x' * 64}.org": "domain",
    f"ann@{'x.' * 126}org": "254 octets",
    f"ann@{'äb' * 40}.org": "domain",
    **{f"ann{control}@example.org": "control" for control in "\0\r\n\t\x1b\x7f\x85\u2028\u202e\ud800"},
    "ann@example.org\r\nBcc: eve@example.org": "control",
}


@pytest.mark.parametrize("email", BAD, ids=ascii)
def test_a_bad_address_is_refused_by_name_and_reason(email: str) -> None:
    with pytest.raises(InvalidRequest, match=BAD[email]) as caught:
        octets_of(NewDraft(to=(Address(email=email),)))
    assert "is not an email address" in caught.value.detail
    assert caught.value.detail.isprintable()
    assert "\n" not in caught.value.detail


@many
@given(local=LOCAL, domain=DOMAIN)
def test_a_good_address_comes_out_as_it_went_in(local: str, domain: str) -> None:
    email = f"{local}@{domain}"
    octets = octets_of(NewDraft(to=(Address(name="A", email=email), Address(email=email))))
    assert_fit_to_send(octets)
    assert check_address(email) == email
    assert [each.email for each in by_ours(octets).to] == [email, email]
    assert len(by_python(octets)["to"].addresses) == 2
    assert by_python(octets)["to"].addresses[0].domain == domain


@pytest.mark.parametrize(
    ("email", "written"),
    [
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@BÜCHER.example", "ann@xn--bcher-kva.example"),
        ("ann@faß.example", "ann@xn--fa-hia.example"),
        ("ann@例え。テスト", "ann@xn--r8jz45g.xn--zckzah"),
        ("ann@Example.ORG", "ann@Example.ORG"),
        ("ann@[192.0.2.1]", "ann@[192.0.2.1]"),
        ("ann@[IPv6:2001:db8::1]", "ann@[IPv6:2001:db8::1]"),
        ("a..b.@example.org", '"a..b."@example.org'),
        ("ann@localhost", "ann@localhost"),
        ("ann@a_b.example", "ann@a_b.example"),
        ('"a b\\" c"@example.org', '"a b\\" c"@example.org'),
    ],
)
def test_an_address_is_written_for_every_server(email: str, written: str) -> None:
    assert check_address(email) == written
    composed = compose(NewDraft(to=(Address(email=email),)), [], IDENTIFIED)
    assert not composed.is_utf8
    assert f"\r\nTo: {written}\r\n".encode() in octets_of(NewDraft(to=(Address(email=email),)))


@pytest.mark.parametrize("field", ["from_", "to", "cc", "bcc", "reply_to"])
def test_a_local_part_beyond_ascii_needs_smtputf8(field: str) -> None:
    address = Address(name="Zoë", email="zoë@bücher.example")
    draft = NewDraft(**{field: address if field == "from_" else (address,)})
    assert compose(draft, [], IDENTIFIED).is_utf8
    octets = octets_of(draft)
    assert_fit_to_send(octets, is_utf8=True)
    assert "=?utf-8?q?Zo=C3=AB?= <zoë@xn--bcher-kva.example>".encode() in octets
    message = by_ours(octets)
    found = (*(message.from_ if field == "from_" else ()), *message.to, *message.cc, *message.bcc, *message.reply_to)
    assert found == (Address(name="Zoë", email="zoë@xn--bcher-kva.example"),)


@many
@given(st.text(max_size=40).map("{}@example.org".format) | st.text(max_size=60))
def test_any_text_is_refused_or_one_address(email: str) -> None:
    try:
        written = check_address(email)
    except InvalidRequest:
        return
    octets = octets_of(NewDraft(to=(Address(email=email), Address(email="eve@example.org"))))
    assert [each.email for each in by_ours(octets).to] == [written, "eve@example.org"]
    assert len(by_python(octets)["to"].addresses) == 2
