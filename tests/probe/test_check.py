"""`casella check` on real servers: what they announce before and after login (R-OPS-27)."""

import asyncio
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.mail.model import Protocol
from tests.adapters.maildir.post import Post
from tests.adapters.pop3.server import SECRET, USER, Pop3Server
from tests.command import invoke
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST, free_ports
from tests.servers.scripted import Imap, Script, ScriptedServer
from tests.servers.smtp import Smtp
from tests.servers.submission import SendingDovecot

ENVIRONMENT = "CASELLA_CHECK_PASSWORD"
QUOTA = """
mail_plugins = quota
plugin {
  quota = count:User quota
  quota_rule = *:storage=1G
  quota_vsizes = yes
}
protocol imap {
  mail_plugins = quota imap_quota
}
"""


def server_in(name: str, *listeners: tuple[str, int], domains: str = "[]") -> str:
    """A row of the table."""
    lines = [f"[servers.{name}]", f"domains = {domains}"]
    lines += [f'{protocol} = {{ host = "{HOST}", port = {port}, security = "none" }}' for protocol, port in listeners]
    return "\n".join(lines) + "\n"


def command(file: Path, rows: str, user: str) -> list[str]:
    """The command line of a check, after writing the table to ``file``."""
    file.write_text(rows)
    return [sys.executable, "-m", "service", "check", "--config", str(file), "--login", user]


def checked(file: Path, *arguments: str, **more: str) -> tuple[int, str]:
    """Returns the exit code and everything printed."""
    done = invoke(["check", "--config", str(file), *arguments], env=more or None)
    return done.exit_code, done.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "casella.toml"


@pytest.fixture(scope="module")
def limited() -> Iterator[Dovecot]:
    """A Dovecot with quotas."""
    with Dovecot(settings=QUOTA) as server:
        yield server


@pytest.mark.dovecot
def test_without_login_the_report_says_that_there_may_be_more(dovecot: Dovecot, file: Path) -> None:
    """R-OPS-27: Dovecot announces most capabilities after login."""
    file.write_text(server_in("home", ("imap", dovecot.ports.imap), ("pop3", dovecot.ports.pop3)))
    code, output = checked(file)
    assert code == 0, output
    for protocol, port in (("imap", dovecot.ports.imap), ("pop3", dovecot.ports.pop3)):
        assert f"home {protocol} {HOST}:{port} none: ok\n" in output
    assert output.count("before login: ") == 2
    assert output.count("--login USER") == 2
    assert "AUTH=PLAIN" in output
    assert re.search(r"before login: .*\bSASL=PLAIN", output)
    assert "CONDSTORE" not in output
    assert "after login:" not in output


@pytest.mark.dovecot
def test_a_login_shows_the_rest(limited: Dovecot, file: Path) -> None:
    """R-OPS-27: capabilities after login, the API's, folders and roles, quota."""
    user = limited.user()
    limited.append(user, b"Subject: hello\r\n\r\nworld\r\n")
    file.write_text(server_in("home", ("imap", limited.ports.imap), ("pop3", limited.ports.pop3)))
    code, output = checked(file, "--login", user, **{ENVIRONMENT: PASSWORD})
    assert code == 0, output
    assert output.count(f"signed in as {user}") == 2
    imap, _, pop3 = output.partition("home pop3")
    assert re.search(r"after login: .*\bCONDSTORE\b.*\bQUOTA\b", imap)
    assert re.search(r"what the API can do with it: .*\bflags folders\b.*\bquota\b", imap)
    assert re.search(r"\d+ folders?; roles: inbox", imap)
    assert re.search(r"quota: .*storage \d+ of 1073741824 octets", imap)
    assert re.search(r"after login: .*\bUIDL\b", pop3)
    assert "what the API can do with it: changes\n" in pop3
    assert "1 folder; roles: inbox" in pop3
    assert PASSWORD not in output


@pytest.mark.dovecot
@pytest.mark.parametrize(
    ("server", "words"),
    [("metadata_dovecot", "METADATA works"), ("dovecot", "no METADATA: this server cannot wake phones")],
)
def test_a_login_shows_whether_phones_can_be_woken(
    request: pytest.FixtureRequest, file: Path, server: str, words: str
) -> None:
    dovecot: Dovecot = request.getfixturevalue(server)
    file.write_text(server_in("home", ("imap", dovecot.ports.imap), ("pop3", dovecot.ports.pop3)))
    code, output = checked(file, "--login", dovecot.user(), **{ENVIRONMENT: PASSWORD})
    assert code == 0, output
    assert output.count("METADATA") - output.count("METADATA-SERVER") >= 1
    assert words in output.partition("home pop3")[0]
    assert words not in output.partition("home pop3")[2]


