"""Each criterion, by each of its doors, at the limits of what it takes."""

from typing import Any

import pytest

from service.api.criteria import Conditions, SearchFilter
from tests.api.conftest import Connect, mail
from tests.api.test_problems import is_problem
from tests.servers.dovecot import Dovecot

ME = "/v1/accounts/me"
FOUND: dict[str, list[Any]] = {
    "text": ["hello", "h" * 1000], "from": ["ann", "ü"], "to": ["bob"], "cc": ["bob"], "bcc": ["bob"], "subject": ["hello"], "body": ["text"],
    "hasKeyword": ["$seen", "x" * 250], "notKeyword": ["$seen"], "since": ["2026-01-31", "2026-01-31T08:00:00Z", "2026-01-31T08:00:00.123456+01:00"],
    "before": ["2099-12-31", "0001-01-01"], "sentSince": ["2026-01-31", "9999-12-31"], "sentBefore": ["2026-02-28"], "minSize": [0, 2**63 - 1],
    "maxSize": [0, 2**63 - 1], "hasAttachment": [True, False], "unread": [True, False], "flagged": [True, False],
}  # fmt: skip
REFUSED: dict[str, list[Any]] = {
    "text": ["x" * 1001], "hasKeyword": ["x" * 251], "since": ["", "2026-02-30", "2026-01-31T08:00:00", "x" * 41, "2026-W01-1T00"],
    "before": ["31.1.2026"], "sentSince": ["2026-13-01", "2026-01-31T08:00:00Z"], "minSize": [-1, 2**63], "unread": ["perhaps"],
}  # fmt: skip


def rows(table: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    return [(name, value) for name, values in table.items() for value in values]


def test_no_criterion_is_left_out() -> None:
    assert FOUND.keys() == {field.alias or name for name, field in Conditions.model_fields.items()}
    assert FOUND.keys() <= {field.alias or name for name, field in SearchFilter.model_fields.items()}


@pytest.mark.parametrize(("name", "value"), rows(FOUND), ids=str)
async def test_every_criterion_is_taken(connect: Connect, dovecot: Dovecot, name: str, value: Any) -> None:
    """R-HTTP-19: as a parameter and in a filter."""
    user = dovecot.user()
    dovecot.append(user, mail())
    async with connect(user) as client:
        told = str(value).lower() if isinstance(value, bool) else value
        answer = await client.get(f"{ME}/folders/inbox/messages", params={name: told})
        assert answer.status_code == 200, answer.text
        asked = await client.post(f"{ME}/search", json={"filter": {name: value}})
        assert asked.status_code == 200, asked.text
        assert asked.json()["total"] == answer.json()["total"]


@pytest.mark.parametrize(("name", "value"), rows(REFUSED), ids=str)
async def test_what_no_criterion_means_is_refused(connect: Connect, dovecot: Dovecot, name: str, value: Any) -> None:
    """R-HTTP-19: by the same doors."""
    async with connect(dovecot.user()) as client:
        is_problem(await client.get(f"{ME}/folders/inbox/messages", params={name: value}), 422, "invalid-request")
        is_problem(await client.post(f"{ME}/search", json={"filter": {name: value}}), 422, "invalid-request")


async def test_an_empty_array_is_none(connect: Connect, dovecot: Dovecot) -> None:
    """Clients of some languages cannot leave one out."""
    user = dovecot.user()
    dovecot.append(user, mail())
    async with connect(user) as client:
        bare = {"filter": {"subject": "hello", "header": [], "conditions": []}, "folders": []}
        assert (await client.post(f"{ME}/search", json=bare)).json()["total"] == 1
        joined = {"filter": {"conditions": [{"subject": "hello"}]}}
        is_problem(await client.post(f"{ME}/search", json=joined), 422, "invalid-request")
        is_problem(await client.post(f"{ME}/search", json={"filter": {"operator": "OR"}}), 422, "invalid-request")
