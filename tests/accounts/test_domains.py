"""Domains of usernames, in the one form in which they are compared."""

import pytest
from pydantic import ValidationError

from service.accounts.domains import domain_of, normal_domain
from service.mail.errors import NotFound
from service.settings.model import Settings

ROW = {"imap": {"host": "imap.example.org", "port": 993}}


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("example.org", "example.org"), ("EXAMPLE.Org", "example.org"), ("example.org.", "example.org"), ("EXAMPLE.ORG。", "example.org"),
        ("müller.example", "xn--mller-kva.example"), ("MÜLLER.example.", "xn--mller-kva.example"),
        ("mu\u0308ller.example", "xn--mller-kva.example"), ("XN--MLLER-KVA.example", "xn--mller-kva.example"),
        ("faß.example", "xn--fa-hia.example"), ("fass.example", "fass.example"), ("intranet", "intranet"), ("a_b.example", "a_b.example"),
        ("", None), (".", None), ("a..example", None), ("*.example.org", None), ("@example.org", None), ("a b.example", None),
        ("example.org..", None), ("a\u200db.example", None), ("a" * 64 + ".example", None), ("a." * 130 + "org", None),
    ],
)  # fmt: skip
def test_a_domain_has_one_form(text: str, normal: str | None) -> None:
    """R-HTTP-34: in any letter case, as A-labels or as U-labels, with or without a final dot."""
    assert normal_domain(text) == normal


@pytest.mark.parametrize(
    ("username", "domain"),
    [
        ("ann@Example.org", "example.org"), ("a@b@example.org", "example.org"), ("example.org", None), ("ann", None), ("ann@", None),
        ("@example.org", "example.org"), ("", None),
    ],
)  # fmt: skip
def test_a_login_without_at_has_no_domain(username: str, domain: str | None) -> None:
    """R-HTTP-33: a login that looks like a domain does not select a server by it."""
    assert domain_of(username) == domain


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("example.org", "example.org"), ("Example.ORG.", "example.org"), ("müller.example", "xn--mller-kva.example"),
        ("example.net, example.org", "EXAMPLE.ORG"),
    ],
)  # fmt: skip
def test_a_domain_in_two_servers_stops_the_start(first: str, second: str) -> None:
    """R-HTTP-34: the message names the domain and both servers."""
    with pytest.raises(ValidationError) as wrong:
        Settings(servers={"left": {"domains": first, **ROW}, "right": {"domains": [second], **ROW}})
    [error] = wrong.value.errors()
    assert all(word in error["msg"] for word in ("left", "right", str(normal_domain(second))))


def test_a_domain_twice_in_one_server_counts_once() -> None:
    """R-HTTP-34."""
    settings = Settings(servers={"home": {"domains": ["Example.org", "example.org."], **ROW}})
    assert settings.servers["home"].domains == {"example.org"}


def test_a_domain_does_not_cover_subdomains_or_parents() -> None:
    """R-HTTP-34: a username of another domain is not sent to the server."""
    table = Settings(servers={"home": {"domains": ["mail.example.org", "müller.example"], **ROW}}).server_table()
    for username in ("ann@MAIL.example.org.", "ann@xn--mller-kva.example", "ann@Müller.Example"):
        assert table.pick(username).name == "home"
    for username in (
        "ann@example.org",
        "ann@x.mail.example.org",
        "ann@mail.example.orgs",
        "ann@muller.example",
        "ann@org",
    ):
        with pytest.raises(NotFound):
            table.pick(username)