@pytest.mark.dovecot
def test_a_wrong_password_fails_and_is_tried_once(dovecot: Dovecot, file: Path) -> None:
    """R-OPS-27: once for each protocol, so that no account is locked."""
    user = dovecot.user()
    file.write_text(server_in("home", ("imap", dovecot.ports.imap), ("pop3", dovecot.ports.pop3)))
    code, output = checked(file, "--login", user, **{ENVIRONMENT: "wrong-0451"})
    assert code == 1
    assert output.count("FAILED: The mail server refused this login and password.") == 2
    assert output.count(": ok\n") == 2
    assert "wrong-0451" not in output
    deadline = time.monotonic() + 20
    while len(failures := re.findall(rf"(\w+)-login: .*auth failed, (\d+) .*user=<{user}>", dovecot.log)) < 2:
        assert time.monotonic() < deadline, dovecot.log
        time.sleep(0.05)
    assert sorted(failures) == [("imap", "1"), ("pop3", "1")]


@pytest.mark.dovecot
def test_a_failing_server_does_not_stop_the_other_checks(dovecot: Dovecot, file: Path) -> None:
    """R-OPS-27: the report keeps the order of the table, and the exit code is 1."""
    [nobody] = free_ports(1)
    rows = [("a", nobody), ("b", dovecot.ports.imap), ("c", nobody), ("d", dovecot.ports.imap)]
    file.write_text("".join(server_in(name, ("imap", port)) for name, port in rows))
    code, output = checked(file)
    assert code == 1
    assert re.findall(r"^[✓✗] (\w) imap .* (ok|FAILED)", output, re.MULTILINE) == [
        ("a", "FAILED"), ("b", "ok"), ("c", "FAILED"), ("d", "ok"),
    ]  # fmt: skip
    assert checked(file, "--server", "b")[0] == 0
    assert checked(file, "--server", "a")[0] == 1
    assert checked(file, "--server", "e")[0] == 2


async def test_a_password_goes_to_one_server_only(file: Path) -> None:
    """R-OPS-27: the server that the API would pick for the user; the others are checked without login."""
    async with ScriptedServer([Imap()]) as own, ScriptedServer([Imap()]) as other:
        rows = server_in("other", ("imap", other.port), domains='["example.net"]')
        rows += server_in("own", ("imap", own.port), domains='["example.org"]')
        words = command(file, rows, "ann@example.org")
        output = await _printed(words, {ENVIRONMENT: "canary-5150-password"})
        assert "LOGIN" in own.verbs
        assert set(other.verbs) == {"CAPABILITY"}
        assert b"canary-5150-password" not in output
        nobody = [*words[:-1], "ann@nowhere.example.org"]
        assert b"--server" in await _printed(nobody, {ENVIRONMENT: "canary-5150-password"}, code=2)


async def test_a_password_that_the_server_repeats_is_not_printed(file: Path) -> None:
    """R-OPS-27: no secret is printed, not even as text of the server."""
    secret = "canary-6502-password"
    answers = {"LIST": b"{tag} NO cannot list for " + secret.encode() + b"\r\n"}
    async with ScriptedServer([Imap(answers=answers)]) as server:
        words = command(file, server_in("home", ("imap", server.port)), "ann@example.org")
        output = await _printed(words, {ENVIRONMENT: secret}, code=1)
    assert b"FAILED" in output
    assert b"cannot list" in output
    assert secret.encode() not in output


async def test_a_pop3_login_is_one_session(file: Path) -> None:
    """R-OPS-27: a server with a login delay would refuse a second one."""
    server = Pop3Server(capabilities=("TOP", "UIDL", "USER", "EXPIRE 30", "LOGIN-DELAY 900"))
    async with server.running() as place:
        words = command(file, server_in("home", ("pop3", place.port)), USER)
        output = await _printed(words, {ENVIRONMENT: SECRET})
    assert b"EXPIRE=30" in output
    assert server.logins == 1
    assert "DELE" not in server.verbs


def test_a_login_to_a_maildir(tmp_path: Path, file: Path) -> None:
    """R-OPS-27: the report shows what can be read and written, and whether the password is right."""
    post = Post(tmp_path)
    post.user("ann")
    rows = f'[servers.home]\nmaildir = {{ path = "{post.folder}/{{user}}/Maildir", passwords = "{post.passwords}" }}\n'
    file.write_text(rows)
    code, output = checked(file, "--login", "ann", **{ENVIRONMENT: "secret"})
    assert code == 0, output
    assert "users: 1" in output
    assert re.search(r"what the API can do with it: append changes flags", output)
    assert "1 folder; roles: inbox" in output
    code, output = checked(file, "--login", "ann", **{ENVIRONMENT: "wrong"})
    assert code == 1
    assert "home maildir" in output


