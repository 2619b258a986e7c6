"""Whom a reply addresses, and whom it never does."""

from time import thread_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.mail.model import Address
from service.submission.replies.addresses import OwnAddresses, address_key, addressed_as
from service.submission.replies.recipients import everybody, reply_recipients
from tests.submission.replies.originals import emails, headers, message, people
from tests.unheld import HELD

BEN = ("ben@example.org",)
LIST = headers(list_post="<mailto:list@example.org>")


def addressed(
    fields: dict[str, Any], *, own: tuple[str, ...] = BEN, more: dict[str, str] | None = None
) -> tuple[str, str]:
    """To, Cc and Bcc of a reply, and of a reply to all, with bars between."""
    found = (reply_recipients(message(**fields), headers(**more or {}), all=all_, own=own) for all_ in (False, True))
    one, every = ("|".join(" ".join(emails(field)) for field in fields) for fields in found)
    return one.rstrip("|"), every.rstrip("|")


@pytest.mark.parametrize(
    ("fields", "one", "every"),
    [
        ({}, "ann@example.org", "ann@example.org"),
        ({"to": "ben@example.org cat@x.org", "cc": "dan@x.org"}, "ann@example.org", "ann@example.org cat@x.org|dan@x.org"),
        ({"reply_to": "eve@x.org fay@x.org", "cc": "dan@x.org"}, "eve@x.org fay@x.org", "eve@x.org fay@x.org|dan@x.org"),
        ({"reply_to": "ben@example.org"}, "ann@example.org", "ann@example.org"),
        ({"from_": "", "sender": "secretary@x.org"}, "secretary@x.org", "secretary@x.org"),
        ({"from_": "ann@x.org", "to": "ANN@X.org Ben@Example.org", "cc": "ann@x.org cat@x.org CAT@x.org"}, "ann@x.org", "ann@x.org|cat@x.org"),
        ({"to": "undisclosed-recipients", "cc": "root ann@ @x.org a@b@c.org a\u202e@x.org x@-..org"}, "ann@example.org", "ann@example.org"),
        ({"from_": "<>", "to": "cat@x.org"}, "", "cat@x.org"),
        ({"from_": "", "to": "ben@example.org"}, "", ""),
        ({"from_": "ben@example.org", "to": "cat@x.org", "cc": "dan@x.org", "bcc": "eve@x.org"}, "cat@x.org", "cat@x.org|dan@x.org|eve@x.org"),
        ({"from_": "ben@example.org", "to": "", "cc": "dan@x.org"}, "dan@x.org", "dan@x.org"),
        ({"from_": "ben@example.org", "to": "", "bcc": "eve@x.org"}, "||eve@x.org", "||eve@x.org"),
        ({"from_": "ben@example.org", "to": "ben@example.org"}, "ben@example.org", "ben@example.org"),
        ({"from_": "ben@example.org", "to": "ben@example.org", "cc": "dan@x.org"}, "ben@example.org", "dan@x.org"),
        ({"from_": "ben@example.org", "to": "ben@example.org", "reply_to": "guest@x.org"}, "guest@x.org", "guest@x.org"),
        ({"from_": "ben@example.org", "to": "cat@x.org", "reply_to": "team@x.org"}, "cat@x.org", "cat@x.org"),
    ],
)  # fmt: skip
def test_a_reply_goes_to_whom_the_original_says(fields: dict[str, Any], one: str, every: str) -> None:
    """R-SEND-30, R-SEND-31: neither to oneself, nor twice, nor to what is no address."""
    assert addressed(fields) == (one, every)


@pytest.mark.parametrize(
    ("fields", "more", "one", "every"),
    [
        ({"to": "list@example.org"}, {"list_post": "<mailto:list@example.org>"}, "ann@example.org", "ann@example.org list@example.org"),
        ({"to": "ben@example.org"}, {"list_post": "<mailto:list@example.org?subject=x> (Anybody)"}, "ann@example.org", "ann@example.org|list@example.org"),
        ({"to": "list@example.org", "reply_to": "list@example.org"}, {"list_post": "<mailto:List%40example.org>"}, "list@example.org", "list@example.org ann@example.org"),
        ({"to": "list@example.org", "reply_to": "ann@home.org"}, {"list_post": "<mailto:list@example.org>"}, "ann@home.org", "ann@home.org list@example.org"),
        ({}, {"list_post": "NO"}, "ann@example.org", "ann@example.org"),
        ({}, {"list_post": "<https://example.org/post>, <mailto:broken>"}, "ann@example.org", "ann@example.org"),
        ({"to": "list@x.org", "cc": "cat@x.org"}, {"mail_followup_to": "list@x.org, Ann <ann@example.org>"}, "ann@example.org", "list@x.org ann@example.org"),
        ({"to": "list@x.org"}, {"mail_followup_to": "list@x.org"}, "ann@example.org", "list@x.org"),
        ({"cc": "cat@x.org"}, {"mail_followup_to": "ben@example.org, broken"}, "ann@example.org", "ann@example.org|cat@x.org"),
    ],
)  # fmt: skip
def test_lists_are_answered_as_they_ask(fields: dict[str, Any], more: dict[str, str], one: str, every: str) -> None:
    """R-SEND-31: a reply to all goes to the list too, and where Mail-Followup-To says."""
    assert addressed(fields, more=more) == (one, every)


