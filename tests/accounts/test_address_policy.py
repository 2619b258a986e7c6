"""Servers that clients name: only if the operator allows it, only public addresses, only with TLS."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path

import httpx
import pytest

from service.accounts.address_policy import AddressPolicy, is_name, is_public
from service.accounts.credentials import Credentials
from service.accounts.servers import ELSEWHERE, Endpoint, MailServer, Security, ServerTable
from service.adapters.imap.backend import ImapBackend
from service.adapters.pop3.wire.reader import dial
from service.adapters.pop3.wire.timing import DEFAULT_TIMING
from service.adapters.shared.connection_limit import ConnectionLimits
from service.app import create_app
from service.mail.errors import NotFound, UpstreamTls, UpstreamUnavailable
from service.mail.model import Protocol
from service.settings.model import Settings
from tests.servers.scripted import Imap, ScriptedServer
from tests.servers.tls import make_certificate

LOOPBACK = ip_network("127.0.0.0/8")
PRIVATE = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.8",
    "198.18.0.1", "192.0.2.1", "203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fd00::1",
    "fe80::1", "fec0::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "::7f00:1", "::8.8.8.8", "2001::1", "100::1",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
    "2001:200::1",
    "3fff:1000::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_not_allowed(address: str) -> None:
    """R-HTTP-03: loopback, private, link-local, metadata, multicast, documentation, and each of them embedded in IPv6."""
    assert not is_public(ip_address(address))


SPECIAL = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.0.9/32",
    "192.0.0.10/32", "192.0.0.170/31", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
    "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "255.255.255.255/32", "::1/128", "::/128",
    "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001::/32", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128",
    "2001:2::/48", "2001:3::/32", "2001:4:112::/48", "2001:10::/28", "2001:20::/28", "2001:30::/28", "2001:db8::/32",
    "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10",
]  # fmt: skip
"""IANA's registries of special-purpose addresses, IPv4 and IPv6, without the blocks that embed an IPv4 address."""


@pytest.mark.parametrize("block", SPECIAL)
def test_no_special_purpose_address_is_public(block: str) -> None:
    """R-HTTP-39: the first, the last and one in the middle of each block, and IPv4 addresses embedded in IPv6 too."""
    network = ip_network(block)
    first, last = int(network[0]), int(network[-1])
    for number in {first, (first + last) // 2, last}:
        address = network[number - first]
        assert not is_public(address)
        if address.version == 4:
            assert not any(is_public(ip_address(f"{prefix}{address}")) for prefix in ("::ffff:", "64:ff9b::"))
            assert not is_public(IPv6Address(0x2002 << 112 | number << 80))


@pytest.mark.parametrize("address", ["4000::1", "8000::1", "1fff:ffff::1", "fec0::1", "400::1", "e000::1"])
def test_addresses_that_iana_has_not_allocated_are_not_public(address: str) -> None:
    """R-HTTP-39: global unicast addresses are in 2000::/3 only."""
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    """R-HTTP-03."""
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "text",
    [
        "localhost", "127.0.0.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "127.1", "[::1]", "::1", "imap.example.org.", "kubernetes",
        "-a.example.org", "a-.example.org", "a..example.org", "a b.example.org", "a.example.org/x", "user@example.org", "a.example.org#",
        "ü.example.org", "a" * 64 + ".example.org", "a." * 130 + "org", "", ".", "a.example.0x7f", "a%00.example.org", "a.example.org\n",
    ],
)  # fmt: skip
def test_only_host_names_with_a_domain_are_accepted(text: str) -> None:
    """R-HTTP-03: no IP address in any notation, and no name that a search list would complete."""
    assert not is_name(text)
    with pytest.raises(NotFound):
        ServerTable({}, address_policy=AddressPolicy()).named(text)


