"""The instructions of docs/operator.md work."""

import json
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest
import typer
from click import Command

from service.cli.main import app
from service.settings.model import KEY_OCTETS, Settings, read_settings
from tests.api.conftest import Connect, connect, settings_for
from tests.deploy.documented import OPERATOR, alerts, commands, settings
from tests.servers.dovecot import PASSWORD, Dovecot

__all__ = ["connect"]
ROOT = OPERATOR.parents[1]
TEXT = OPERATOR.read_text()
OLD, NEW = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"


def casella(line: str) -> tuple[dict[str, str], list[str]] | None:
    """The environment it is given, and its arguments; None if it is another command."""
    words = shlex.split(line)
    named = [word for word in words if re.match(r"[A-Z_]+=", word)]
    rest = words[len(named) :]
    return (dict(word.split("=", 1) for word in named), rest[1:]) if rest[0] == "casella" else None


def test_a_key_is_made() -> None:
    [line] = [line for line in commands() if line.startswith("python3 ")]
    made = subprocess.run([sys.executable, *shlex.split(line)[1:]], capture_output=True, text=True, check=True)
    [key] = Settings(servers={}, secret_keys=made.stdout.strip()).secret_keys
    assert len(key.get_secret_value()) == KEY_OCTETS


@pytest.mark.parametrize("line", [line for line in commands() if casella(line)])
def test_the_command_line_accepts_it(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the settings of the page."""
    monkeypatch.chdir(tmp_path)
    Path("casella.toml").write_text(settings())
    found = casella(line)
    assert found is not None
    environment, [name, *arguments] = found
    group = typer.main.get_command(app)
    command: Command = group.commands[name]  # type: ignore[attr-defined]
    asked = command.make_context(name, arguments).params
    read = read_settings(asked["config"])
    assert read.default_server in read.servers
    assert {name for name in environment if not name.startswith("OTEL_")} <= {"CASELLA_SECRET_KEYS"}


def test_the_page_has_no_other_commands() -> None:
    assert len(commands()) == 6
    assert [line for line in commands() if not casella(line) and not line.startswith("python3 ")] == []


@pytest.mark.parametrize("line", ["casella --help", "casella serve --help"])
def test_every_option_exists(line: str) -> None:
    assert f"`{line}`" in TEXT
    words = [sys.executable, "-m", "service", *line.split()[1:]]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    file = tmp_path / "casella.toml"
    file.write_text("sesion_seconds = 60\n" + settings())
    words = [sys.executable, "-m", "service", "serve", "--config", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "sesion_seconds" in done.stderr


def test_targets_files_and_anchors_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"\n{target}:" in makefile for target in re.findall(r"`make (\w+)`", TEXT))
    for link in re.findall(r"\]\(([^)h#][^)]*)\)", TEXT):
        file, _, anchor = link.partition("#")
        target = OPERATOR.parent / file
        assert target.exists()
        if anchor:
            heads = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert anchor in {quote(head.lower().replace(" ", "-")) for head in heads}


def test_every_named_setting_exists() -> None:
    named = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", TEXT))
    own = {name for name in named if not name.startswith(("casella_", "process_", "mail_max"))}
    others = {"request_id", "upstream_ms", "trace_id", "ca_file", "mailbox_idle_check_interval"}
    assert own - others <= set(Settings.model_fields)
    assert len(own & set(Settings.model_fields)) > 7


def test_named_defaults_are_true() -> None:
    assert "`account_connections = 4`" in TEXT
    assert Settings(servers={}).account_connections == 4


def test_every_alert_is_explained() -> None:
    rules = (ROOT / "helm/templates/prometheusrule.yaml").read_text()
    assert re.findall(r"- alert: (\w+)", rules) == alerts()


def test_dovecots_limit_is_as_documented() -> None:
    limit = subprocess.run(
        ["doveconf", "-d", "mail_max_userip_connections"], capture_output=True, text=True, check=True
    )
    assert limit.stdout.split() == ["mail_max_userip_connections", "=", "10"]


@pytest.mark.dovecot
async def test_keys_are_changed_in_two_steps(connect: Connect, dovecot: Dovecot) -> None:
    """R-OPS-17: replicas of the previous step still run at each step; no token is refused."""
    user, tokens = dovecot.user(), []
    steps = [OLD, f"{OLD},{NEW}", f"{NEW},{OLD}"]
    keys = [Settings(servers={}, secret_keys=words).secret_keys for words in steps]
    of = [settings_for(dovecot).model_copy(update={"secret_keys": each}) for each in keys]
    for before, after in pairwise(of):
        async with connect(settings=before) as old, connect(settings=after) as new:
            for one in (old, new):
                made = await one.post("/v1/sessions", json={"username": user, "password": PASSWORD})
                tokens.append(made.json()["token"])
            for one in (old, new):
                for token in tokens:
                    answer = await one.get("/v1/accounts/me", headers={"Authorization": f"Bearer {token}"})
                    assert answer.status_code == 200, json.dumps(answer.json())
    assert len(tokens) == 4
