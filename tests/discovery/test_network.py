"""What a domain says of itself, and what a hostile one says."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import pytest

from service.accounts.servers import Endpoint, MailServer, Security, ServerTable
from service.discovery import fetching
from service.discovery.autoconfig import read
from service.discovery.dns_records import Records
from service.discovery.finding import Discovery
from service.discovery.model import Auth, Candidate, Listener, LoginForm, Origin
from service.discovery.network import Network
from service.mail.errors import InvalidRequest
from tests.discovery.conftest import World
from tests.servers.dns import DnsServer
from tests.servers.process import HOST

Make = Callable[..., AbstractAsyncContextManager[World]]
PLACE = "autoconfig.example.com", "/mail/config-v1.1.xml"
IMAP = Listener("imap.example.com", 993, Security.TLS)
SMTP = Listener("smtp.example.com", 587, Security.STARTTLS)


def document(*servers: str, before: str = "") -> bytes:
    return f'<?xml version="1.0"?>{before}<clientConfig version="1.1"><emailProvider id="x">{"".join(servers)}</emailProvider></clientConfig>'.encode()


def server(
    host: str, kind: str = "imap", port: int = 993, socket: str = "SSL", username: str = "%EMAILADDRESS%", *auth: str
) -> str:
    name = "outgoingServer" if kind == "smtp" else "incomingServer"
    methods = "".join(f"<authentication>{each}</authentication>" for each in auth or ("password-cleartext",))
    return (
        f'<{name} type="{kind}"><hostname>{host}</hostname><port>{port}</port><socketType>{socket}</socketType>'
        f"<username>{username}</username>{methods}</{name}>"
    )


GOOD = document(
    server("pop.example.com", "pop3", 110, "plain"),
    server("imap.example.com", "imap", 143, "STARTTLS"),
    server("imap.example.com", "imap", 993, "SSL", "%EMAILLOCALPART%", "OAuth2", "password-cleartext"),
    server("smtp.example.com", "smtp", 587, "STARTTLS"),
)
NAMES = {name: [HOST] for name in ("autoconfig.example.com", "example.com", "imap.example.com", "smtp.example.com")}


async def test_a_domain_with_a_description(world: Make) -> None:
    """TLS from the start is preferred, and what has no TLS is left out. The address is not sent."""
    async with world(NAMES, {}, {PLACE: GOOD}) as made:
        [found] = await made.discovery.find("ann@example.com")
    assert found == Candidate(
        Origin.AUTOCONFIG, "imap.example.com", None, IMAP, None, SMTP, LoginForm.LOCALPART, (Auth.OAUTH2, Auth.PASSWORD)
    )
    assert not any("ann" in target for target in made.web.targets)


async def test_a_domain_with_a_description_at_its_own_address(world: Make) -> None:
    place = "example.com", "/.well-known/autoconfig/mail/config-v1.1.xml"
    async with world(NAMES, {}, {place: document(server("imap.%EMAILDOMAIN%"))}) as made:
        [found] = await made.discovery.find("ann@example.com")
    assert (found.source, found.imap) == (Origin.AUTOCONFIG, IMAP)


SRV = {
    ("_imaps._tcp.example.com", "SRV"): ["10 0 993 second.example.com.", "5 0 993 imap.example.com."],
    ("_submissions._tcp.example.com", "SRV"): ["0 0 465 smtp.example.com."],
    ("_pop3s._tcp.example.com", "SRV"): ["0 0 0 ."],
    ("_imap._tcp.example.com", "SRV"): ["0 0 143 imap.example.com."],
}


async def test_a_domain_with_srv_records(world: Make) -> None:
    async with world(NAMES, SRV) as made:
        [found] = await made.discovery.find("ann@example.com")
    smtp = Listener("smtp.example.com", 465, Security.TLS)
    assert found == Candidate(Origin.SRV, "imap.example.com", None, IMAP, None, smtp)


async def test_a_host_of_another_domain_is_to_be_confirmed(world: Make) -> None:
    """RFC 6186, 6: DNS is not signed."""
    records = {("_imap._tcp.example.com", "SRV"): ["0 0 143 imap.example.net."]}
    async with world({"imap.example.net": [HOST]}, records) as made:
        [found] = await made.discovery.find("ann@example.com")
    assert (found.server, found.is_unconfirmed) == ("imap.example.net:143", True)


async def test_a_domain_whose_mail_a_provider_receives(world: Make) -> None:
    records = {("example.com", "MX"): ["20 alt.example.com.", "10 aspmx.l.google.com."]}
    async with world({}, records) as made:
        [found] = await made.discovery.find("ann@example.com")
    assert (found.source, found.provider, found.server) == (Origin.MX, "googlemail.com", "imap.gmail.com")
    assert found.imap == Listener("imap.gmail.com", 993, Security.TLS)


async def test_all_that_a_domain_says_best_first(world: Make) -> None:
    records = {**SRV, ("example.com", "MX"): ["10 mx.gmx.net."]}
    document_elsewhere = document(server("other.example.com"))
    async with world({**NAMES, "other.example.com": [HOST]}, records, {PLACE: document_elsewhere}) as made:
        found = await made.discovery.find("ann@example.com")
    assert [each.source for each in found] == [Origin.AUTOCONFIG, Origin.SRV, Origin.MX]


async def test_no_parent_domain_and_no_guessed_host_is_asked(world: Make) -> None:
    async with world({}) as made:
        assert await made.discovery.find("ann@mail.dept.example.com") == []
    domain = "mail.dept.example.com"
    assert set(made.names.asked) == {f"autoconfig.{domain}", domain}
    assert {name.split("._tcp.")[-1] for name, _ in made.dns.asked} == {domain}
    assert made.web.requests == []


async def test_what_was_found_is_remembered_and_read_once_for_all(world: Make) -> None:
    async with world(NAMES, {}, {PLACE: GOOD}) as made:
        found = await asyncio.gather(*(made.discovery.find(f"user{n}@example.com") for n in range(20)))
        assert await made.discovery.find("ann@EXAMPLE.com") == found[0]
    assert all(each == found[0] for each in found)
    assert made.web.requests.count(PLACE) == 1
    assert len(made.dns.asked) == 7


async def test_a_domain_that_a_row_claims_is_not_looked_up(world: Make) -> None:
    row = MailServer("home", frozenset({"example.com"}), imap=Endpoint(HOST, 1, Security.NONE))
    async with world(NAMES, SRV, {PLACE: GOOD}, ServerTable({"home": row})) as made:
        [found] = await made.discovery.find("ann@example.com")
    assert found == Candidate(Origin.TABLE, "home")
    assert (made.names.asked, made.dns.asked, made.web.requests) == ([], [], [])


async def test_a_host_of_the_table_is_named_as_the_operator_does(world: Make) -> None:
    """Its address may be private: the operator chose it. Clients sign in by the row's name, and to others not at all."""
    row = MailServer(
        "ours", frozenset({"example.net"}), imap=Endpoint("IMAP.example.com.", 993, Security.TLS), oauth="x"
    )
    names = {**NAMES, "imap.example.com": ["10.0.0.1"]}
    async with world(names, {}, {PLACE: GOOD}, ServerTable({"ours": row})) as made:
        [found] = await made.discovery.find("ann@example.com")
    assert (found.source, found.server) == (Origin.AUTOCONFIG, "ours")
    assert "imap.example.com" not in made.names.asked


