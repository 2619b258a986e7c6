"""Failed calls."""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import urllib3

from casella_client.exceptions import ApiException
from casella_client.models import InvalidValue, Problem, Rejected, UpstreamCause

MAY_PASS = frozenset({429, 502, 503, 504})


class ApiProblem(ApiException):
    """A failed call. ``type`` and ``retryable`` are for programs, ``title`` and ``detail`` for people."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    retryable: bool
    request_id: str
    upstream: UpstreamCause | None
    what: str | None
    capability: str | None
    errors: list[InvalidValue] | None
    recipients: list[Rejected] | None

    def __init__(self, problem: Problem, retry_after: float = 0.0) -> None:
        """``retry_after``: the seconds that the service demands."""
        super().__init__(status=problem.status, reason=problem.title)
        self.problem = problem
        self.retry_after = retry_after
        for name in Problem.model_fields:
            setattr(self, name, getattr(problem, name))

    def __str__(self) -> str:
        return self.detail or self.title


def problem_of(response: urllib3.BaseHTTPResponse) -> ApiProblem:
    """The problem that a response holds. If it holds none, such as that of a proxy, its type is ``about:blank``."""
    blank = {
        "type": "about:blank",
        "title": response.reason or f"HTTP {response.status}",
        "status": response.status,
        "detail": "",
        "instance": "",
        "retryable": response.status in MAY_PASS,
        "requestId": response.headers.get("X-Request-Id", ""),
    }
    problem = Problem.from_dict(blank | _sent(response))
    assert problem is not None
    return ApiProblem(problem, _seconds(response.headers.get("Retry-After", "")))


def _sent(response: urllib3.BaseHTTPResponse) -> dict[str, Any]:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/problem+json":
        return {}
    try:
        value = json.loads(response.data)
    except (ValueError, urllib3.exceptions.HTTPError):
        return {}
    return value if isinstance(value, dict) else {}


def _seconds(value: str) -> float:
    """RFC 9110, 10.2.3: seconds, or a date."""
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return 0.0