@pytest.mark.dovecot
def test_a_piped_password_is_read(dovecot: Dovecot, file: Path) -> None:
    """R-OPS-27: the first line of the pipe is the password."""
    user = dovecot.user()
    file.write_text(server_in("home", ("imap", dovecot.ports.imap)))
    done = invoke(
        ["check", "--config", str(file), "--login", user], text=f"{PASSWORD}\nmore\n", env={ENVIRONMENT: None}
    )
    assert done.exit_code == 0, done.output
    empty = invoke(["check", "--config", str(file), "--login", user], text="", env={ENVIRONMENT: None})
    assert empty.exit_code == 2
    assert ENVIRONMENT in empty.output


@pytest.mark.dovecot
def test_a_typed_password_is_not_shown(dovecot: Dovecot, file: Path) -> None:
    """R-OPS-27: on a terminal."""
    user = dovecot.user()
    file.write_text(server_in("home", ("imap", dovecot.ports.imap)))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "check", "--config", str(file), "--login", user],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,  # else the prompt would appear on the terminal that runs the tests
        env={name: value for name, value in os.environ.items() if name != ENVIRONMENT},
    )
    os.close(theirs)
    seen = _until(ours, b"Password: ")
    os.write(ours, f"{PASSWORD}\n".encode())
    seen += _until(ours, None)
    assert process.wait(60) == 0, seen
    os.close(ours)
    assert f"signed in as {user}".encode() in seen
    assert PASSWORD.encode() not in seen


def _until(terminal: int, words: bytes | None) -> bytes:
    """Returns everything shown up to these words, or to the end."""
    seen = b""
    while words is None or words not in seen:
        try:
            octets = os.read(terminal, 4096)
        except OSError:  # how Linux reports that no process has it open any more
            octets = b""
        if not octets:
            assert words is None, seen
            break
        seen += octets
    return seen


def test_a_table_without_servers_fails(file: Path) -> None:
    """R-OPS-27: the exit code is 2."""
    file.write_text("session_seconds = 60\n")
    code, output = checked(file)
    assert code == 2
    assert "No mail server is configured" in output


def test_every_protocol_can_be_signed_in_to() -> None:
    """R-OPS-27."""
    from service.probe.account import SIGN_IN

    assert set(SIGN_IN) == {*Protocol, "smtp"}


@pytest.mark.dovecot
def test_the_server_that_sends_is_checked_too(submission: SendingDovecot, file: Path) -> None:
    """R-OPS-27: what it offers before and after login, and the largest message; nothing is sent."""
    rows = server_in("home", ("imap", submission.ports.imap))
    rows += f'smtp = {{ host = "localhost", port = {submission.submission}, security = "starttls", ca_file = "{submission.ca_file}" }}\n'
    file.write_text(rows)
    user = submission.user()
    code, output = checked(file, "--login", user, **{ENVIRONMENT: PASSWORD})
    assert code == 0, output
    _, _, smtp = output.partition(f"home smtp localhost:{submission.submission} starttls: ok\n")
    assert re.search(r"before login: .*AUTH=PLAIN,LOGIN,XOAUTH2,OAUTHBEARER.*PIPELINING", smtp)
    assert f"signed in as {user}" in smtp
    assert re.search(r"can send; offered: .*\bDSN\b", smtp)
    assert "largest message: 62914560 octets" in smtp
    code, output = checked(file, "--login", user, **{ENVIRONMENT: "wrong-0452"})
    assert code == 1
    assert output.count("FAILED: The mail server refused this login and password.") == 2
    assert "wrong-0452" not in output


@pytest.mark.parametrize(
    ("script", "security", "cause"),
    [
        ([b"554 5.7.1 go away\r\n"], "none", "refuses the connection"),
        ([b"* OK ready\r\n"], "none", "Check that `port` is the one for this protocol"),
        ([Smtp()], "starttls", "465 for SMTP"),
        ([Smtp()], "tls", 'Set `security = "starttls"`'),
    ],
)  # fmt: skip
async def test_the_cause_is_named_if_the_server_cannot_send(
    script: Script, security: str, cause: str, file: Path
) -> None:
    """R-OPS-27: the mailbox is checked all the same."""
    async with ScriptedServer([Imap()]) as mailbox, ScriptedServer(script) as server:
        rows = server_in("home", ("imap", mailbox.port))
        rows += f'smtp = {{ host = "{HOST}", port = {server.port}, security = "{security}" }}\n'
        words = command(file, rows, "ann@example.org")[:-2]
        output = await _printed(words, {}, code=1)
    assert b"home imap" in output
    assert b"smtp" in output
    assert cause.encode() in output


async def _printed(words: list[str], more: dict[str, str], code: int = 0) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *words, env=os.environ | more, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == code, output
    return output