async def test_the_default_server_comes_first(world: Make) -> None:
    """It is where the password goes if no server is named."""
    home = MailServer("home", imap=Endpoint(HOST, 1, Security.NONE))
    async with world(NAMES, {}, {PLACE: GOOD}, ServerTable({"home": home}, "home")) as made:
        first, second = await made.discovery.find("ann@example.com")
    assert (first, second.source, second.server) == (Candidate(Origin.TABLE, "home"), Origin.AUTOCONFIG, None)


@pytest.mark.parametrize("email", ["", "ann", "ann@", "@example.com", "ann@exa mple.com", "ann@exa/mple.com"])
async def test_what_is_no_address_is_refused(world: Make, email: str) -> None:
    async with world({}) as made:
        with pytest.raises(InvalidRequest):
            await made.discovery.find(email)


@pytest.mark.parametrize("domain", ["localhost", "127.0.0.1", "[127.0.0.1]", "10.1", "0x7f.1", "_dmarc.example.com"])
async def test_what_is_no_name_of_the_internet_is_not_looked_up(world: Make, domain: str) -> None:
    """R-HTTP-03."""
    async with world({}) as made:
        with suppress(InvalidRequest):
            assert await made.discovery.find(f"ann@{domain}") == []
    assert (made.names.asked, made.dns.asked, made.web.requests) == ([], [], [])


PRIVATE = ["127.9.9.9", "10.0.0.1", "169.254.169.254", "::1", "fd00::1"]


@pytest.mark.parametrize("address", PRIVATE)
async def test_nothing_private_is_reached(world: Make, address: str) -> None:
    """R-HTTP-03: neither to read a description, nor as a host of one, nor as one of DNS; and no client learns of it."""
    async with _trap(address) as (port, visits):
        names = {
            "autoconfig.evil.example.com": [address],
            "evil.example.com": [address],
            "imap.evil.example.com": [address],
            "autoconfig.example.com": [HOST],
            "imap.example.com": [address],
            "smtp.example.com": [address],
        }
        records = {
            ("_imaps._tcp.evil.example.com", "SRV"): ["0 0 993 imap.evil.example.com."],
            ("_imap._tcp.evil.example.com", "SRV"): ["0 0 143 localhost."],
        }
        async with world(names, records, {PLACE: GOOD}) as made:
            assert await made.discovery.find("ann@evil.example.com") == []
            assert await made.discovery.find("ann@example.com") == []
            fetcher = fetching.Fetcher(made.discovery._servers.address_policy, port)  # type: ignore[arg-type]
            assert await fetcher.get("evil.example.com", "/") is None
            await fetcher.aclose()
    assert visits == []
    assert set(made.names.asked) <= {*names, "example.com"}
    assert {host for host, _ in made.web.requests} == {"autoconfig.example.com"}


