"""Real servers that send: Postfix and Dovecot's submission service. Exim is in ``make servers``."""

import json
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import NamedTuple

import pytest

from service.accounts.credentials import Credentials, SecretKind
from service.accounts.servers import Endpoint, Security
from service.adapters.smtp.submitter import SmtpSubmitter
from service.mail.errors import LoginRefused, NotSupported, RecipientsRefused, TooLarge
from tests.adapters.smtp.large import LINE
from tests.adapters.smtp.sending import CREDENTIALS, ENVELOPE, MESSAGE, Attempt
from tests.servers.dovecot import PASSWORD
from tests.servers.exim import Exim
from tests.servers.sink import Sink
from tests.servers.submission import REFUSED, Postfix, SendingDovecot

KNOWN = replace(CREDENTIALS, secret=PASSWORD)
LARGE = (35 << 20) // len(LINE) * len(LINE)
"""Octets of whole lines."""
NASTY = (
    b"From: ann@example.org\r\nDate: Sat, 1 Jan 2028 00:00:00 +0000\r\nMessage-ID: <nasty@example.org>\r\nSubject: nasty\r\n\r\n"
    b".\r\n..\r\n.a\r\n" + bytes(range(32, 127)) + b"\r\n" + b"x" * 998 + b"\r\n caf\xc3\xa9\r\n\r\n.\r\n"
)


class Place(NamedTuple):
    """A server, by where it listens."""

    name: str
    endpoint: Endpoint
    sink: Sink

    def submitter(self, credentials: Credentials = KNOWN) -> SmtpSubmitter:
        return SmtpSubmitter(self.endpoint, credentials)


def somebody() -> str:
    return f"{uuid.uuid4().hex[:12]}@example.net"


@pytest.fixture(
    params=[
        "dovecot starttls",
        "postfix tls",
        "postfix starttls",
        "postfix none",
        pytest.param("exim starttls", marks=pytest.mark.servers),
    ]
)
def place(request: pytest.FixtureRequest, sink: Sink, submission: SendingDovecot) -> Place:
    name, security = request.param.split()
    port = submission.submission
    if name == "postfix":
        server: Postfix = request.getfixturevalue("postfix")
        port = server.tls_port if security == "tls" else server.port
    elif name == "exim":
        other: Exim = request.getfixturevalue("exim")
        port = other.port
    return Place(name, Endpoint("localhost", port, Security(security), submission.ca_file), sink)


async def test_a_message_arrives_octet_for_octet(place: Place) -> None:
    """R-SMTP-14: dots at the beginning of lines, long lines, letters beyond ASCII; behind what servers put before it."""
    recipient = somebody()
    envelope = replace(ENVELOPE, recipients=(recipient,), is_8bit=True)
    for size in (1, 7, 1 << 16):
        sent = await Attempt(NASTY, replace(envelope, size=len(NASTY)), size=size).by(place.submitter())
        assert sent.receipt is not None, sent.error
    came = place.sink.wait_for(recipient, 3)
    assert all(each.octets.endswith(NASTY) for each in place.sink.delivered_to(recipient))
    assert came.sender == ENVELOPE.sender


async def test_a_wrong_password_is_refused(place: Place) -> None:
    """R-SMTP-12."""
    submitter = place.submitter(replace(KNOWN, secret="wrong"))
    with pytest.raises(LoginRefused):
        await submitter.check()
    await submitter.aclose()


async def test_several_messages_go_by_one_connection(place: Place) -> None:
    submitter = place.submitter()
    recipient = somebody()
    for _ in range(3):
        sent = await Attempt(MESSAGE, replace(ENVELOPE, recipients=(recipient,))).by(submitter, close=False)
        assert sent.receipt is not None, sent.error
    await submitter.aclose()
    place.sink.wait_for(recipient, 3)


async def test_fifty_recipients_get_it(place: Place) -> None:
    recipients = tuple(somebody() for _ in range(50))
    sent = await Attempt(MESSAGE, replace(ENVELOPE, recipients=recipients)).by(place.submitter())
    assert sent.receipt is not None
    assert sent.receipt.accepted == recipients
    for each in recipients:
        place.sink.wait_for(each)


