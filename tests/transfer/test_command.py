"""``casella import`` on real servers."""

import os
from pathlib import Path

import pytest

from tests.command import invoke
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST
from tests.transfer.checker import contents, differences
from tests.transfer.letters import FOLDERS, letters

pytestmark = pytest.mark.dovecot
SECRETS = {"CASELLA_FROM_PASSWORD": PASSWORD, "CASELLA_TO_PASSWORD": PASSWORD}


@pytest.fixture
def config(dovecot: Dovecot, tmp_path: Path) -> Path:
    file = tmp_path / "casella.toml"
    file.write_text(
        f'[servers.home]\nimap = {{ host = "{HOST}", port = {dovecot.ports.imap}, security = "none" }}\n'
        f'pop3 = {{ host = "{HOST}", port = {dovecot.ports.pop3}, security = "none" }}\n'
    )
    return file


def seeded(dovecot: Dovecot) -> str:
    user = dovecot.user("old")
    for letter in letters(30, FOLDERS[:4]):
        dovecot.seed(user, [letter.mail], letter.folder)
    return user


def test_mail_is_copied_and_the_second_run_copies_nothing(config: Path, dovecot: Dovecot) -> None:
    old, new = seeded(dovecot), dovecot.user("new")
    for copied, before in ((30, 0), (0, 30)):
        done = invoke(["import", old, new, "--config", str(config)], env=SECRETS)
        assert done.exit_code == 0, done.output
        row = next(line for line in done.output.splitlines() if " all " in line)
        assert [int(word) for word in row.replace("│", " ").split() if word.isdigit()] == [copied, before, 0]
    assert differences(contents(dovecot, old), contents(dovecot, new)) == []


def test_a_dry_run_says_what_would_come_and_copies_nothing(config: Path, dovecot: Dovecot) -> None:
    old, new = seeded(dovecot), dovecot.user("new")
    done = invoke(["import", old, new, "--config", str(config), "--dry-run"], env=SECRETS)
    assert done.exit_code == 0
    assert "dry run" in done.output
    assert sum(rows.total() for rows in contents(dovecot, new).values()) == 0


def test_passwords_come_from_a_pipe_and_are_not_printed(config: Path, dovecot: Dovecot) -> None:
    old, new = seeded(dovecot), dovecot.user("new")
    arguments = ["import", old, new, "--config", str(config), "--from-protocol", "pop3"]
    assert not os.environ.keys() & SECRETS.keys()
    done = invoke(arguments, text=f"{PASSWORD}\n{PASSWORD}\n")
    assert done.exit_code == 0, done.output
    assert PASSWORD not in done.output
    wrong = invoke(arguments, text="canary-wrong\nx\n")
    assert wrong.exit_code == 1
    assert "canary" not in wrong.output
    assert "The source: The mail server rejected these credentials." in wrong.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from-server", "elsewhere"], "no such server"),
        (["--from-protocol", "gopher"], "no such protocol"),
        (["--from-protocol", "maildir"], "not configured for MAILDIR"),
    ],
)
def test_what_cannot_be_is_explained(config: Path, arguments: list[str], words: str) -> None:
    done = invoke(["import", "ann@example.org", "ben@example.org", "--config", str(config), *arguments], env=SECRETS)
    assert done.exit_code == 2
    assert words in done.output


def test_a_mailbox_is_not_moved_into_itself(config: Path, dovecot: Dovecot) -> None:
    user = seeded(dovecot)
    more = ["--from-protocol", "pop3", "--delete-source"]
    done = invoke(["import", user, user, "--config", str(config), *more], env=SECRETS)
    assert done.exit_code == 1
    assert "the same mailbox" in done.output


@pytest.mark.parametrize(
    "command", [["check", "--login", "ann@example.com"], ["import", "ann@example.com", "ben@example.com"]]
)
@pytest.mark.parametrize("named", [True, False])
def test_a_server_that_is_not_there_is_said_for_a_terminal(tmp_path: Path, command: list[str], *, named: bool) -> None:
    """Without the calls of the API: which servers there are, and the option that names one."""
    rows = {
        name: f'[servers.{name}]\ndomains = ["{name}.example"]\nimap = {{host = "x", port = 993}}\n' for name in "ab"
    }
    config = tmp_path / "casella.toml"
    config.write_text("".join(rows.values()))
    option = {"check": "--server", "import": "--from-server"}[command[0]]
    done = invoke([*command, "--config", str(config), *([option, "nix"] if named else [])], env=SECRETS)
    assert done.exit_code == 2
    assert done.output.startswith(
        "There is no such server. " if named else "No server here serves this username's domain. "
    )
    assert f"The configuration has a, b: name one with {option}" in done.output
    assert "GET" not in done.output


def test_without_a_configuration_a_host_has_to_be_named() -> None:
    done = invoke(["import", "ann@example.com", "ben@example.com"], env=SECRETS)
    assert done.exit_code == 2
    assert "There is no configuration: name a host with --from-server and --to-server." in done.output