@pytest.mark.parametrize(
    "port", ["22", "25", "80", "443", "6379", "9200", "0", "65536", "0993", "+993", "", "x", "993:993"]
)
def test_only_ports_of_imap_and_pop3_are_accepted(port: str) -> None:
    """R-HTTP-03."""
    with pytest.raises(NotFound):
        ServerTable({}, address_policy=AddressPolicy()).named(f"imap.example.org:{port}")


def test_a_host_that_a_client_names_is_never_used_without_tls() -> None:
    """R-HTTP-03, R-IMAP-14."""
    table = ServerTable({}, address_policy=AddressPolicy())
    for name in ("IMAP.example.org", "imap.example.org:143", "pop.example.org:110", "pop.example.org:995"):
        row = table.named(name)
        listeners = [one for one in (row.imap, row.pop3) if one]
        assert listeners
        assert all(one.security is not Security.NONE and one.host == name.lower().split(":")[0] for one in listeners)
    assert table.named("a.example.org").smtp is None


def test_host_names_from_clients_add_no_series_of_metrics() -> None:
    """R-OPS-18: all of these hosts share one label."""
    table = ServerTable({}, address_policy=AddressPolicy())
    rows = [table.named(name) for name in ("a.example.org", "b.example.org:143", "c.example.org:110")]
    assert {one.server for row in rows for one in (row.imap, row.pop3) if one} == {ELSEWHERE}


async def test_clients_cannot_name_servers_by_default() -> None:
    """R-HTTP-03: the operator must allow it."""
    for allowed, status in ((False, 404), (True, 503)):
        app = create_app(Settings(servers={}, any_server=allowed))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://casella.example.org", auth=("u", "x")
        ) as client:
            told = await client.get("/v1/accounts/me", headers={"Casella-Server": "mail.invalid"})
            assert told.status_code == status, told.text


def test_one_host_is_counted_under_one_name() -> None:
    """R-HTTP-31: with any port that a client adds, and under all its names in the operator's table."""
    rows = {
        "a": MailServer("a", imap=Endpoint("mail.example.com", 993, Security.TLS)),
        "b": MailServer("b", imap=Endpoint("::ffff:192.0.2.1", 993, Security.TLS)),
        "c": MailServer("c", pop3=Endpoint("192.0.2.1", 995, Security.TLS)),
        "d": MailServer("d", imap=Endpoint("[192.0.2.1]", 993, Security.TLS), pop3=Endpoint("MAIL.example.com.", 995, Security.TLS)),
        "e": MailServer("e", imap=Endpoint("other.example.com", 993, Security.TLS)),
    }  # fmt: skip
    table = ServerTable(rows, address_policy=AddressPolicy())
    keys = {table.key_of(name) for name in ("a", "b", "c", "d", "mail.example.com", "Mail.Example.com:143")}
    assert len(keys) == 1
    assert table.key_of("e") not in keys
    free = (
        "imap.example.org",
        "IMAP.example.org",
        "imap.example.org:993",
        "imap.example.org:143",
        "imap.example.org:995",
    )
    assert {table.key_of(table.named(name).name) for name in free} == {"imap.example.org"}


def test_a_host_without_open_mailboxes_is_dropped() -> None:
    """R-HTTP-32: while there are some, they share one limit."""
    hosts = ConnectionLimits(limit=3)
    mine = hosts.named("imap.example.org")
    for number in range(1000):
        hosts.named(f"m{number}.example.org")
    gc.collect()
    assert len(hosts) == 1
    assert hosts.named("imap.example.org") is mine
    del mine
    gc.collect()
    assert len(hosts) == 0


async def test_invented_hosts_leave_nothing_behind() -> None:
    """R-HTTP-32: no mailbox that never signed in, no counter, no server."""
    table = ServerTable({}, address_policy=AddressPolicy(resolve=Names(*[["127.0.0.1"]] * 300)))
    app = create_app(Settings(servers={}), table)
    service = app.state.service
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://casella.example.org", auth=("u", "x")
    ) as client:
        for number in range(30):
            for path in ("/v1/accounts/me", "/v1/accounts/me/folders"):
                told = await client.get(path, headers={"Casella-Server": f"m{number}.invalid"})
                assert told.status_code == 503
    assert len(service.accounts) == 0
    assert len(service.rates._own.storage) == 0
    assert not service.rates._turns