async def test_one_recipient_of_two_is_refused(postfix: Postfix, submission: SendingDovecot, sink: Sink) -> None:
    """R-SMTP-10."""
    place = Place("postfix", Endpoint("localhost", postfix.tls_port, Security.TLS, submission.ca_file), sink)
    recipient = somebody()
    attempt = Attempt(MESSAGE, replace(ENVELOPE, recipients=(recipient, REFUSED)))
    submitter = place.submitter()
    await attempt.by(submitter, close=False)
    assert isinstance(attempt.error, RecipientsRefused)
    assert attempt.error.recipients[0][:2] == (REFUSED, "550 5.1.1")
    attempt.partial = True
    await attempt.by(submitter)
    assert attempt.receipt is not None
    assert attempt.receipt.accepted == (recipient,)
    assert sink.wait_for(recipient).recipients == (recipient,)
    assert len(sink.delivered_to(recipient)) == 1


async def test_what_is_too_large_is_said_with_the_limit(
    postfix: Postfix, submission: SendingDovecot, sink: Sink
) -> None:
    """R-SMTP-09."""
    place = Place("postfix", Endpoint("localhost", postfix.tls_port, Security.TLS, submission.ca_file), sink)
    sent = await Attempt(envelope=replace(ENVELOPE, size=60_000_001)).by(place.submitter())
    assert isinstance(sent.error, TooLarge)
    assert "60000000" in sent.error.detail


async def test_notifications_are_asked_for(place: Place) -> None:
    """R-SMTP-17: with an id that comes back in the report. Dovecot says only after login whether its relay can."""
    recipient = somebody()
    sent = await Attempt(envelope=replace(ENVELOPE, recipients=(recipient,), id="a=b")).by(place.submitter())
    assert sent.receipt is not None
    mail, rcpt = place.sink.wait_for(recipient).parameters
    assert "ENVID=a+3Db" in mail
    assert "NOTIFY=" in rcpt


async def test_an_address_beyond_ascii_is_sent_to(place: Place) -> None:
    """R-SMTP-17: by those who can."""
    recipient = f"büro-{somebody()}"
    submitter = place.submitter()
    can = "SMTPUTF8" in await submitter.check()
    sent = await Attempt(envelope=replace(ENVELOPE, recipients=(recipient,), is_utf8=True)).by(submitter)
    assert isinstance(sent.error, NotSupported) != can
    assert (sent.receipt is not None) == can
    if can:
        place.sink.wait_for(recipient)


@pytest.mark.parametrize("kind", SecretKind)
async def test_dovecot_offers_ways_for_both_kinds_of_secrets(
    submission: SendingDovecot, sink: Sink, kind: SecretKind
) -> None:
    """R-SMTP-12: this Dovecot takes the password for a token too, and refuses others in the way of tokens."""
    place = Place("dovecot", Endpoint("localhost", submission.submission, Security.STARTTLS, submission.ca_file), sink)
    submitter = place.submitter(replace(KNOWN, kind=kind))
    assert "PIPELINING" in await submitter.check()
    await submitter.aclose()
    submitter = place.submitter(replace(KNOWN, kind=kind, secret="wrong"))
    with pytest.raises(LoginRefused):
        await submitter.check()
    await submitter.aclose()


async def test_thirty_five_megabytes_take_no_memory_and_hold_no_loop(place: Place) -> None:
    """R-SMTP-20: from a process of its own, so that only the sending counts."""
    recipient = somebody()
    figures = sent_large(place, recipient)
    came = place.sink.wait_for(recipient).octets
    begins = came.index(b"From: ann@example.org")
    assert sha256(came[begins:]).hexdigest() == figures["digest"]
    assert int(figures["grown"]) < 8 << 20, figures
    assert float(figures["held"]) < 0.05, figures


def sent_large(place: Place, recipient: str) -> Mapping[str, str]:
    """The figures that ``large`` prints."""
    endpoint = place.endpoint
    arguments = [str(endpoint.port), endpoint.security, str(endpoint.ca_file), recipient, str(LARGE), PASSWORD]
    done = subprocess.run(
        [sys.executable, "-m", "tests.adapters.smtp.large", *arguments], capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stderr
    figures: Mapping[str, str] = json.loads(done.stdout)
    return figures
