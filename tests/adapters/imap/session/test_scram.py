"""SCRAM-SHA-256 (RFC 5802, 7677), with Dovecot, with a scripted server, and with lies."""

import ssl
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scramp import ScramMechanism  # type: ignore[import-untyped]
from scramp.core import ScramServer  # type: ignore[import-untyped]

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.adapters.pop3.backend import Pop3Backend
from service.mail.errors import LoginRefused, MailError, UpstreamTls
from service.mail.model import Protocol
from tests.adapters.imap.conftest import CREDENTIALS, TIMING, Scripted
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST
from tests.servers.scripted import Connection, Imap, ScriptedServer, Send
from tests.servers.tls import make_certificate

OFFERED = b"IMAP4rev1 UIDPLUS LITERAL+ SASL-IR AUTH=PLAIN AUTH=SCRAM-SHA-256"
SIGNED_IN = b"{tag} OK [CAPABILITY IMAP4rev1 UIDPLUS] done\r\n"
NO = b"{tag} NO [AUTHENTICATIONFAILED] no\r\n"


@pytest.fixture(scope="module")
def scram_dovecot() -> Iterator[Dovecot]:
    with Dovecot(settings="auth_mechanisms = plain scram-sha-256") as server:
        yield server


def signing_in(server: Dovecot, protocol: Protocol, secret: str) -> "ImapBackend | Pop3Backend":
    credentials = Credentials("home", protocol, server.user(), secret)
    if protocol is Protocol.IMAP:
        return ImapBackend(Endpoint(HOST, server.ports.imap, Security.NONE), credentials)
    return Pop3Backend(Endpoint(HOST, server.ports.pop3, Security.NONE), credentials, "account")


@pytest.mark.dovecot
@pytest.mark.parametrize("protocol", [Protocol.IMAP, Protocol.POP3])
async def test_dovecot_accepts_a_login_by_scram(scram_dovecot: Dovecot, protocol: Protocol) -> None:
    """R-IMAP-28: and refuses a wrong password as usual."""
    good, bad = (signing_in(scram_dovecot, protocol, secret) for secret in (PASSWORD, "wrong"))
    try:
        await good.check()
        with pytest.raises(LoginRefused):
            await bad.check()
    finally:
        await good.aclose()
        await bad.aclose()
    assert "method=SCRAM-SHA-256" in scram_dovecot.log
    assert "method=PLAIN" not in scram_dovecot.log


class Scram:
    """The server's half, on scramp. ``twist`` changes what it says, given the number of the challenge from 0 and its
    text; the answer may also be octets that end the exchange."""

    def __init__(
        self, twist: Callable[[int, str], str | bytes] = lambda _, text: text, password: str = CREDENTIALS.secret
    ) -> None:
        self._twist = twist
        self._mechanism = ScramMechanism("SCRAM-SHA-256")
        self._known = self._mechanism.make_auth_info(password)
        self.seen: list[str] = []

    async def play(self, connection: Connection) -> None:
        command = connection.commands[-1]
        server = self._mechanism.make_server(lambda _: self._known)
        await self._exchange(connection, server, b64decode(command.split()[2]).decode())

    async def _exchange(self, connection: Connection, server: ScramServer, first: str) -> None:
        server.set_client_first(first)
        for number, respond in enumerate((server.get_server_first, server.get_server_final)):
            said = self._twist(number, respond())
            if isinstance(said, bytes):
                await Send(said).play(connection)
                return
            await connection.send(b"+ " + b64encode(said.encode()) + b"\r\n")
            line = (await connection.line()).decode()
            self.seen.append(line)
            if line == "*":
                await Send(b"{tag} BAD cancelled\r\n").play(connection)
                return
            if number == 0:
                server.set_client_final(b64decode(line).decode())
        await Send(SIGNED_IN).play(connection)


