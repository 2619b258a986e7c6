"""Who a mail is from, whatever it pretends."""

from random import Random

import pytest

from service.mail.mime.headers.addresses import parse_addresses, sender_warnings


def pairs(raw: bytes | str) -> list[tuple[str | None, str]]:
    return [(address.name, address.email) for address in parse_addresses(raw)]


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"a@example.org", [(None, "a@example.org")]),
        (b"Ann Ex <a@example.org>", [("Ann Ex", "a@example.org")]),
        (
            b'"Ex, Ann \\"A\\"" <a@example.org>, b@example.org',
            [('Ex, Ann "A"', "a@example.org"), (None, "b@example.org")],
        ),
        (b"a@example.org (Ann Ex)", [("Ann Ex", "a@example.org")]),
        (b"=?utf-8?Q?J=C3=BCrgen?= <j@example.org>", [("Jürgen", "j@example.org")]),
        (b'"=?utf-8?Q?J=C3=BCrgen?=" <j@example.org>', [("Jürgen", "j@example.org")]),
        (b"=?utf-8?Q?Ex=2C_Ann?= <a@example.org>", [("Ex, Ann", "a@example.org")]),
        (
            b"friends: a@example.org, Bo <b@example.org>;, c@example.org",
            [(None, "a@example.org"), ("Bo", "b@example.org"), (None, "c@example.org")],
        ),
        (b"undisclosed-recipients:;", []),
        (b"", []),
        (b" , ,; ", []),
        (b"<@relay.example,@b.example:a@example.org>", [(None, "a@example.org")]),
        (b'"odd name"@example.org', [(None, '"odd name"@example.org')]),
        (b"a . b @ example . org", [(None, "a.b@example.org")]),
        (b"a@[192.0.2.1]", [(None, "a@[192.0.2.1]")]),
        (b"Ann a@example.org", [("Ann", "a@example.org")]),
        (b"root", [(None, "root")]),
        (b"Mail Delivery", [("Mail Delivery", "")]),
        (b"Ann <a@example.org", [("Ann", "a@example.org")]),
        (b"<<a@example.org>>", [(None, "a@example.org")]),
        (b"Ann <>", [("Ann", "")]),
        (b"a@example.org; b@example.org", [(None, "a@example.org"), (None, "b@example.org")]),
        (b'"Ann <a@example.org>', [('"Ann', "a@example.org")]),
        ("jürgen@exämple.org".encode(), [(None, "jürgen@exämple.org")]),
        ("Jürgen <j@example.org>", [("Jürgen", "j@example.org")]),
    ],
)
def test_lists_are_read_as_people_write_them(raw: bytes | str, found: list[tuple[str | None, str]]) -> None:
    """R-MIME-06."""
    assert pairs(raw) == found


@pytest.mark.parametrize(
    ("raw", "email"),
    [
        (b'"a@bank.example" <x@evil.example>', "x@evil.example"),
        (b"a@bank.example <x@evil.example>", "x@evil.example"),
        (b"a@bank.example (x) <x@evil.example>", "x@evil.example"),
        (b"<a@bank.example> <x@evil.example>", "x@evil.example"),
        (b'"<a@bank.example>" <x@evil.example>', "x@evil.example"),
        (b"=?utf-8?Q?a=40bank.example_=3Ca=40bank.example=3E=2C?= <x@evil.example>", "x@evil.example"),
        (b"(a@bank.example) x@evil.example", "x@evil.example"),
        (
            b"=?utf-8?b?YUBiYW5rLmV4YW1wbGU=?==?utf-8?Q?=00?==?utf-8?b?KGEp?=@evil.example",
            "=?utf-8?b?YUBiYW5rLmV4YW1wbGU=?==?utf-8?Q?=00?==?utf-8?b?KGEp?=@evil.example",
        ),
    ],
)
def test_a_disguised_sender_is_shown_by_the_real_address(raw: bytes, email: str) -> None:
    """R-MIME-11."""
    assert [address.email for address in parse_addresses(raw)] == [email]
    assert sender_warnings([raw]) or raw.startswith(b"(")


def test_the_warnings_name_the_trick() -> None:
    """R-MIME-11."""
    assert sender_warnings([b'"a@bank.example" <x@evil.example>']) == ("display-name-has-address",)
    assert sender_warnings([b"a@example.org", b"b@example.org"]) == ("multiple-from",)
    assert sender_warnings([b"=?utf-8?Q?a=00?= <x@evil.example>"]) == ("control-characters",)
    assert sender_warnings([b"=?utf-8?Q?a?=@evil.example"]) == ("encoded-address",)
    assert "display-name-has-address" in sender_warnings(["a＠bank.example <x@evil.example>".encode()])


@pytest.mark.parametrize(
    "raw", [b"Ann <a@example.org>", b"a@example.org <A@example.org>", b"", "Jürgen <j@example.org>".encode()]
)
def test_an_honest_sender_is_not_warned_of(raw: bytes) -> None:
    """R-MIME-11."""
    assert sender_warnings([raw]) == ()


def test_a_missing_sender_is_not_warned_of() -> None:
    """R-MIME-11."""
    assert sender_warnings([]) == ()


def test_the_list_ends_at_the_limit() -> None:
    """R-MIME-06."""
    raw = b", ".join(b"a%d@example.org" % number for number in range(1001))
    assert len(parse_addresses(raw)) == 1000
    assert len(parse_addresses(raw, 3)) == 3


@pytest.mark.parametrize("seed", range(20))
def test_a_usual_list_is_read_as_any_other(seed: int) -> None:
    """R-MIME-06: the short way for usual mailboxes says what scanning says. A group makes a list unusual."""
    random = Random(seed)
    forms = ("ben@example.org", "Ben Example <ben@example.org>", '"Ben  E." <b.e+x@example.org>', "<b@x.example.org>")
    ends = ("", " ", "\r\n ", "\t")
    usual = ",".join(random.choice(ends) + random.choice(forms) + random.choice(ends) for _ in range(seed + 1))
    assert parse_addresses(usual) == parse_addresses(f"{usual}, undisclosed:;")
    assert len(parse_addresses(usual)) == seed + 1
    assert len(parse_addresses(usual, 2)) == min(seed + 1, 2)