@pytest.mark.parametrize(
    ("own", "email", "is_own"),
    [
        ("ben@example.org", "BEN@Example.ORG", True),
        ("ben@example.org", "ben+shop@example.org", True),
        ("ben+shop@example.org", "ben@example.org", False),
        ("ben+shop@example.org", "Ben+Shop@example.org", True),
        ("ben@example.org", "ben-shop@example.org", False),
        ("ben@example.org", "+@example.org", False),
        ("ben@example.org", '"ben"@example.org', True),
        ("ben@example.org", '"ben x"@example.org', False),
        ("ben@bücher.example", "ben@xn--bcher-kva.example", True),
        ("ben@example.org", "ben@example.org.", True),
        ("jörg@example.org", "JO\u0308RG@example.org", True),
        ("ben@fass.example", "ben@faß.example", False),
        ("ben", "ben@example.org", False),
        ("ben", "ben", False),
    ],
)
def test_own_addresses_are_known_in_any_spelling(own: str, email: str, is_own: bool) -> None:
    """R-SEND-32: and nothing else is taken for own."""
    assert (Address(email=email) in OwnAddresses([own])) is is_own


def test_the_address_that_a_message_was_sent_to_is_found() -> None:
    """R-SEND-32: to answer from it."""
    own = ["ben@example.org", "Info@Example.org"]
    assert addressed_as(people("cat@x.org", "INFO@example.org"), own) == "Info@Example.org"
    assert addressed_as(people("cat@x.org", "broken"), own) is None


@pytest.mark.parametrize(
    "email",
    ["a@b@c.org", "a b@c.org", "a,b@c.org", "a@c.org,d@e.org", "a\r\n@c.org", "a@c.org\0", "<a@c.org>", "a@", "@c.org", "a@.", "a@c..org",
     "a@" + "c" * 300, "a" * 400 + "@c.org", '"a@c.org', "a@c.org>", "a\u200b@c.org", "a@[c.org]", ""],
)  # fmt: skip
def test_what_is_no_address_is_never_addressed(email: str) -> None:
    """R-SEND-31."""
    assert address_key(email) is None


@pytest.mark.parametrize(
    "email", ["a@localhost", "a@[192.0.2.1]", "a@[IPv6:2001:db8::1]", '"a b"@c.org', "a..b.@c.org", "ü@ü.example"]
)
def test_what_servers_accept_is_addressed(email: str) -> None:
    """R-SEND-31."""
    assert address_key(email) is not None


def test_a_thousand_recipients_of_each_kind_are_kept() -> None:
    """R-SEND-31: what is more than a draft has is left out, and the draft is valid."""
    crowd = tuple(Address(email=f"p{number}@example.org") for number in range(1000))
    found = reply_recipients(message(to=crowd, cc=crowd), LIST, all=True, own=())
    assert (len(found.to), emails(found.cc)) == (1000, ["p999@example.org", "list@example.org"])


_EMAILS = st.sampled_from(
    ["ann@example.org", "ANN@EXAMPLE.ORG", "ben@example.org", "ben+x@example.org", "Ben@Example.org", "cat@x.org", "list@x.org", "broken", "",
     "a@b@c", '"ann"@example.org', "dän@x.org"]
)  # fmt: skip
_FIELD = st.lists(_EMAILS.map(lambda email: Address(email=email)), max_size=4).map(tuple)


@given(
    st.fixed_dictionaries(dict.fromkeys(("from_", "to", "cc", "bcc", "reply_to", "sender"), _FIELD)),
    st.lists(_EMAILS, max_size=3), st.lists(_EMAILS, max_size=3), st.booleans(),
)  # fmt: skip
def test_nobody_is_addressed_who_was_not_in_the_original(
    fields: dict[str, Any], followup: list[str], own: list[str], every: bool
) -> None:
    """R-SEND-30, R-SEND-32: nor anybody twice, nor the user, except in a note to oneself."""
    original = message(**fields)
    more = headers(mail_followup_to=", ".join(filter(None, followup)), list_post="<mailto:list@x.org>")
    found = reply_recipients(original, more, all=every, own=own)
    keys = [address_key(each.email) for field in found for each in field]
    assert set(keys) <= {address_key(each.email) for each in everybody(original, more)} - {None}
    assert len(keys) == len(set(keys))
    own_ones = [each for field in found for each in field if each in OwnAddresses(own)]
    assert not own_ones or len(own_ones) == len(keys)
    assert not found.cc or found.to


def test_two_thousand_recipients_of_other_scripts_hold_up_nothing() -> None:
    """R-SEND-32: each domain is brought into its other form once."""
    crowd = people(*(f"pü{number}@bücher{number}.example" for number in range(2000)))
    began = thread_time()
    found = reply_recipients(message(to=crowd[:1000], cc=crowd[1000:]), (), all=True, own=BEN)
    assert thread_time() - began < HELD
    assert (len(found.to), len(found.cc)) == (1000, 1000)
