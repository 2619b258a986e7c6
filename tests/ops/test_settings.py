"""Settings that are wrong or unknown: each is reported in one line, without a traceback or a value."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from service.app import create_app
from service.settings.errors import describe, unknown
from service.settings.model import KEY_OCTETS, Settings, read_settings
from tests.command import invoke
from tests.deploy.replica import Replica
from tests.edge.conftest import NOBODY
from tests.servers.process import HOST
from tests.servers.scripted import Imap, ScriptedServer

CANARY = "canary-7c1e-setting"
KEYS = ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"]
HOME = '[servers.home]\nimap = {host = "127.0.0.1", port = 1, security = "none"}\n'


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("CASELLA_"):
            monkeypatch.delenv(name)


def refused(command: str, file: Path | None = None, /, **variables: str) -> str:
    """What it says on its way out."""
    arguments = [command] if file is None else [command, "--config", str(file)]
    done = invoke(arguments, env={f"CASELLA_{name}": text for name, text in variables.items()})
    assert (done.exit_code, type(done.exception)) == (2, SystemExit), done.output
    assert "Traceback" not in done.output
    assert CANARY not in done.output
    return done.output


@pytest.mark.parametrize("form", ["[{first}, {second}]", '"{plain}"', '" {plain} ,"'])
async def test_keys_are_a_list_or_a_text(tmp_path: Path, form: str) -> None:
    """R-HTTP-35: a sign-in with them gets a token that opens."""
    file = tmp_path / "casella.toml"
    written = form.format(first=json.dumps(KEYS[0]), second=json.dumps(KEYS[1]), plain=",".join(KEYS))
    async with ScriptedServer([Imap()]) as server:
        file.write_text(f"secret_keys = {written}\n{HOME.replace('port = 1', f'port = {server.port}')}")
        settings = read_settings(file)
        assert [len(key.get_secret_value()) for key in settings.secret_keys] == [KEY_OCTETS] * 2
        casella = create_app(settings)
        transport = httpx.ASGITransport(casella)
        async with casella.router.lifespan_context(casella), httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:  # fmt: skip
            made = await client.post("/v1/sessions", json={"username": "ann", "password": "x"})
            assert made.status_code == 201, made.text
            bearer = {"Authorization": f"Bearer {made.json()['token']}"}
            assert (await client.get("/v1/accounts/me", headers=bearer)).status_code == 200


@pytest.mark.parametrize(
    "wrong", [CANARY, KEYS[1][:-2], KEYS[1] + "AA", KEYS[1] + "!", KEYS[1][:20] + "*" + KEYS[1][20:], "ü" * 43]
)
@pytest.mark.parametrize("command", ["serve", "check"])
def test_an_invalid_key_stops_the_start(tmp_path: Path, command: str, wrong: str) -> None:
    """R-HTTP-35: the error names its position, in each notation."""
    file = tmp_path / "casella.toml"
    for keys in (json.dumps([KEYS[0], wrong]), json.dumps(f"{KEYS[0]},{wrong}")):
        file.write_text(f"secret_keys = {keys}\n{HOME}")
        said = refused(command, file)
        assert f"{file}: secret_keys, item 2: " in said
        assert "base64url of 32 octets" in said
        assert wrong not in said
        assert KEYS[0] not in said
    said = refused(
        command, SECRET_KEYS=f"{KEYS[0]},{wrong}", SERVERS__HOME__IMAP__HOST=HOST, SERVERS__HOME__IMAP__PORT="1"
    )
    assert said.startswith("CASELLA_SECRET_KEYS, item 2: ")
    assert wrong not in said


@pytest.mark.parametrize("written", ["5", "true", '[["x"]]', "[1, 2]", "{a = 1}"])
def test_keys_of_another_type_stop_the_start(tmp_path: Path, written: str) -> None:
    """R-HTTP-35."""
    file = tmp_path / "casella.toml"
    file.write_text(f"secret_keys = {written}\n{HOME}")
    assert f"{file}: secret_keys" in refused("serve", file)


LISTS = {
    "ANY_SERVER_NETWORKS": "10.0.0.0/8,2001:db8::/32",
    "SECRET_KEYS": ",".join(KEYS),
    "TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.7",
    "ALLOWED_ORIGINS": "https://app.example.org,http://localhost:5173",
    "SERVERS__HOME__DOMAINS": "example.org,Example.NET.",
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("as_json", [False, True])
def test_every_list_is_separated_by_commas_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, *, as_json: bool
) -> None:
    """R-HTTP-35: JSON is accepted too."""
    file = tmp_path / "casella.toml"
    file.write_text(HOME)
    words = [word.strip() for word in LISTS[name].split(",")]
    monkeypatch.setenv(f"CASELLA_{name}", json.dumps(words) if as_json else LISTS[name])
    settings = read_settings(file)
    found = settings.servers["home"].domains if "DOMAINS" in name else getattr(settings, name.lower())
    assert len(found) == 2


def test_no_list_was_forgotten() -> None:
    """R-HTTP-35: each setting that is a list is among those above."""
    models = {"": Settings, "SERVERS__HOME__": Settings.model_fields["servers"].annotation.__args__[1]}  # type: ignore[union-attr]
    kinds = (tuple, frozenset, list, set)
    lists = {
        prefix + name.upper()
        for prefix, model in models.items()
        for name, field in model.model_fields.items()
        if getattr(field.annotation, "__origin__", None) in kinds
    }
    assert lists == LISTS.keys()


WRONG = pytest.mark.parametrize(
    ("name", "value", "example"),
    [
        ("TRUSTED_PROXIES", f"10.0.0.0/8,{CANARY}", "CASELLA_TRUSTED_PROXIES=10.0.0.0/8,192.0.2.7"),
        ("TRUSTED_PROXIES", '["10.0.0.0/8"', "CASELLA_TRUSTED_PROXIES=10.0.0.0/8,192.0.2.7"),
        ("TRUSTED_PROXIES", "10.0.0.1/8", "CASELLA_TRUSTED_PROXIES=10.0.0.0/8,192.0.2.7"),
        ("ANY_SERVER_NETWORKS", CANARY, "CASELLA_ANY_SERVER_NETWORKS=10.0.0.0/8,2001:db8::/32"),
        ("ALLOWED_ORIGINS", "app.example.org", "CASELLA_ALLOWED_ORIGINS=https://app.example.org"),
        ("ALLOWED_ORIGINS", "https://app.example.org/", "CASELLA_ALLOWED_ORIGINS=https://app.example.org"),
        ("SESSION_SECONDS", CANARY, "CASELLA_SESSION_SECONDS=604800"),
        ("LOG_LEVEL", "chatty", "CASELLA_LOG_LEVEL=INFO"),
        ("RATES__URL", f"http://:{CANARY}@h", "CASELLA_RATES__URL=redis://redis.example.org:6379"),
        ("RATES__URL", f"redis://:{CANARY}@h:port", "CASELLA_RATES__URL=redis://redis.example.org:6379"),
        ("RATES__ACCOUNT", CANARY, "10/minute"),
        ("RATES", CANARY, "CASELLA_RATES__URL"),
        ("RATES__ACOUNT", "1/minute", "account"),
        ("SERVERS", CANARY, "CASELLA_SERVERS__NAME__IMAP__HOST"),
        ("SERVERS__AWAY", CANARY, "CASELLA_SERVERS__AWAY__IMAP__HOST"),
        ("SERVERS__AWAY__IMPA__HOST", "imap.example.org", "imap"),
        ("SERVERS__AWAY__IMAP__PORT", CANARY, "CASELLA_SERVERS__AWAY__IMAP__PORT=993"),
        ("SERVERS__AWAY__DOMAINS", "example.org,*.example.net", "CASELLA_SERVERS__AWAY__DOMAINS=example.org,example.net"),
    ],
)  # fmt: skip


@WRONG
def test_a_wrong_variable_is_named(name: str, value: str, example: str) -> None:
    """R-HTTP-36: by its name in the environment, with a valid example, by every command."""
    for command in ("serve", "check", *(["demo"] if name != "SERVERS" else [])):  # the demo's servers are its own
        said = refused(command, None, **{name: value})
        assert f"CASELLA_{name}" in said
        assert example in said
        assert "TOML" not in said


IMAP = '[servers.home]\nimap = {{ host = "{}", port = {} }}\n'
HOST_ALONE = "servers.home.imap.host: it is the name of a host or its address alone: no scheme, port or path. Such as imap.example.org"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (IMAP.format("https://imap.example.org", 993), HOST_ALONE),
        (IMAP.format("imap.example.org:993", 993), HOST_ALONE),
        (IMAP.format("[2001:db8::1]", 993), HOST_ALONE),
        (IMAP.format("x", '"993x"'), "servers.home.imap.port: it has to be a valid integer. Such as 993"),
        (
            '[servers.home]\nimap = "imap.example.org"\n',
            "servers.home.imap: it is a table. Its settings are servers.home.imap.host, servers.home.imap.port, servers.home.imap.security",
        ),
        (
            'log_level = "debug"\n',
            "log_level: its form is wrong. The least severe lines that are logged: DEBUG, INFO, WARNING or ERROR. Such as INFO",
        ),
        (
            'push.dovecot.secrets = ["short"]\n',
            "push.dovecot.secrets, item 1: it has 24 to 200 letters, digits, - and _",
        ),
        ("push.dovecot.secrets = []\n", "push.dovecot.secrets: it needs at least one value"),
        ('push.fcm.service_account = "/nosuch.json"\n', "push.fcm.service_account: there is no such file"),
    ],
)
def test_a_wrong_value_of_the_file_is_one_line_in_plain_words(tmp_path: Path, text: str, said: str) -> None:
    """R-HTTP-36: it names the setting as the file does, and no pattern or class of a library."""
    file = tmp_path / "casella.toml"
    file.write_text(text)
    with pytest.raises(ValidationError) as wrong:
        read_settings(file)
    assert describe(wrong.value, file) == [f"{file}: {said}"]


@pytest.mark.parametrize(
    "host", ["imap.example.org", "imap", "192.0.2.1", "2001:db8::1", "fe80::1%eth0", "bücher.example"]
)
def test_a_host_is_a_name_or_an_address(tmp_path: Path, host: str) -> None:
    file = tmp_path / "casella.toml"
    file.write_text(IMAP.format(host, 993))
    home = read_settings(file).servers["home"]
    assert home.imap is not None
    assert home.imap.host == host


def test_a_variable_that_is_missing_is_named(tmp_path: Path) -> None:
    """R-HTTP-36: with and without a file beside it."""
    file = tmp_path / "casella.toml"
    file.write_text("")
    for config in (None, file):
        said = refused("serve", config, SERVERS__HOME__IMAP__HOST=HOST)
        assert (
            "servers.home.imap.port: it is required" in said
            or "CASELLA_SERVERS__HOME__IMAP__PORT: it is required" in said
        )


def test_an_unknown_default_server_is_named(tmp_path: Path) -> None:
    """R-HTTP-36: as a variable, or as a key of the file."""
    file = tmp_path / "casella.toml"
    file.write_text(HOME)
    assert refused("serve", file, DEFAULT_SERVER="away").startswith("CASELLA_DEFAULT_SERVER: it is the name of one of")
    file.write_text('default_server = "away"\n' + HOME)
    assert f"{file}: default_server: it is the name of one of" in refused("serve", file)


@pytest.mark.parametrize("text", ["a = [", "\x00", "x = '''", "[a]\n[a]\n"])
def test_a_file_that_is_not_toml_is_reported(tmp_path: Path, text: str) -> None:
    """R-HTTP-36."""
    file = tmp_path / "casella.toml"
    file.write_text(text)
    assert "is not valid TOML" in refused("serve", file)
    file.write_bytes(b"\xff\xfe")
    assert "is not valid TOML" in refused("check", file)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_authorities_that_cannot_be_loaded_stop_the_start(tmp_path: Path, content: bytes | None) -> None:
    """R-HTTP-36: not only each sign-in."""
    authorities = tmp_path / "ca.pem"
    if content is not None:
        authorities.write_bytes(content)
    file = tmp_path / "casella.toml"
    file.write_text(f'[servers.home]\nimap = {{host = "imap.example.org", port = 993, ca_file = "{authorities}"}}\n')
    for command in ("serve", "check"):
        assert str(authorities) in refused(command, file)


def test_the_contract_needs_no_setting() -> None:
    """R-HTTP-36: wrong ones do not change it."""
    environment = os.environ | {
        "CASELLA_TRUSTED_PROXIES": CANARY,
        "CASELLA_SERVERS": CANARY,
        "CASELLA_SESSION_SECONDS": CANARY,
    }
    command = [sys.executable, "-m", "service", "openapi"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["openapi"]
    assert done.stderr == ""


UNKNOWN = {
    "CASELLA_TRUSTED_PROXY": "CASELLA_TRUSTED_PROXIES",
    "CASELLA_RATES_URL": "CASELLA_RATES__URL",
    "CASELLA_SERVERS_HOME_IMAP_HOST": "CASELLA_SERVERS__NAME__IMAP__HOST",
    "CASELLA_LOG_LEVEL__X": "CASELLA_LOG_LEVEL",
    "CASELLA_PORT": "",
}
KNOWN = {
    "CASELLA_CONFIG": "", "CASELLA_CHECK_PASSWORD": "", "CASELLA_FROM_PASSWORD": "", "CASELLA_TO_PASSWORD": "",
    "CASELLA_SERVERS__HOME__IMAP__HOST": "", "CASELLA_RATES__URL": "", "casella_log_level": "INFO",
    "CASELLA_SERVICE_HOST": "10.0.0.1", "CASELLA_SERVICE_PORT_HTTP": "80", "CASELLA_PORT_80_TCP_ADDR": "10.0.0.1",
    "CASELLA_PORT_80_TCP": "tcp://10.0.0.1:80", "CASELLA_METRICS_PORT": "tcp://10.0.0.1:80",
}  # fmt: skip


def test_an_unknown_variable_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-HTTP-36: with the most similar known one. Variables that Kubernetes sets for a service called casella are ignored."""
    for name, value in {**dict.fromkeys(UNKNOWN, CANARY), **KNOWN}.items():
        monkeypatch.setenv(name, value)
    said = unknown()
    assert {line.split()[0] for line in said} == UNKNOWN.keys()
    assert CANARY not in str(said)
    for line in said:
        assert f"did you mean {UNKNOWN[line.split()[0]]}" in line or not UNKNOWN[line.split()[0]]


async def test_an_unknown_variable_is_in_the_log() -> None:
    """R-HTTP-36: the service starts nevertheless."""
    async with Replica(NOBODY | {"CASELLA_TRUSTED_PROXY": CANARY}) as replica:
        entries = [json.loads(line) for line in replica.log.splitlines()]
    [line] = [entry for entry in entries if entry["level"] == "warning" and "CASELLA_TRUSTED_PROXY " in entry["event"]]
    assert "CASELLA_TRUSTED_PROXIES" in line["event"]


async def test_the_log_says_that_the_only_server_gets_all_passwords() -> None:
    """R-HTTP-33."""
    async with Replica(NOBODY) as replica:
        entries = [json.loads(line) for line in replica.log.splitlines()]
    assert [entry["server"] for entry in entries if "every username is sent to it" in entry["event"]] == ["home"]