async def test_the_password_is_never_on_the_wire(scripted: Scripted) -> None:
    """R-IMAP-28: three round trips, and CAPABILITY before."""
    scram = Scram()
    async with scripted({"AUTHENTICATE": [scram]}, capabilities=OFFERED) as (server, mailbox):
        await mailbox.check()
        said = b"".join(server.commands) + "".join(scram.seen).encode()
        for secret in (CREDENTIALS.secret.encode(), b64encode(CREDENTIALS.secret.encode())):
            assert secret not in said
        assert server.verbs[:2] == ["CAPABILITY", "AUTHENTICATE"]
        assert "LOGIN" not in server.verbs


async def test_an_ok_without_a_proof_is_no_login(scripted: Scripted) -> None:
    """R-IMAP-28: an impostor that knows no password says OK instead of its signature; no password follows."""
    twists: list[Callable[[int, str], str | bytes]] = [
        lambda number, text: SIGNED_IN if number == 0 else text,
        lambda number, text: SIGNED_IN if number == 1 else text,
    ]
    for twist in twists:
        async with scripted({"AUTHENTICATE": [Scram(twist)]}, capabilities=OFFERED) as (server, mailbox):
            with pytest.raises(UpstreamTls, match="impostor"):
                await mailbox.check()
            assert "LOGIN" not in server.verbs


@pytest.mark.parametrize("final", ["v=" + b64encode(bytes(32)).decode(), "v=x", "w=1", "", "v=" + "A" * 10_000])
async def test_a_wrong_signature_is_no_login(scripted: Scripted, final: str) -> None:
    """R-IMAP-28."""
    scram = Scram(lambda number, text: final if number == 1 else text)
    async with scripted({"AUTHENTICATE": [scram]}, capabilities=OFFERED) as (server, mailbox):
        with pytest.raises(MailError):
            await mailbox.check()
        assert scram.seen[-1] == "*"
        assert "LOGIN" not in server.verbs


@pytest.mark.parametrize(
    "first",
    [
        "r={nonce},s=QUFBQUFBQUFBQUFBQUFBQQ==,i=100000000",
        "r={nonce},s=QUFBQUFBQUFBQUFBQUFBQQ==,i=600001",
        "r={nonce},s=QUFBQUFBQUFBQUFBQUFBQQ==,i=1",
        "r={nonce},s=QUFBQUFBQUFBQUFBQUFBQQ==,i=" + "9" * 5000,
        "r=another,s=QUFBQUFBQUFBQUFBQUFBQQ==,i=4096",
        "m=future,r={nonce},s=QUFBQUFBQUFBQUFBQUFBQQ==,i=4096",
        "nonsense",
        "",
        "r={nonce},s=" + "A" * 20_000 + ",i=4096",
    ],
)
async def test_a_challenge_that_makes_no_sense_is_not_worked_on(scripted: Scripted, first: str) -> None:
    """R-IMAP-28: too much work, too little, somebody else's. The exchange is cancelled, and the next mechanism tried."""

    def twist(number: int, text: str) -> str:
        return first.replace("{nonce}", text.split(",", maxsplit=1)[0].removeprefix("r=")) if number == 0 else text

    scram = Scram(twist)
    async with scripted({"AUTHENTICATE": [scram]}, capabilities=OFFERED) as (server, mailbox):
        await mailbox.check()
        assert scram.seen == ["*"]
        assert "LOGIN" in server.verbs


@pytest.mark.parametrize("refusal", [NO, b"{tag} BAD what\r\n"])
async def test_a_server_without_scram_for_this_user_gets_another_mechanism(scripted: Scripted, refusal: bytes) -> None:
    """Such as one that keeps a hash of another kind: it refuses before it has sent a salt."""
    async with scripted({"AUTHENTICATE": refusal}, capabilities=OFFERED) as (server, mailbox):
        await mailbox.check()
        assert server.verbs[:3] == ["CAPABILITY", "AUTHENTICATE", "LOGIN"]


