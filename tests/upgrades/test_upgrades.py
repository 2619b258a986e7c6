"""Every script of a server, or of who sits between, where TLS is to begin: no secret in clear, nothing believed that was
said in clear, and an end in time."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import md5
from pathlib import Path

import pytest

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.adapters.imap.wire.commands import Timing as ImapTiming
from service.adapters.pop3.backend import Pop3Backend
from service.adapters.pop3.wire.timing import Timing as Pop3Timing
from service.adapters.smtp.submitter import SmtpSubmitter
from service.adapters.smtp.wire.timing import Timing as SmtpTiming
from service.api.problems import problem_type_of
from service.mail.errors import MailError
from service.mail.model import Protocol
from tests.adapters.imap.session.test_login import expired, good, of_another_authority, of_another_host
from tests.servers.tls import Certificate, make_certificate
from tests.upgrades.imap import IMAP
from tests.upgrades.pop3 import POP3
from tests.upgrades.scripts import GOOD, Dialect, Row, rows
from tests.upgrades.server import Upgrading
from tests.upgrades.smtp import SMTP

USER, SECRET = "user@example.org", "canary-9c41-password"
FIRST = {b"CAPABILITY", b"CAPA", b"EHLO [127.0.0.1]"}
"""What is asked first under TLS. Octets that are injected at the end of the handshake come after it."""
AT_ONCE = 12
SECONDS = 10.0
"""The most that a request may take on a machine that has other things to do: its own deadlines end below three."""
IMAP_TIMING = ImapTiming(connect=2, greeting=1, login=1, progress=1, command=2, patience=2)
POP3_TIMING = replace(
    Pop3Timing(), connect=2, greeting=1, idle=1, command=2, queue=2, session=3, reconnect=0.01, quit=0.1
)
SMTP_TIMING = SmtpTiming(connect=2, greeting=1, login=1, command=1, quit=0.1)
DIALECTS: Mapping[str, Dialect] = {"imap": IMAP, "pop3": POP3, "smtp": SMTP}
SERVERS = {"good": good, "expired": expired, "other host": of_another_host, "self-signed": of_another_authority}
Contexts = Mapping[str, ssl.SSLContext]


@dataclass(frozen=True)
class Trust:
    """What servers show, and whom the client believes."""

    ca_file: Path
    contexts: Contexts


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    made: Certificate = make_certificate(tmp_path_factory.mktemp("tls"))
    return Trust(made.ca_file, {name: make(made) for name, make in SERVERS.items()})


def secrets() -> Iterable[bytes]:
    """In every form that a client could send them."""
    plain = f"\0{USER}\0{SECRET}"
    yield from (USER.encode(), SECRET.encode(), b64encode(plain.encode()), b64encode(SECRET.encode()))
    yield md5(b"<1.2@example.org>" + SECRET.encode()).hexdigest().encode()
    yield from (b"LOGIN ", b"AUTHENTICATE", b"AUTH ", b"USER ", b"PASS ", b"APOP ")


async def ended(protocol: str, endpoint: Endpoint) -> tuple[MailError | None, str]:
    """How the request ended, and what was told of the mailbox or the server if it was signed in."""
    try:
        async with asyncio.timeout(SECONDS):
            return GOOD, await (_extensions(endpoint) if protocol == "smtp" else _folders(Protocol(protocol), endpoint))
    except MailError as error:
        return error, ""


async def _folders(protocol: Protocol, endpoint: Endpoint) -> str:
    credentials = Credentials("home", protocol, USER, SECRET)
    backend: ImapBackend | Pop3Backend
    if protocol is Protocol.IMAP:
        backend = ImapBackend(endpoint, credentials, connections=1, timing=IMAP_TIMING)
    else:
        backend = Pop3Backend(endpoint, credentials, "account", POP3_TIMING)
    try:
        await backend.check()
        folders = await backend.list_folders()
        return " ".join(f"{folder.name} {folder.total_messages}" for folder in folders)
    finally:
        await backend.aclose()


async def _extensions(endpoint: Endpoint) -> str:
    submitter = SmtpSubmitter(endpoint, Credentials("home", Protocol.IMAP, USER, SECRET), SMTP_TIMING)
    try:
        return " ".join(sorted(await submitter.check() - {"STARTTLS"}))
    finally:
        await submitter.aclose()


async def faults(row: Row, protocol: str, trust: Trust, expected: str, turns: asyncio.Semaphore) -> list[str]:
    """What is wrong with how a script ended."""
    server = Upgrading(row.script, trust.contexts[row.certificate])
    async with turns, server.visits as visits:
        endpoint = Endpoint("localhost", visits.port, Security.STARTTLS, trust.ca_file)
        try:
            end, told = await ended(protocol, endpoint)
        except TimeoutError:
            return [f"{row.name}: no end"]
    found = [f"{row.name}: {word!r} in clear" for word in secrets() if word in server.clear]
    if (end if end is GOOD else type(end)) not in row.ends:
        found.append(f"{row.name}: ended by {end!r}, not {row.ends}")
    if end is not GOOD and (SECRET in end.detail or problem_type_of(end).status not in {502, 503, 504}):
        found.append(f"{row.name}: told as {end.detail}")
    if end is GOOD and told != expected:
        found.append(f"{row.name}: told of {told}")
    if end is not GOOD and row.name.startswith("injected") and not set(server.inside) <= FIRST:
        found.append(f"{row.name}: went on with {server.inside}")
    if any(_is_from_clear(command, protocol) for command in server.inside):
        found.append(f"{row.name}: believed what was offered in clear: {server.inside}")
    return found


def _is_from_clear(command: bytes, protocol: str) -> bool:
    """Whether it uses what was offered in clear alone. SMTP offers AUTH LOGIN under TLS."""
    if protocol == "smtp":
        return command.startswith(b"AUTH") and command != b"AUTH LOGIN"
    return command.startswith((b"AUTH", b"APOP")) or b"+}" in command


@pytest.mark.parametrize(
    ("protocol", "expected"), [("imap", "INBOX None inside None"), ("pop3", "INBOX 2"), ("smtp", "AUTH XINSIDE")]
)
async def test_whatever_is_done_where_tls_begins_no_secret_is_in_clear(
    trust: Trust, protocol: str, expected: str
) -> None:
    """R-IMAP-13, R-IMAP-14, R-IMAP-15, R-POP-09, R-SMTP-19: injected in the same segment, in the next, after the client's hello
    and in the handshake; greetings, answers and offers of every kind; certificates that do not hold; an end or silence
    at each step."""
    turns = asyncio.Semaphore(AT_ONCE)
    table = list(rows(DIALECTS[protocol]))
    found = await asyncio.gather(*(faults(row, protocol, trust, expected, turns) for row in table))
    assert [fault for each in found for fault in each] == []


def test_there_are_many_scripts_and_no_two_have_the_same_name() -> None:
    names = [f"{kind} {row.name}" for kind, dialect in DIALECTS.items() for row in rows(dialect)]
    assert len(set(names)) == len(names) >= 250
    assert all(sum(name.startswith(kind) for name in names) >= 100 for kind in DIALECTS)
