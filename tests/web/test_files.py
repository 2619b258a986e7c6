"""The files of the page, as a browser gets them."""

import gzip
import json
import re
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from service.app import create_app
from service.settings.model import Settings
from service.web.files import file, names

ROOT = Path(__file__).parents[2]
MOST = 120 << 10
"""Octets of the first load, compressed."""


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(Settings(servers={})))
    async with httpx.AsyncClient(transport=transport, base_url="http://casella.example.org") as one:
        yield one


async def test_the_page_is_served_under_a_policy_that_runs_no_text(client: httpx.AsyncClient) -> None:
    moved = await client.get("/app")
    assert (moved.status_code, moved.headers["location"]) == (308, "app/")
    answer = await client.get("/app/")
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert not {"'unsafe-inline'", "'unsafe-eval'", "https:", "http:", "*"} & {*policy.replace(";", "").split()}
    assert answer.headers["cache-control"] == "no-cache"
    assert not re.search(r"<script>|<style| style=| on\w+=|https?://", answer.text)


@pytest.mark.parametrize(("name", "allows"), [("frame.html", False), ("pictures.html", True)])
async def test_the_frame_of_a_message_runs_nothing(client: httpx.AsyncClient, name: str, allows: bool) -> None:
    """Pictures of others are loaded in one of the two only."""
    policy = (await client.get(f"/app/{name}")).headers["content-security-policy"]
    rules = dict(part.strip().split(" ", 1) for part in policy.split(";") if " " in part.strip())
    assert rules["default-src"] == "'none'"
    assert "script-src" not in rules
    assert "allow-scripts" not in rules["sandbox"]
    assert ("https:" in rules["img-src"]) is allows


async def test_files_are_kept_by_browsers_as_long_as_they_are_right(client: httpx.AsyncClient) -> None:
    """A name with a hash in it is for ever; all others are asked for again, which costs a 304."""
    for name in names():
        answer = await client.get(f"/app/{name}")
        assert answer.status_code == 200
        is_hashed = name.startswith("assets/")
        assert is_hashed == bool(re.fullmatch(r"assets/\w+-\w{8}\.(js|css)", name))
        assert ("immutable" in answer.headers["cache-control"]) is is_hashed
        again = await client.get(f"/app/{name}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    missing = await client.get("/app/assets/../routes.py")
    assert missing.status_code == 404
    assert missing.headers["content-type"] == "application/problem+json"


def test_the_first_load_is_small() -> None:
    """Page, scripts and style, as they are sent. Other languages, notifications and imports come if they are wanted."""
    index = file("index.html").content.decode()
    linked = re.findall(r'(?:src|href)="(assets/[^"]+)"', index)
    scripts = {name for name in linked if name.endswith(".js")}
    imported = {
        f"assets/{found}"
        for name in scripts
        for found in re.findall(r'(?:from|import)"\./([^"]+)"', file(name).content.decode())
    }
    assert len(scripts) > len(imported) > 0
    assert imported < scripts  # nothing is found only after a script has come
    assert len(linked) == len(scripts) + 1
    first = [index.encode(), *(file(name).content for name in linked)]
    assert sum(len(gzip.compress(content, 9)) for content in first) <= MOST


def test_it_can_be_installed() -> None:
    manifest = json.loads(file("manifest.webmanifest").content)
    assert manifest["display"] == "standalone"
    assert all(icon["src"] in names() for icon in manifest["icons"])
    assert any(icon["sizes"] == "512x512" and "maskable" in icon["purpose"] for icon in manifest["icons"][2:])


async def test_an_operator_can_turn_it_off() -> None:
    transport = httpx.ASGITransport(create_app(Settings(servers={}, page=False)))
    async with httpx.AsyncClient(transport=transport, base_url="http://casella.example.org") as client:
        assert (await client.get("/app/")).status_code == 404
        assert "app/" not in (await client.get("/", headers={"Accept": "text/html"})).text
        assert "page" not in (await client.get("/", headers={"Accept": "application/json"})).json()


def test_the_files_are_those_of_the_source() -> None:
    """By the name of the source; `make sdks` builds them again and compares every octet."""
    web = ROOT / "web"
    sources = sorted(path.relative_to(web).as_posix() for path in (web / "src").rglob("*") if path.is_file())
    digest = sha256()
    for name in ("build.mjs", "package-lock.json", *sources):
        digest.update(f"{name}\0".encode() + (web / name).read_bytes())
    built = (web / "built-from").read_text().strip()
    assert built == digest.hexdigest(), "web/ has changed since: run make web"
