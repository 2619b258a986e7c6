"""Why a mail server cannot be used, in the report of `casella check` (R-OPS-27)."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from service import probe
from service.accounts.servers import Endpoint, MailServer, Security
from service.probe.diagnosis import Unreachable, unreachable
from tests.adapters.imap.session.test_login import expired, good, of_another_authority, of_another_host, of_old_tls
from tests.adapters.pop3.server import CAPABILITIES, Pop3Server
from tests.servers.process import HOST, free_ports
from tests.servers.scripted import Close, Hang, Imap, ScriptedServer, Send
from tests.servers.tls import Certificate, make_certificate

PROTOCOLS = pytest.mark.parametrize("protocol", ["imap", "pop3"])
IMPLICIT = pytest.mark.parametrize("implicit", [True, False], ids=["tls", "starttls"])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


async def report_on(endpoint: Endpoint, protocol: str = "imap") -> tuple[str, str]:
    """Returns what is wrong, and what to do."""
    row = MailServer("home", imap=endpoint) if protocol == "imap" else MailServer("home", pop3=endpoint)
    lines = await probe.describe(row)
    assert [line.is_good for line in lines] == [False, True]
    what, advice = (line.text for line in lines)
    assert what.startswith(f"home {protocol} {endpoint.host}:{endpoint.port} {endpoint.security}: FAILED: ")
    assert advice.startswith("  do: ")
    return what, advice


def closed_port() -> int:
    [port] = free_ports(1)
    return port


@PROTOCOLS
async def test_a_host_name_that_is_not_known(protocol: str) -> None:
    """R-OPS-27: the report names the host name, whether a DNS server answers or not."""
    what, _ = await report_on(Endpoint("imap.nowhere.invalid", 993, Security.TLS), protocol)
    assert "imap.nowhere.invalid" in what
    assert "(DNS)" in what


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "There is no host with the name a.example.org",
        ),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "no name server (DNS) answers"),
        (UnicodeError("label too long"), "There is no host"),
        (ConnectionRefusedError(111, "refused"), "refuses connections"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 101] Network"), "refuses connections"),
        (OSError("Multiple exceptions: [Errno 113] No route, [Errno 101] Network"), "network is unreachable"),
        (TimeoutError(110, "timed out"), "timeout"),
    ],
    ids=str,
)
def test_each_fault_of_name_and_network_is_reported(error: OSError | UnicodeError, words: str) -> None:
    """R-OPS-27."""
    error_shown = unreachable(error, Endpoint("a.example.org", 993, Security.TLS))
    assert isinstance(error_shown, Unreachable)
    assert words in error_shown.cause.what
    assert error_shown.cause.advice


@PROTOCOLS
@pytest.mark.parametrize("host", [HOST, "localhost"])
async def test_a_port_that_refuses_connections(protocol: str, host: str) -> None:
    """R-OPS-27: also if the name has several addresses."""
    what, advice = await report_on(Endpoint(host, closed_port(), Security.TLS), protocol)
    assert "refuses connections" in what
    assert "`port`" in advice


async def test_a_host_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-OPS-27: packets to it are dropped."""
    monkeypatch.setattr(probe, "CONNECT_SECONDS", 0.5)
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind((HOST, 0))
        full.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        what, advice = await report_on(Endpoint(HOST, full.getsockname()[1], Security.TLS))
    assert "does not answer in time (timeout)" in what
    assert "firewall" in advice


@PROTOCOLS
@IMPLICIT
@pytest.mark.parametrize(
    ("wrong", "words", "todo"),
    [
        (expired, "certificate has expired", "Renew"),
        (of_another_authority, "certificate is not trusted", "ca_file"),
        (of_another_host, "for another host than localhost. Its names: other.example.org.", "one of these names"),
        (of_old_tls, "TLSv1.1, which is too old", "TLS 1.2"),
    ],
    ids=["expired", "authority", "host", "old"],
)
async def test_tls_that_is_refused(
    certificate: Certificate,
    wrong: Callable[[Certificate], ssl.SSLContext],
    words: str,
    todo: str,
    implicit: bool,
    protocol: str,
) -> None:
    """R-OPS-27, R-IMAP-15: the report says which fault it is."""
    context, security = wrong(certificate), Security.TLS if implicit else Security.STARTTLS
    if protocol == "imap":
        async with ScriptedServer([Imap()], tls=context, implicit=implicit) as server:
            what, advice = await report_on(Endpoint("localhost", server.port, security, certificate.ca_file))
    else:
        offered = CAPABILITIES if implicit else (*CAPABILITIES, "STLS")
        double = Pop3Server(tls=context, implicit=implicit, capabilities=offered)
        async with double.running() as place:
            what, advice = await report_on(Endpoint("localhost", place.port, security, certificate.ca_file), "pop3")
    assert words in what
    assert todo in advice


async def test_a_port_that_does_not_speak_tls(certificate: Certificate) -> None:
    """R-OPS-27: the port is for STARTTLS, or for another protocol."""
    async with ScriptedServer([Send(b"* OK ready\r\n"), Hang()]) as server:
        what, advice = await report_on(Endpoint("localhost", server.port, Security.TLS, certificate.ca_file))
    assert "does not speak TLS from the start" in what
    assert "starttls" in advice


async def test_a_server_without_starttls(certificate: Certificate) -> None:
    """R-OPS-27: nothing is sent without TLS instead."""
    async with ScriptedServer([Imap()]) as server:
        what, advice = await report_on(Endpoint("localhost", server.port, Security.STARTTLS, certificate.ca_file))
    assert "STARTTLS" in what
    assert '`security = "tls"`' in advice


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        (b"SSH-2.0-x\r\n", "sent an answer that belongs to no command"),
        (b"* BYE [UNAVAILABLE] busy\r\n", "refuses logins at the moment"),
        (b"* PREAUTH welcome\r\n", "PREAUTH"),
    ],
)
async def test_an_unusable_greeting(greeting: bytes, words: str) -> None:
    """R-OPS-27."""
    async with ScriptedServer([Send(greeting), Close()]) as server:
        what, _ = await report_on(Endpoint(HOST, server.port, Security.NONE))
    assert words in what


async def test_a_missing_file_of_authorities(certificate: Certificate, tmp_path: Path) -> None:
    """R-OPS-27: the report names the file."""
    async with ScriptedServer([Imap()], tls=good(certificate), implicit=True) as server:
        what, _ = await report_on(Endpoint("localhost", server.port, Security.TLS, tmp_path / "none.pem"))
    assert f"ca_file {tmp_path}/none.pem cannot be used: No such file or directory" in what


async def test_text_of_a_server_cannot_steer_the_terminal() -> None:
    """R-OPS-27: a capability with an escape sequence in it."""
    answer = b"* CAPABILITY IMAP4rev1 \x1b[31mX\x07\r\n{tag} OK done\r\n"
    async with ScriptedServer([Imap(answers={"CAPABILITY": answer})]) as server:
        lines = await probe.describe(MailServer("home", imap=Endpoint(HOST, server.port, Security.NONE)))
    assert all(line.text.isprintable() for line in lines)
    assert any("IMAP4REV1" in line.text for line in lines) or not lines[0].is_good


async def test_no_connection_stays_open() -> None:
    """R-OPS-27."""
    async with ScriptedServer([Imap()]) as server:
        await probe.describe(MailServer("home", imap=Endpoint(HOST, server.port, Security.NONE)))
        async with asyncio.timeout(10):
            await server.all_closed()
