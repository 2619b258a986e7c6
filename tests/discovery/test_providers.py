"""The table of big providers, and what discovery says of their addresses."""

import os
from pathlib import Path

import pytest

from service.accounts.servers import Security, ServerTable
from service.discovery.finding import Discovery
from service.discovery.model import Auth, Listener, LoginForm, Origin
from service.discovery.providers import provider_behind, providers, submission_of

FACTS = Path(os.environ.get("CASELLA_FACTS", Path(__file__).parents[3] / "shared" / "facts")) / "providers.tsv"
ROWS = dict(providers())


def test_there_are_as_many_as_are_known() -> None:
    assert len(ROWS) == 77


@pytest.mark.skipif(not FACTS.exists(), reason="the file of facts does not lie beside; CASELLA_FACTS names its folder")
def test_each_provider_is_as_it_was_found() -> None:
    lines = [line.split("\t") for line in FACTS.read_text().splitlines()[1:]]
    assert {line[0] for line in lines} == ROWS.keys()
    for name, domains, imap, pop3, smtp, auth, login, *_ in lines:
        row = ROWS[name]
        assert row.domains == tuple(domains.split(","))
        assert tuple(map(text, (row.imap, row.pop3, row.smtp))) == (imap, pop3, smtp)
        assert ("+".join(row.auth), row.login) == (auth, login)


def text(listener: Listener | None) -> str:
    if listener is None:
        return "-"
    return ":".join(map(str, listener)).replace("{domain}", "%EMAILDOMAIN%")


@pytest.mark.parametrize("name", sorted(ROWS))
async def test_an_address_of_each_domain_finds_its_provider(name: str) -> None:
    row = ROWS[name]
    discovery = Discovery(ServerTable({}))
    for domain in row.domains:
        [found] = await discovery.find(f"Ann.Example@{domain.upper()}")
        assert (found.source, found.provider, found.server) == (Origin.PROVIDERS, name, None)
        assert (found.login, found.auth) == (row.login, row.auth)
        own = [
            listener and listener._replace(host=listener.host.replace("{domain}", domain))
            for listener in (row.imap, row.pop3, row.smtp)
        ]
        assert list(found.listeners) == own


def test_no_domain_is_in_two_rows() -> None:
    domains = [domain for row in ROWS.values() for domain in row.domains]
    assert len(set(domains)) == len(domains)


@pytest.mark.parametrize(
    ("exchange", "provider"),
    [
        ("aspmx.l.google.com", "googlemail.com"),
        ("example-org.mail.protection.outlook.com.", "office365.com"),
        ("MX0.GMX.NET", "gmx.net"),
        ("mta7.am0.yahoodns.net", "yahoo.com"),
        ("in1-smtp.messagingengine.com", "messagingengine.com"),
        ("google.com.example.net", None),
        ("notgmx.net", None),
        ("com", None),
    ],
)
def test_the_provider_behind_an_exchange(exchange: str, provider: str | None) -> None:
    found = provider_behind(exchange)
    assert (found.name if found else None) == provider


def test_where_those_send_who_read_at_a_provider() -> None:
    smtp = submission_of("imap.gmail.com")
    assert smtp is not None
    assert (smtp.host, smtp.port, smtp.security) == ("smtp.gmail.com", 465, Security.TLS)
    assert submission_of("imap.example.org") is None
    assert submission_of("pop.nifty.com") is None  # it has no TLS


def test_words_of_the_table_are_known() -> None:
    assert {row.login for row in ROWS.values()} == set(LoginForm)
    assert {auth for row in ROWS.values() for auth in row.auth} == set(Auth)
