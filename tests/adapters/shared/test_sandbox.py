"""Large messages are parsed in a process without secrets, with a budget, whose end affects nothing else."""

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from service import spool
from service.adapters.shared import parsing, sandbox
from service.adapters.shared.parsing import parse_message, parse_structure
from service.mail.errors import ServerBusy, TooLarge
from service.mail.model import HtmlMode
from service.spool import Spool
from tests.contract.letters import RICH

DEEP = b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(150))
ODD = b"From: \xff\xfe <a@example.org>\r\nSubject: =?utf-8?b?7aCA?=\r\nDate: never\r\n\r\n\x00\xed\xa0\x80"
HEAVY = b'Content-Type: multipart/mixed; boundary=" x"\r\n\r\n' + b"--\n" * (16 << 20)
"""48 MiB that take seconds: each line begins like a delimiter."""
LONG = b"\n" * (32 << 20)
DEADLINE = 10.0
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes by /proc")


def stored(octets: bytes) -> Spool:
    made = Spool(64 << 20)
    made.write(octets)
    return made


def inside() -> list[Path]:
    """The processes of cages."""
    children = [file.read_text().split() for file in Path("/proc/self/task").glob("*/children")]
    found = [Path("/proc", number) for numbers in children for number in numbers]
    return [one for one in found if b"service.adapters.shared.sandbox_worker" in _read(one / "cmdline")]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # it has ended
        return b""


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not holds():
            await asyncio.sleep(0.005)


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "LARGE", 0)
    monkeypatch.setattr(spool, "IN_MEMORY", 0)


@pytest.mark.parametrize("octets", [RICH, DEEP, ODD, b""], ids=["rich", "deep", "odd", "empty"])
@pytest.mark.parametrize("read", [lambda one: parse_message(one, id="m", folder_id="f"), parse_structure])
async def test_the_sandbox_and_a_thread_return_the_same_message(
    octets: bytes,
    read: Callable[[Spool], Awaitable[object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """R-MIME-04."""
    found = await read(stored(octets))
    monkeypatch.setattr(spool, "IN_MEMORY", -1)
    monkeypatch.setattr(parsing, "LARGE", -1)
    assert await read(stored(octets)) == found


@pytest.mark.parametrize("html", HtmlMode)
@pytest.mark.usefixtures("everything_is_large")
async def test_html_comes_out_as_it_was_asked_for(html: HtmlMode) -> None:
    found = await parse_message(stored(RICH), id="m", folder_id="f", html=html)
    assert (found.body.html is None) is (html is HtmlMode.NONE)


@pytest.mark.parametrize(
    ("bound", "least", "octets"),
    [("COMPUTING", 1, HEAVY), ("SECONDS", 1.0, HEAVY), ("MEMORY", 60 << 20, LONG), ("MAX_ANSWER", 9, LONG)],
    ids=["computing", "time", "memory", "answer"],
)
async def test_a_message_beyond_the_budget_is_refused_and_others_are_read(
    monkeypatch: pytest.MonkeyPatch, bound: str, least: float, octets: bytes
) -> None:
    """R-MIME-05, R-OPS-12."""
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, bound, least)
        async with asyncio.timeout(DEADLINE):
            with pytest.raises(TooLarge):
                await parse_structure(stored(octets))
    assert (await parse_structure(stored(LONG))).part.type == "text/plain"


async def test_a_message_above_the_limit_is_not_even_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "MAX_PARSED", 10)
    with pytest.raises(TooLarge):
        await parse_structure(stored(b"x" * 11))


@on_linux
async def test_few_sandboxes_run_at_a_time_and_a_long_wait_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-OPS-11, R-OPS-12."""
    monkeypatch.setattr(sandbox, "PATIENCE", 0.3)
    heavy = stored(HEAVY)
    running = [asyncio.create_task(parse_structure(heavy)) for _ in range(sandbox.AT_ONCE)]
    await until(lambda: len(inside()) == sandbox.AT_ONCE)
    with pytest.raises(ServerBusy) as refused:
        await parse_structure(heavy)
    assert refused.value.retry_after
    assert len(inside()) == sandbox.AT_ONCE
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert inside() == []


@on_linux
async def test_a_sandbox_that_dies_fails_only_its_message() -> None:
    """R-OPS-01."""
    reading = asyncio.create_task(parse_structure(stored(HEAVY)))
    await until(lambda: bool(inside()))
    for process in inside():
        os.kill(int(process.name), 9)
    with pytest.raises(TooLarge):
        await reading


@on_linux
async def test_the_sandbox_has_the_message_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-HTTP-13: no key in its environment, no connection among its files."""
    monkeypatch.setenv("CASELLA_SECRET_KEYS", "not-for-the-sandbox")
    reading = asyncio.create_task(parse_structure(stored(HEAVY)))
    await until(lambda: any(_read(one / "environ") for one in inside()))
    [process] = inside()
    assert [line.partition(b"=")[0] for line in _read(process / "environ").split(b"\0") if line] == [b"PYTHONPATH"]
    await until(lambda: re.search(rb"Max file size +0 +0", _read(process / "limits")) is not None)
    assert {file.name for file in (process / "fd").iterdir()} == {"0", "1", "2"}
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
