"""`casella check` on issuers of tokens (R-OPS-27)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import invoke
from tests.servers.dovecot import Dovecot
from tests.servers.issuer import CLIENT, SECRET, Issuer
from tests.servers.process import HOST


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer() as server:
        yield server


def checked(folder: Path, dovecot: Dovecot, oauth: str) -> tuple[int, list[str]]:
    file = folder / "casella.toml"
    imap = f'imap = {{ host = "{HOST}", port = {dovecot.ports.imap}, security = "none" }}'
    file.write_text(f'[servers.home]\n{imap}\noauth = "fake"\n[oauth.fake]\n{oauth}')
    done = invoke(["check", "--config", str(file)])
    return done.exit_code, done.output.splitlines()


def test_an_issuer_that_knows_the_client(issuer: Issuer, dovecot: Dovecot, tmp_path: Path) -> None:
    code, lines = checked(
        tmp_path, dovecot, f'issuer = "{issuer.url}"\nclient_id = "{CLIENT}"\nclient_secret = "{SECRET}"'
    )
    assert code == 0
    assert lines[-2:] == ["✓ oauth fake: ok", "  sign-in by: code, device code, refresh token"]


def test_a_wrong_secret_is_named_and_not_shown(issuer: Issuer, dovecot: Dovecot, tmp_path: Path) -> None:
    code, lines = checked(
        tmp_path, dovecot, f'issuer = "{issuer.url}"\nclient_id = "{CLIENT}"\nclient_secret = "canary-81f2-wrong"'
    )
    assert code == 1
    assert lines[-2] == "✗ oauth fake: FAILED: it refuses this client: invalid_client"
    assert "canary" not in "".join(lines)


def test_an_issuer_that_cannot_be_reached(dovecot: Dovecot, tmp_path: Path) -> None:
    code, lines = checked(tmp_path, dovecot, f'issuer = "http://{HOST}:1"\nclient_id = "x"')
    assert code == 1
    assert lines[-2] == "✗ oauth fake: FAILED: The sign-in provider cannot be reached."
    assert any(line.startswith("✓ home imap") and line.endswith(": ok") for line in lines)
