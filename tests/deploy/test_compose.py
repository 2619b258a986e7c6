"""compose.yaml: its schema accepts it, and what it starts works together. The commands run here without containers."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

pytest.importorskip("yaml", reason="make chart installs it")
from tests.deploy.chart import ROOT
from tests.deploy.composed import FILE, Composed, compose, started
from tests.deploy.documented import blocks

pytestmark = pytest.mark.deploy
SERVICES = compose()["services"]
LOGIN = ("ada@example.org", "secret")


def program(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def test_the_schema_of_compose_accepts_it() -> None:
    words = [str(program("check-jsonschema")), "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_all_that_services_name_is_defined() -> None:
    """What the schema cannot see: volumes, configurations and services by their names."""
    file = compose()
    for service in SERVICES.values():
        volumes = [each.split(":")[0] for each in service.get("volumes", [])]
        assert set(volumes) <= file["volumes"].keys()
        assert {each["source"] for each in service.get("configs", [])} <= file["configs"].keys()
        assert service.get("depends_on", {}).keys() <= SERVICES.keys()
    for name in SERVICES["casella"]["depends_on"]:
        assert SERVICES[name]["healthcheck"]


def test_hadolint_finds_no_fault_in_the_image_of_dovecot() -> None:
    text = SERVICES["dovecot"]["build"]["dockerfile_inline"]
    assert subprocess.run([program("hadolint"), "-"], input=text, text=True, check=False).returncode == 0
    packages = set((ROOT / ".ci" / "packages").read_text().split())
    installed = re.findall(r"dovecot-\w+", text)
    assert len(installed) == 2
    assert set(installed) <= packages  # the ones that the tests run


def test_nothing_is_published_beyond_this_machine() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:${PORT:-8000}:8000"]


def test_casella_has_no_rights() -> None:
    casella = SERVICES["casella"]
    assert casella["read_only"] is True
    assert casella["cap_drop"] == ["ALL"]
    assert casella["security_opt"] == ["no-new-privileges:true"]


async def test_the_services_work_together(tmp_path: Path) -> None:
    """Health checks succeed, the commands of docs/operator.md show mail, and an ended session is in Redis."""
    async with started(tmp_path) as services, httpx.AsyncClient(base_url=services.casella.url, timeout=60) as client:
        await healthy(services)
        shown = await asyncio.to_thread(documented, services)
        assert [row["subject"] for row in shown["items"]] == ["hello"]
        session = {"username": LOGIN[0], "password": LOGIN[1]}
        for protocol in ("imap", "pop3"):
            made = await client.post("/v1/sessions", json=session | {"protocol": protocol})
            headers = {"Authorization": f"Bearer {made.json()['token']}"}
            page = await client.get("/v1/accounts/me/folders/inbox/messages", headers=headers)
            assert [row["subject"] for row in page.json()["items"]] == ["hello"]
            assert (await client.delete("/v1/sessions/current", headers=headers)).status_code == 204
            assert (await client.get("/v1/accounts/me", headers=headers)).status_code == 401
        with services.redis.client() as redis:
            assert redis.dbsize()
            kept = {"appendonly": "yes", "maxmemory-policy": "noeviction"}
            assert redis.config_get(*kept) == kept


async def healthy(services: Composed) -> None:
    for name in ("dovecot", "redis"):
        kind, *words = SERVICES[name]["healthcheck"]["test"]
        assert kind == "CMD"
        check = await asyncio.create_subprocess_exec(*services.here(words))
        async with asyncio.timeout(60):
            assert await check.wait() == 0, name


def documented(services: Composed) -> dict[str, list[dict[str, str]]]:
    """What the last command of the page prints, after the others."""
    [block] = [block for block in blocks("console") if "docker compose" in block]
    up, *lines = block.replace("http://127.0.0.1:8000", services.casella.url).splitlines()
    assert up == "docker compose up --build --wait"
    script = "set -eo pipefail\n" + "\n".join(lines).replace("curl -s", "curl -sf")
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=100)
    _, shown = done.stdout.replace("}{", "}\n{").splitlines()
    return dict(json.loads(shown))
