"""The contract: equal to the published file, true to the code, and such that generators read it whole.

What spectral's rules say of it is in ``openapi/spectral.yaml``, which ``make contract`` runs.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from pydantic import ValidationError

from service.api.openapi.examples import EXAMPLES
from service.api.problems import BY_NAME, OF_NO_OPERATION, Problem
from service.app import create_app
from service.mail.model import MessageSummary, Page, Value
from service.settings.model import Settings

FOLDER = Path(__file__).parents[2] / "openapi"
CLOSED = {"EvaluatedBy"}
"""Enums of answers whose sets can never grow."""


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    return create_app(Settings(servers={})).openapi()


@pytest.fixture(scope="module")
def released() -> dict[str, Any]:
    """What the SDKs in use were generated from."""
    return dict(json.loads((FOLDER / "released.json").read_text()))


def test_the_published_file_is_what_the_service_serves(contract: dict[str, Any]) -> None:
    assert json.loads((FOLDER / "openapi.json").read_text()) == json.loads(json.dumps(contract))


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
            assert {"401", "403", "404", "409", "422", "501", "503"} <= errors.keys(), where
            assert one["security"]
        for status, answer in errors.items():
            if (where, status) != ("get /readyz", "503"):
                assert answer == {"$ref": f"#/components/responses/Problem{status}"}, where


def test_every_problem_is_in_it_with_an_example(contract: dict[str, Any]) -> None:
    shown: dict[str, Any] = {}
    for response in contract["components"]["responses"].values():
        shown |= response["content"]["application/problem+json"]["examples"]
    assert shown.keys() == {kind.name for kind in BY_NAME.values() if kind.status not in OF_NO_OPERATION}
    for name, example in shown.items():
        problem = Problem.model_validate(example["value"])
        assert (problem.type, problem.status) == (f"/problems/{name}", BY_NAME[name].status)


def test_nothing_in_it_is_null_or_a_choice(contract: dict[str, Any]) -> None:
    text = json.dumps(contract)
    for word in ('"null"', '"anyOf"', '"oneOf"', '"const"', "discriminator", "HTTPValidationError"):
        assert word not in text, word


def answered(contract: dict[str, Any]) -> Iterator[str]:
    """Names of the schemas that answers are made of."""
    schemas = contract["components"]["schemas"]
    pending = [json.dumps([one["responses"] for _, one in operations(contract)])]
    found: set[str] = set()
    while pending:
        for name in re.findall(r"#/components/schemas/(\w+)", pending.pop()):
            if name not in found:
                found.add(name)
                pending.append(json.dumps(schemas[name]))
                yield name


def test_answers_may_grow(contract: dict[str, Any]) -> None:
    """A field or a value more must not break the clients there are."""
    schemas = contract["components"]["schemas"]
    names = set(answered(contract))
    assert {name for name in names if "additionalProperties" in schemas[name]} == set()
    assert {name for name in names if "enum" in schemas[name]} == CLOSED
    inner = (field for name in names for field in schemas[name].get("properties", {}).values())
    assert not any("enum" in field for field in inner)


def subclasses(of: type[Value]) -> Iterator[type[Value]]:
    for each in of.__subclasses__():
        yield each
        yield from subclasses(each)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_true_to_its_model(name: str) -> None:
    models = [each for each in subclasses(Value) if each.__name__ == name]
    assert len(models) == 1
    made = models[0].model_validate_json(json.dumps(EXAMPLES[name]))
    if isinstance(made, Page):  # it takes its rows as they come
        made = made.model_copy(update={"items": [MessageSummary.model_validate(row) for row in made.items]})
    again = made.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
    secret = {
        "NewSession": {"password"},
        "NewEventTicket": {"tokens"},
        "NewFetch": {"from"},
        "NewImport": {"from"},
    }.get(name, set())
    assert {key: value for key, value in again.items() if key not in secret} == {
        key: value for key, value in EXAMPLES[name].items() if key not in secret
    }
    with pytest.raises(ValidationError):
        models[0].model_validate(EXAMPLES[name] | {"nobodyKnowsThis": 1})


def test_what_has_a_default_is_always_answered(contract: dict[str, Any]) -> None:
    """The required fields of a response are those that its JSON always has."""
    schemas = contract["components"]["schemas"]
    assert schemas["Message"]["required"] == [*_dumped("Message")]
    assert schemas["MessageBody"]["required"] == [*_dumped("MessageBody")]
    assert schemas["MessageSummary"]["required"] == ["id", "folderId"]  # `fields` leaves out the others


def _dumped(name: str) -> dict[str, Any]:
    [model] = [each for each in subclasses(Value) if each.__name__ == name]
    least: dict[str, Any] = {"id": "m", "folder_id": "f", "structure": {"id": "1", "type": "text/plain"}, "body": {}}
    given = {key: value for key, value in least.items() if key in model.model_fields}
    return model.model_validate(given).model_dump(mode="json", by_alias=True, exclude_none=True)


def test_what_sdks_call_by_name_is_still_there(contract: dict[str, Any], released: dict[str, Any]) -> None:
    """What ``specshift`` takes for a change of no weight renames a method of an SDK or changes its types."""
    now, then = dict(operations(contract)), dict(operations(released))
    for where, one in then.items():
        assert now[where]["operationId"] == one["operationId"]
        assert now[where]["tags"] == one["tags"]
        before = [(each["name"], each["in"]) for each in one.get("parameters", [])]
        after = [(each["name"], each["in"]) for each in now[where].get("parameters", [])]
        assert [each for each in after if each in before] == before, where
    for name, schema in released["components"]["schemas"].items():
        same = contract["components"]["schemas"][name]
        assert same.get("enum") == schema.get("enum") or name not in CLOSED
        for field, shape in schema.get("properties", {}).items():
            assert same["properties"][field].get("format") == shape.get("format"), (name, field)


@pytest.mark.parametrize("path", ["/docs", "/docs/try"])
async def test_the_reference_names_no_foreign_address(path: str) -> None:
    """That it asks none either, tests/browser/test_reference.py sees."""
    app = create_app(Settings(servers={}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://casella.example.org") as client:
        page = (await client.get(path)).text
        assert "//" not in page
        own = re.findall(r'(?:href|src|data-contract)="(.*?)"', page)
        assert len(own) > 8
        for address in set(own) - {"./readyz", "../readyz"}:
            assert (await client.get(urljoin(path, address))).status_code == 200, address
        assert (await client.get("/openapi.json")).json()["info"]["title"] == "Casella"


async def test_health_needs_no_sign_in() -> None:
    app = create_app(Settings(servers={}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://casella.example.org") as client:
        assert (await client.get("/healthz")).json() == {"status": "alive"}
        assert (await client.get("/readyz")).status_code == 503