@asynccontextmanager
async def _trap(address: str) -> AsyncIterator[tuple[int, list[object]]]:
    """A listener on the private address if this machine has it."""
    visits: list[object] = []

    async def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(writer.get_extra_info("peername"))
        writer.close()

    local = address if address.startswith(("127.", "::1")) else HOST
    trap = await asyncio.start_server(note, local, 0)
    async with trap:
        yield trap.sockets[0].getsockname()[1], visits


async def test_a_name_that_changes_its_address_leads_to_the_one_that_was_checked(world: Make) -> None:
    """R-HTTP-03: each fetch resolves once."""
    async with world(NAMES, {}, {PLACE: GOOD}) as made:
        await made.discovery.find("ann@example.com")
    assert made.names.asked.count("autoconfig.example.com") == 1


async def _redirect(_: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, path: str) -> None:
    port = writer.get_extra_info("sockname")[1]
    place = f"https://example.com:{port}/.well-known/autoconfig/mail/other.xml"
    writer.write(f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())


async def _to_loopback(_: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, path: str) -> None:
    port = writer.get_extra_info("sockname")[1]
    writer.write(
        f"HTTP/1.1 301 Moved\r\nLocation: https://127.0.0.1:{port}/secret\r\nContent-Length: 0\r\n\r\n".encode()
    )


async def _gigabyte(_: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, path: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    for _n in range(1000):
        writer.write(b" " * 1_000_000)
        await writer.drain()


async def _endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, path: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
        await writer.drain()


async def _slow(_: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, path: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, path: str) -> None:
    await reader.read()


async def _zipped(_: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, path: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(GOOD), GOOD))


async def _header(_: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, path: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 10_000_000)


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
) + "]>"  # fmt: skip
HOSTILE: dict[str, Any] = {
    "redirect": _redirect,
    "redirect to loopback": _to_loopback,
    "1 GB": _gigabyte,
    "endless": _endless,
    "slow": _slow,
    "silent": _silent,
    "zipped": _zipped,
    "endless header": _header,
    "bomb": document(server("&j;"), before=ENTITIES),
    "outside entity": document(server("&x;"), before='<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/hostname">]>'),
    "deep": b"<a>" * 20_000,
    "not XML": b"\x00\xff" * 100,
    "unknown charset": b'<?xml version="1.0" encoding="x-nothing"?><clientConfig/>',
    "empty": b"",
    "65 KiB": GOOD + b" " * (fetching.MAX_OCTETS - len(GOOD) + 1),
    "a host that is an address": document(server("127.0.0.1")),
    "a host with a port of another service": document(server("imap.example.com", port=22)),
    "a host without TLS": document(server("imap.example.com", port=143, socket="plain")),
    "a host with a line break": document(server("imap.example.com\r\nx")),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_document_is_refused(world: Make, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is found, in bounded time and memory, and no other place is asked."""
    monkeypatch.setattr(fetching, "SECONDS", 1.0)
    async with world(NAMES, {}, {PLACE: HOSTILE[name]}) as made:
        began = time.monotonic()
        assert await made.discovery.find("ann@example.com") == []
        assert time.monotonic() - began < 10
    assert {path for _, path in made.web.requests} == {PLACE[1], "/.well-known/autoconfig/mail/config-v1.1.xml"}


async def test_another_host_s_certificate_is_refused(world: Make) -> None:
    names = {"autoconfig.other.example.com": [HOST]}
    async with world(names, {}, {("autoconfig.other.example.com", PLACE[1]): GOOD}) as made:
        assert await made.discovery.find("ann@other.example.com") == []
    assert made.web.requests == []


async def test_dns_without_an_answer_is_given_up(world: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.discovery.dns_records.SECONDS", 0.3)
    async with world(NAMES, {}, {PLACE: GOOD}, is_silent=True) as made:
        [found] = await made.discovery.find("ann@example.com")
    assert found.source is Origin.AUTOCONFIG


def test_many_servers_are_read_in_bounded_time() -> None:
    text = document(*(server(f"h{n}.example.com", port=1) for n in range(250)))[: fetching.MAX_OCTETS]
    began = time.thread_time()
    assert read(text, "example.com") is None
    assert time.thread_time() - began < 0.1


async def test_without_reach_only_mx_is_asked() -> None:
    with DnsServer({("example.com", "MX"): ["10 mx.gmx.net."]}) as dns:
        network = Network(Records(dns.resolver()))
        [found] = await Discovery(ServerTable({}), network).find("ann@example.com")
    assert (found.provider, found.server) == ("gmx.net", None)
    assert dns.asked == [("example.com", "MX")]