class Refusing(Scram):
    """Accepts the first login and then refuses every proof, with ``final`` before if it is a text."""

    def __init__(self, final: str | bytes) -> None:
        super().__init__()
        self._final = final
        self._logins = 0

    async def _exchange(self, connection: Connection, server: ScramServer, first: str) -> None:
        self._logins += 1
        if self._logins == 1:
            await super()._exchange(connection, server, first)
            return
        server.set_client_first(first)
        await connection.send(b"+ " + b64encode(server.get_server_first().encode()) + b"\r\n")
        await connection.line()
        if isinstance(self._final, str):
            await connection.send(b"+ " + b64encode(self._final.encode()) + b"\r\n")
            await connection.line()
        await Send(NO).play(connection)


@pytest.mark.parametrize("final", [NO, "e=invalid-proof"])
async def test_a_wrong_password_is_tried_once(scripted: Scripted, final: str | bytes) -> None:
    """Repeated refused logins lock the account. SCRAM has worked on this server before."""
    async with scripted({"AUTHENTICATE": [Refusing(final)]}, capabilities=OFFERED) as (server, mailbox):
        await mailbox.check()
        await server.connected[0].end()
        with pytest.raises(LoginRefused):
            await mailbox.list_folders()
        assert server.verbs.count("AUTHENTICATE") == 2
        assert "LOGIN" not in server.verbs


async def test_scram_that_refuses_everybody_is_given_up(scripted: Scripted) -> None:
    """GNU mailutils offers it and keeps no secrets of its kind: the password is tried once more, and then without it."""
    refusing = Refusing(NO)
    refusing._logins = 1
    async with scripted({"AUTHENTICATE": [refusing]}, capabilities=OFFERED) as (server, mailbox):
        await mailbox.check()
        await server.connected[0].end()
        await mailbox.list_folders()
        assert server.verbs.count("AUTHENTICATE") == 1
        assert server.verbs.count("LOGIN") == 2


async def test_challenges_without_end_are_the_end(scripted: Scripted) -> None:
    """R-IMAP-28."""
    answer = [Send(b"+ \r\n" * 1000)]
    async with scripted({"AUTHENTICATE": answer}, capabilities=OFFERED) as (_, mailbox):
        with pytest.raises(MailError):
            await mailbox.check()


async def test_a_password_that_scram_cannot_carry_goes_another_way(scripted: Scripted) -> None:
    """Letters that SASLprep forbids (RFC 4013), as new emoji are."""
    credentials = Credentials("scripted", Protocol.IMAP, "user", "p\U0001fae0")
    async with scripted({}, capabilities=OFFERED, credentials=credentials) as (server, mailbox):
        await mailbox.check()
        assert "AUTHENTICATE" in server.verbs
        assert b"PLAIN" in server.commands[1]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_login_is_bound_to_its_connection_if_it_can_be(tmp_path: Path, version: ssl.TLSVersion) -> None:
    """RFC 5929: by tls-unique, which TLS 1.3 no longer has."""
    made = make_certificate(tmp_path)
    context = made.server_context()
    context.maximum_version = version
    is_bound = version is ssl.TLSVersion.TLSv1_2
    capabilities = OFFERED + b" AUTH=SCRAM-SHA-256-PLUS"

    class Bound(Scram):
        async def play(self, connection: Connection) -> None:
            command = connection.commands[-1].split()
            assert command[1] == (b"SCRAM-SHA-256-PLUS" if is_bound else b"SCRAM-SHA-256")
            mechanism = ScramMechanism(command[1].decode())
            tls = connection.transport.get_extra_info("ssl_object")
            binding = ("tls-unique", tls) if is_bound else None
            server = mechanism.make_server(lambda _: self._known, channel_binding=binding)
            await self._exchange(connection, server, b64decode(command[2]).decode())

    script = [Imap(capabilities=capabilities, answers={"AUTHENTICATE": [Bound()]})]
    async with ScriptedServer(script, tls=context, implicit=True) as server:
        endpoint = Endpoint("localhost", server.port, Security.TLS, made.ca_file)
        mailbox = ImapBackend(endpoint, CREDENTIALS, connections=1, timing=TIMING)
        await mailbox.check()
        await mailbox.aclose()
        assert "LOGIN" not in server.verbs
