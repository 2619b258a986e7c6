"""The canary run, a part of every run of the suite: what callers sent and got in private is in no log, error or metric.

Noted are passwords, tokens, usernames, and the text of mail in every answer a test's client was given; searched is all
that the service logged at DEBUG in the tests' processes and in its own, every problem and every exposition of metrics.
"""

import atexit
import binascii
import json
import logging
import re
import sys
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import httpx
import pytest
from prometheus_client import generate_latest

from service.telemetry import logs

_PRIVATE = frozenset({
    "accessToken", "email", "html", "messageId", "name", "password", "preview", "raw", "subject", "text", "username", "value",
})  # fmt: skip
_RUN = re.compile(r"[ !#-\[\]-~]{12,200}")
"""What a log has as it is: shorter runs are words that occur anywhere, and others are escaped."""
_OF_ONE_LINE = re.compile(
    rb'"recipients":\[\{.*?\}\]|"(?:timestamp|request_id|requestId|trace_id|instance)": ?"[^"]*"|_ms": ?[0-9.]+|(?<=[} ])[0-9.e+-]+$'
)
"""What makes equal lines differ, and what the caller of a problem wrote: the path, and recipients that are
refused."""
_QUOTED = re.compile(rb"'[^']*'|\\\"[^\"]*\\\"")
"""What the refusal of a request quotes: the request itself."""
SERVICE = Path(logs.__file__).parents[1]
_PROBLEM = "application/problem+json"


class Canaries:
    """Of one process of the run."""

    secrets: ClassVar[set[str]] = set()
    told: ClassVar[dict[bytes, str]] = {}

    @classmethod
    def note(cls, value: object, key: str = "") -> None:
        """All that is private in an answer, or below it."""
        if isinstance(value, dict):
            if str(value.get("name", "")).lower().startswith("content-"):  # what a part is, is no secret
                return
            for name, inner in value.items():
                cls.note(inner, name)
        elif isinstance(value, list):
            for inner in value:
                cls.note(inner, key)
        elif isinstance(value, str) and key in _PRIVATE:
            cls.secrets.update(_RUN.findall(value))

    @classmethod
    def tell(cls, where: str, octets: bytes) -> None:
        """What others than the caller may read; equal lines count once."""
        for line in octets.splitlines():
            cls.told[_OF_ONE_LINE.sub(b"", line)] = where

    @classmethod
    def found(cls) -> Iterator[str]:
        """What stands in our own code is nobody's secret, whoever wrote it to whom."""
        own = "".join(path.read_text() for path in SERVICE.rglob("*.py"))
        octets = b"\n".join(cls.told)
        for secret in cls.secrets:
            if secret.encode() in octets and secret not in own:
                line, where = next((line, where) for line, where in cls.told.items() if secret.encode() in line)
                yield f"{secret!r} in {where}: {line!r}"


class Tee:
    """Standard error, whatever it is by then, and a file."""

    def __init__(self, kept: BinaryIO) -> None:
        self._kept = kept

    @property
    def buffer(self) -> "Tee":
        return self

    def write(self, text: str | bytes) -> int:
        octets = text.encode() if isinstance(text, str) else text
        self._kept.write(octets)
        sys.stderr.buffer.write(octets)
        return len(text)

    def flush(self) -> None:
        sys.stderr.flush()


def _credentials(request: httpx.Request) -> Iterator[str]:
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            yield from b64decode(value).decode().partition(":")[::2]
        except (binascii.Error, UnicodeDecodeError):
            yield value
    else:
        yield value


async def _see(response: httpx.Response) -> None:
    """Neither of a stream, which is its reader's, nor of the public pages."""
    for credential in _credentials(response.request):
        Canaries.note(credential, "password")
    kind = response.headers.get("content-type", "").partition(";")[0]
    if kind == _PROBLEM:
        problem = await response.aread()
        is_invalid = b'"/problems/invalid-request"' in problem
        Canaries.tell("an error", _QUOTED.sub(b"", problem) if is_invalid else problem)
    elif response.request.url.path == "/metrics":
        Canaries.tell("metrics", await response.aread())
    elif kind == "application/json" and response.request.url.path.startswith("/v1/"):
        Canaries.note(_read(await response.aread()))


def _read(octets: bytes) -> Any:
    try:
        return json.loads(octets)
    except ValueError:
        return None


_send = httpx.AsyncClient.send


async def _sent(
    self: httpx.AsyncClient, request: httpx.Request, *, stream: bool = False, **options: Any
) -> httpx.Response:
    response = await _send(self, request, stream=stream, **options)
    if not stream:
        await _see(response)
    return response


_kept = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
atexit.register(_kept.close)


def pytest_configure() -> None:
    """As ``serve`` does, where the most is logged; the tests' own client and server tell what they hear."""
    httpx.AsyncClient.send = _sent  # type: ignore[method-assign]
    own = sys.stderr
    sys.stderr = Tee(_kept)
    logs.configure("DEBUG")
    sys.stderr = own
    for name in ("httpx", "httpcore", "pymap"):
        logging.getLogger(name).setLevel(logging.WARNING)


_results: list[tuple[int, int, list[str]]] = []
"""Of each process: how many secrets were looked for in how many octets, and where which were found."""


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process that began others fails by what they found."""
    Canaries.tell("metrics", generate_latest())
    _kept.seek(0)
    Canaries.tell("a log", _kept.read())
    _results.append((len(Canaries.secrets), sum(map(len, Canaries.told)), list(Canaries.found())))
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["canaries"] = _results[0]
    elif any(found for _, _, found in _results):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Of xdist; a worker that was killed has nothing to tell, and failed already."""
    if told := getattr(node, "workeroutput", {}).get("canaries"):
        _results.append(told)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    secrets, octets, found = (list(column) for column in zip(*_results, strict=True))
    terminalreporter.write_line(
        f"canaries: {sum(secrets)} looked for in {sum(octets)} octets of logs, errors and metrics"
    )
    for line in chain.from_iterable(found):
        terminalreporter.write_line(f"FAILED {line}", red=True)
