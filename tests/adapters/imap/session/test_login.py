"""Who the server is, and how well it speaks TLS, before a credential is sent."""

import asyncio
import socket
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.mail.errors import UpstreamProtocol, UpstreamTimeout, UpstreamTls, UpstreamUnavailable
from tests.adapters.imap.conftest import CREDENTIALS, TIMING
from tests.servers.scripted import Hang, Imap, ScriptedServer, Send, Step
from tests.servers.tls import Certificate, make_certificate

IMPLICIT = pytest.mark.parametrize("implicit", [True, False], ids=["tls", "starttls"])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def good(made: Certificate) -> ssl.SSLContext:
    return made.server_context()


def of_another_host(made: Certificate) -> ssl.SSLContext:
    """Signed by the right authority, for the wrong name."""
    return signed(made, "other.example.org", timedelta(days=1))


def of_another_authority(made: Certificate) -> ssl.SSLContext:
    folder = made.ca_file.parent / "foreign"
    folder.mkdir(exist_ok=True)
    return make_certificate(folder).server_context()


def expired(made: Certificate) -> ssl.SSLContext:
    """Signed by the right authority for the right name, until yesterday."""
    return signed(made, "localhost", timedelta(days=-1))


def signed(made: Certificate, name: str, ends: timedelta) -> ssl.SSLContext:
    """With a certificate by the authority that is trusted."""
    authority = x509.load_pem_x509_certificate(made.ca_file.read_bytes())
    signer = load_pem_private_key((made.ca_file.parent / "ca-key.pem").read_bytes(), None)
    key = load_pem_private_key(made.key_file.read_bytes(), None)
    now = datetime.now(UTC)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())  # type: ignore[arg-type]  # an EC key, as made
        .serial_number(1)
        .not_valid_before(now - timedelta(days=3))
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
        .sign(signer, hashes.SHA256())  # type: ignore[arg-type]
    )
    file = made.ca_file.parent / f"{name}.pem"
    file.write_bytes(leaf.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, made.key_file)
    return context


def of_old_tls(made: Certificate) -> ssl.SSLContext:
    context = made.server_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


@asynccontextmanager
async def mailbox(
    made: Certificate, context: ssl.SSLContext, implicit: bool, script: "Step | None" = None, host: str = "localhost"
) -> AsyncIterator[tuple[ScriptedServer, ImapBackend]]:
    async with ScriptedServer([script or Imap()], tls=context, implicit=implicit) as server:
        security = Security.TLS if implicit else Security.STARTTLS
        endpoint = Endpoint(host, server.port, security, made.ca_file)
        backend = ImapBackend(endpoint, CREDENTIALS, connections=1, timing=TIMING)
        try:
            yield server, backend
        finally:
            await backend.aclose()


@IMPLICIT
@pytest.mark.parametrize("wrong", [of_another_host, of_another_authority, expired, of_old_tls])
async def test_a_server_with_a_wrong_certificate_gets_no_credentials(
    certificate: Certificate, wrong: Callable[[Certificate], ssl.SSLContext], implicit: bool
) -> None:
    """R-IMAP-15: another name, an untrusted authority, a certificate of the past, TLS 1.1; and no login was sent."""
    async with mailbox(certificate, wrong(certificate), implicit) as (server, backend):
        # Python's own server closes before its client has read the alert about the version.
        with pytest.raises((UpstreamTls, UpstreamUnavailable) if wrong is of_old_tls else UpstreamTls) as caught:
            await backend.check()
        assert CREDENTIALS.secret not in str(caught.value)
        assert set(server.verbs) <= {"STARTTLS", "CAPABILITY"}


@IMPLICIT
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_server_with_the_right_certificate_is_used(certificate: Certificate, implicit: bool, host: str) -> None:
    """R-IMAP-15: by name and, where the certificate has it, by address."""
    async with mailbox(certificate, good(certificate), implicit, host=host) as (server, backend):
        await backend.check()
        assert "LOGIN" in server.verbs


async def test_a_certificate_swapped_later_is_noticed(certificate: Certificate) -> None:
    """R-IMAP-15: each connection is checked."""
    async with mailbox(certificate, good(certificate), implicit=True) as (server, backend):
        await backend.check()
        of_another_authority(certificate)
        foreign = certificate.ca_file.parent / "foreign"
        assert server.tls is not None
        server.tls.load_cert_chain(foreign / "cert.pem", foreign / "key.pem")
        for connection in server.connected:
            await connection.end()
        with pytest.raises(UpstreamTls):
            await backend.check()


async def test_a_handshake_that_stalls_ends_by_a_deadline() -> None:
    """R-IMAP-11: accepted, then silence."""
    async with ScriptedServer([Hang(reads=False)]) as server:
        endpoint = Endpoint(server.host, server.port, Security.TLS)
        backend = ImapBackend(endpoint, CREDENTIALS, connections=1, timing=TIMING)
        with pytest.raises(UpstreamTimeout):
            await asyncio.wait_for(backend.check(), 5)
        await backend.aclose()


async def test_a_port_that_is_never_accepted_from_meets_a_deadline() -> None:
    """R-IMAP-11: connected by the kernel, never accepted by a process."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        endpoint = Endpoint("127.0.0.1", listener.getsockname()[1], Security.NONE)
        backend = ImapBackend(endpoint, CREDENTIALS, connections=1, timing=TIMING)
        with pytest.raises((UpstreamTimeout, UpstreamUnavailable)):
            await asyncio.wait_for(backend.check(), 5)
        await backend.aclose()


@pytest.mark.parametrize("octets", [b"* OK ready\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 100])
async def test_a_port_without_tls_is_not_used_as_one_with_tls(octets: bytes) -> None:
    """R-IMAP-12, R-IMAP-15: octets in clear instead of TLS."""
    async with ScriptedServer([Send(octets), Hang()]) as server:
        endpoint = Endpoint(server.host, server.port, Security.TLS)
        backend = ImapBackend(endpoint, CREDENTIALS, connections=1, timing=TIMING)
        with pytest.raises((UpstreamTls, UpstreamUnavailable, UpstreamProtocol)):
            await asyncio.wait_for(backend.check(), 5)
        assert CREDENTIALS.secret.encode() not in b"".join(server.commands)
        await backend.aclose()


async def test_capabilities_offered_in_clear_are_forgotten(certificate: Certificate) -> None:
    """R-IMAP-14: a way to log in that is offered before TLS, and not within, is not taken."""

    async def offers(_: bytes) -> bytes:
        within = server.connected[0].transport.get_extra_info("sslcontext") is not None
        offered = b"IMAP4rev1" if within else b"IMAP4rev1 STARTTLS AUTH=PLAIN SASL-IR LITERAL+"
        return b"* CAPABILITY " + offered + b"\r\n{tag} OK done\r\n"

    script = Imap(
        greeting=b"* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN SASL-IR LITERAL+] x\r\n",
        answers={"CAPABILITY": offers},
    )
    async with mailbox(certificate, good(certificate), False, script) as (server, backend):
        await backend.check()
        assert not [command for command in server.commands if command.startswith(b"AUTHENTICATE")]
        [login] = [command for command in server.commands if command.startswith(b"LOGIN")]
        assert b"+}" not in login
