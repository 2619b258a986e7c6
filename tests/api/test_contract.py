"""The contract: equal to the published file, and such that generators read it whole."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.app import create_app
from service.config import Settings

FILE = Path(__file__).parents[2] / "openapi" / "openapi.json"


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    return create_app(Settings(servers={})).openapi()


def test_the_published_file_is_what_the_service_serves(contract: dict[str, Any]) -> None:
    assert json.loads(FILE.read_text()) == json.loads(json.dumps(contract))


def operations(contract: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{method} {path}", one) for path, methods in contract["paths"].items() for method, one in methods.items()]


def test_every_operation_has_a_verb_noun_name_of_its_own_and_one_tag(contract: dict[str, Any]) -> None:
    names = [one["operationId"] for _, one in operations(contract)]
    assert len(names) == len(set(names))
    assert all(name.isalnum() and name[0].islower() for name in names)
    assert all(len(one["tags"]) == 1 and one.get("description") for _, one in operations(contract))


def test_errors_are_problems_on_every_operation_of_an_account(contract: dict[str, Any]) -> None:
    for where, one in operations(contract):
        errors = {status: answer for status, answer in one["responses"].items() if status >= "400"}
        if "/v1/accounts" in where:
            assert {"401", "404", "422", "503"} <= errors.keys(), where
            assert one["security"]
        for answer in errors.values():
            assert set(answer["content"]) <= {"application/problem+json", "application/json"}, where


def test_nothing_in_it_is_null_or_a_choice(contract: dict[str, Any]) -> None:
    text = json.dumps(contract)
    for word in ('"null"', '"anyOf"', '"oneOf"', '"const"', "discriminator", "HTTPValidationError"):
        assert word not in text, word


async def test_the_reference_works_offline(contract: dict[str, Any]) -> None:
    app = create_app(Settings(servers={}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://casella.example.org") as client:
        page = (await client.get("/docs")).text
        assert "https://" not in page.replace("https://fastapi.tiangolo.com", "")
        assert (await client.get("/static-offline-docs/swagger-ui-bundle.js")).status_code == 200
        assert (await client.get("/openapi.json")).json()["info"]["title"] == "Casella"
        assert (await client.get("/healthz")).json() == {"status": "alive"}
        assert (await client.get("/readyz")).status_code == 503
