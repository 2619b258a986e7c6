"""From the operator's table to a message, and what is counted of it."""

from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from pydantic import ValidationError

from service.accounts.credentials import Credentials
from service.backends import submitters
from service.mail.model import Protocol
from service.settings.model import Settings, read_settings
from service.telemetry.upstream import request_costs
from tests.adapters.smtp.sending import CREDENTIALS, ENVELOPE, SECRET, Attempt
from tests.servers.scripted import ScriptedServer
from tests.servers.smtp import Smtp


def settings(file: Path, smtp: str) -> Settings:
    file.write_text(f'[servers.home]\nimap = {{ host = "imap.example.org", port = 993 }}\n{smtp}\n')
    return read_settings(file)


async def test_a_message_is_sent_by_the_server_of_the_account(tmp_path: Path) -> None:
    """Signed in as its user; counted by the server's name."""
    smtp = Smtp()
    async with ScriptedServer([smtp]) as server:
        read = settings(
            tmp_path / "c.toml", f'smtp = {{ host = "127.0.0.1", port = {server.port}, security = "none" }}'
        )
        submitter = submitters(read, read.server_table())(CREDENTIALS)
        assert submitter is not None
        attempt = Attempt()
        with request_costs() as costs:
            await submitter.submit(ENVELOPE, attempt.chunks(), attempt.commit)
        await submitter.aclose()
    assert len(smtp.messages) == 1
    assert costs.commands == 6  # EHLO, AUTH, MAIL, RCPT, DATA, and the message
    labels = {"protocol": "smtp", "server": "home", "outcome": "ok"}
    for verb in ("EHLO", "AUTH", "RCPT", "DATA", "MESSAGE"):
        assert REGISTRY.get_sample_value("casella_upstream_seconds_count", {**labels, "verb": verb})
    assert SECRET not in repr(submitter)


async def test_an_account_whose_server_has_no_smtp_cannot_send(tmp_path: Path) -> None:
    read = settings(tmp_path / "c.toml", "")
    assert submitters(read, read.server_table())(CREDENTIALS) is None


async def test_a_host_that_a_client_names_cannot_send() -> None:
    """R-HTTP-03: a client may not name where mail is sent to."""
    read = Settings(any_server=True)
    credentials = Credentials("imap.example.org", Protocol.IMAP, "ann@example.org", SECRET)
    assert submitters(read, read.server_table())(credentials) is None


@pytest.mark.parametrize(
    ("said", "files"), [("", None), (", files_sent = true", True), (", files_sent = false", False)]
)
def test_the_operator_may_say_who_files_the_copy(tmp_path: Path, said: str, *, files: bool | None) -> None:
    read = settings(tmp_path / "c.toml", f'smtp = {{ host = "smtp.example.org", port = 465{said} }}')
    smtp = read.server_table().named("home").smtp
    assert smtp is not None
    assert smtp.files_sent is files


def test_a_mailbox_is_needed_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[servers.home]\nsmtp = { host = "smtp.example.org", port = 465 }\n')
    with pytest.raises(ValidationError, match="a server needs one of"):
        read_settings(file)