class Names:
    """A resolver with another answer each time."""

    def __init__(self, *answers: Collection[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, name: str) -> Collection[str]:
        self.asked.append(name)
        return self.answers.pop(0)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["::1", "10.0.0.1"], ["::ffff:127.0.0.1"], ["fe80::1%lo"]])
async def test_a_name_with_an_internal_address_is_not_connected_to(addresses: list[str]) -> None:
    """R-HTTP-03: the error is that of a server that does not answer."""
    async with listener() as (server, _):
        endpoint = Endpoint(
            "inside.example.org", server.port, Security.TLS, address_policy=AddressPolicy(resolve=Names(addresses))
        )
        with pytest.raises(UpstreamUnavailable) as refused:
            await check(endpoint)
        gone = Endpoint(
            "gone.example.org", 1, Security.TLS, address_policy=AddressPolicy([LOOPBACK], Names(["127.0.0.1"]))
        )
        with pytest.raises(UpstreamUnavailable) as unreachable:
            await check(gone)
        assert refused.value.detail == unreachable.value.detail
        with pytest.raises(OSError, match="inside"):
            await dial(
                Endpoint(
                    "inside.example.org",
                    server.port,
                    Security.TLS,
                    address_policy=AddressPolicy(resolve=Names(addresses)),
                ),
                DEFAULT_TIMING,
            )
        assert server.connections == 0


async def test_the_connection_goes_to_the_address_that_was_checked(tmp_path: Path) -> None:
    """R-HTTP-03: a name that is public at first and private a moment later (DNS rebinding) is resolved once. Of several
    addresses only the allowed ones are tried."""
    async with listener(tmp_path) as (server, ca_file):
        names = Names(["10.0.0.1", "127.0.0.1"], ["10.0.0.1"])
        policy = AddressPolicy([LOOPBACK], names)
        await check(Endpoint("localhost", server.port, Security.TLS, ca_file, address_policy=policy))
        assert names.asked == ["localhost"]
        assert server.connections == 1


async def test_the_certificate_must_be_for_the_name(tmp_path: Path) -> None:
    """R-HTTP-03, R-IMAP-15: not for the address behind it, which this certificate has too."""
    async with listener(tmp_path) as (server, ca_file):
        policy = AddressPolicy([LOOPBACK], Names(["127.0.0.1"]))
        with pytest.raises(UpstreamTls):
            await check(Endpoint("other.example.org", server.port, Security.TLS, ca_file, address_policy=policy))


async def test_the_next_address_is_tried_if_one_does_not_answer(tmp_path: Path) -> None:
    async with listener(tmp_path) as (server, ca_file):
        policy = AddressPolicy([ip_network("::1/128"), LOOPBACK], Names(["::1", "127.0.0.2", "127.0.0.1"]))
        with socket.socket() as closed:
            closed.bind(("127.0.0.2", server.port))
            await check(Endpoint("localhost", server.port, Security.TLS, ca_file, address_policy=policy))
        assert server.connections == 1


async def check(endpoint: Endpoint) -> None:
    mailbox = ImapBackend(endpoint, Credentials("x", Protocol.IMAP, "user@example.org", "x"), "account")
    try:
        async with asyncio.timeout(10):
            await mailbox.check()
    finally:
        await mailbox.aclose()


@asynccontextmanager
async def listener(folder: Path | None = None) -> AsyncIterator[tuple[ScriptedServer, Path | None]]:
    certificate = make_certificate(folder) if folder else None
    context = certificate.server_context() if certificate else None
    async with ScriptedServer([Imap()], tls=context, implicit=context is not None) as server:
        yield server, certificate.ca_file if certificate else None
