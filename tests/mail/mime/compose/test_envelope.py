"""Sender and recipients of a header. R-SEND-05."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.mail.errors import InvalidRequest, TooLarge
from service.mail.mime.compose.envelope import envelope_of, make_envelope
from service.mail.mime.headers.addresses import MAX_OCTETS, list_addresses
from service.mail.model import Address
from service.mail.submission.model import NewDraft
from tests.mail.mime.compose.assembled import PEOPLE, many, octets_of

EMAILS = st.sampled_from(
    ["a@example.org", "A@example.org", '"a b"@example.org', "ä@example.org", "b@bücher.example", "c@[192.0.2.1]"]
)
ADDRESSES = st.lists(st.builds(Address, name=PEOPLE, email=EMAILS), max_size=8).map(tuple)
WRITTEN = {"b@bücher.example": "b@xn--bcher-kva.example"}


@many
@given(to=ADDRESSES, cc=ADDRESSES, bcc=ADDRESSES)
def test_all_recipients_of_a_draft_and_no_others_are_found(
    to: tuple[Address, ...], cc: tuple[Address, ...], bcc: tuple[Address, ...]
) -> None:
    octets = octets_of(NewDraft(to=to, cc=cc, bcc=bcc))
    envelope = envelope_of(octets.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    emails = [WRITTEN.get(each.email, each.email) for each in (*to, *cc, *bcc)]
    assert envelope.recipients == tuple(dict.fromkeys(emails))
    assert envelope.sender == "ann@example.org"
    assert envelope.is_utf8 == ("ä@example.org" in emails)


def test_groups_are_expanded_and_domains_compared_in_any_case() -> None:
    header = (
        b"From: a@example.org, b@example.org\r\nTo: friends: Bob <bob@Example.org>, eve@example.org;,\r\n bob@EXAMPLE.ORG, Bob@example.org\r\n"
        b"cc: undisclosed-recipients:;\r\nBCC: =?utf-8?q?x=2C_y=40z?= <z@example.org>\r\nTo: late@example.org\r\nReply-To: r@example.org\r\n\r\n"
    )
    envelope = envelope_of(header)
    assert envelope.sender == "a@example.org"
    assert envelope.recipients == (
        "bob@EXAMPLE.ORG",
        "eve@example.org",
        "Bob@example.org",
        "z@example.org",
        "late@example.org",
    )


def test_the_sender_field_is_the_sender() -> None:
    assert (
        envelope_of(b"From: a@example.org, b@example.org\r\nSender: B <b@example.org>\r\n\r\n").sender
        == "b@example.org"
    )


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"To: a@example.org\r\n\r\n", "no author"),
        (b"From: a@example.org\r\nTo: bob\r\n\r\n", "'bob' is not an email address"),
        (b"From: a@example.org\r\nBcc: b@example.org, Bob Example\r\n\r\n", "'Bob Example' is not an email address"),
        (b"From: ann\r\nBcc: b@example.org\r\n\r\n", "'ann' is not an email address"),
    ],
)
def test_what_cannot_be_sent_to_is_never_left_out(header: bytes, reason: str) -> None:
    """R-SEND-03, R-SEND-05."""
    with pytest.raises(InvalidRequest, match=reason):
        envelope_of(header)


@pytest.mark.parametrize(
    "to",
    [
        b"a@example.org b@example.org",
        b"a@example.org\r\n b@example.org",
        b"a@example.org\rBcc: b@example.org",
        b"A <a@example.org> B <b@example.org>",
        b"A <a@example.org> b@example.org",
        b"c@example.org, <a@example.org><b@example.org>",
        b"a@example.org: b@example.org;",
        b"A <a@example.org> team: b@example.org;",
    ],
)
def test_without_a_comma_no_recipient_is_left_out(to: bytes) -> None:
    """R-SEND-05: which of the addresses are meant cannot be known."""
    with pytest.raises(InvalidRequest, match="without a comma"):
        envelope_of(b"From: c@example.org\r\nBcc: d@example.org\r\nTo: %b\r\n\r\n" % to)


@pytest.mark.parametrize(
    "to",
    [
        b"a@example.org <b@example.org>",
        b'"c@example.org" <b@example.org> (d@example.org)',
        b"A (c@example.org) B <b@example.org>",
        b"team: =?utf-8?q?c=40example.org?= <b@example.org>;",
        b"<@c.example.org,@d.example.org:b@example.org>",
    ],
)
def test_an_address_in_a_name_is_no_recipient(to: bytes) -> None:
    assert envelope_of(b"From: c@example.org\r\nTo: %b\r\n\r\n" % to).recipients == ("b@example.org",)


@pytest.mark.parametrize(
    "header",
    [
        b"From: a@example.org\r\nTo: " + b", ".join(b"%d@example.org" % n for n in range(11_000)) + b"\r\n\r\n",
        b"From: a@example.org\r\nTo: "
        + b", ".join(b"a b c d e f <%d@example.org>" % n for n in range(4_000))
        + b"\r\n\r\n",
        b"From: a@example.org\r\nTo: a@example.org" + b" " * (256 << 10) + b", b@example.org\r\n\r\n",
        b"A: b\r\n" * 1000 + b"From: a@example.org\r\nTo: b@example.org\r\n\r\n",
    ],
    ids=["addresses", "tokens", "octets", "fields"],
)
def test_recipients_beyond_a_limit_are_never_left_out(header: bytes) -> None:
    """R-SEND-05."""
    with pytest.raises(TooLarge):
        envelope_of(header)


def test_a_header_in_utf8_needs_smtputf8_and_old_mail_does_not() -> None:
    """R-SEND-06."""
    addresses = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: "
    found = [envelope_of(addresses + subject + b"\r\n\r\n").is_utf8 for subject in (b"x", "ä".encode(), b"\xe4")]
    assert found == [False, True, False]


def test_an_envelope_of_addresses() -> None:
    """R-SEND-06."""
    envelope = make_envelope(Address(email="a@example.org"), [Address(email="ä@bücher.example")])
    assert (envelope.recipients, envelope.is_utf8) == (("ä@xn--bcher-kva.example",), True)


def test_a_list_that_is_cut_says_so() -> None:
    """R-SEND-05."""
    assert list_addresses(b"a@example.org, b@example.org", 2).is_complete
    assert not list_addresses(b"a@example.org, b@example.org", 1).is_complete
    assert not list_addresses(b"a@example.org" + b" " * MAX_OCTETS + b", b@example.org", 2).is_complete
