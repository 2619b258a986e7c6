"""Parses large messages in a process of its own, with a budget of time and memory. The process gets the message and
nothing else, neither keys nor connections, and this process survives its end."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process

import structlog
from anyio import CapacityLimiter
from anyio.lowlevel import RunVar

from service.mail.errors import ServerBusy, TooLarge
from service.telemetry.upstream import queued

AT_ONCE = 2
PATIENCE = 20.0
"""Seconds that a message waits for its turn."""
SECONDS = 20.0
"""Seconds from start to end of a process, on cores that it shares."""
COMPUTING = 5
"""Seconds. The worst message of 64 MiB that is known would take seven; mail as it is sent takes a tenth of one."""
MEMORY = 512 << 20
"""Octets of address space. In use are the message and 50 MB for the program."""
MAX_ANSWER = 16 << 20
_INSIDE = "service.adapters.shared.sandbox_worker"
_turns: RunVar[CapacityLimiter] = RunVar("casella_sandbox_turns")
_log = structlog.get_logger("service.adapters.shared.sandbox")


async def run_in_sandbox(job: str, file: int) -> bytes:
    """Returns what the job makes of the file. Raises TooLarge if that exceeds a budget, and ServerBusy if other
    messages take too long. A cancelled caller ends the process."""
    turns = _limiter()
    try:
        with queued("cage"):
            async with asyncio.timeout(PATIENCE):
                await turns.acquire()
    except TimeoutError:
        raise ServerBusy("Too many large messages are read at once. Try again shortly.", retry_after=5) from None
    try:
        return await _run(job, file)
    finally:
        turns.release()


def _limiter() -> CapacityLimiter:
    """The limiter of this event loop."""
    try:
        return _turns.get()
    except LookupError:
        _turns.set(made := CapacityLimiter(AT_ONCE))
        return made


async def _run(job: str, file: int) -> bytes:
    process = await _started(job, file)
    try:
        async with asyncio.timeout(SECONDS):
            answer = await _answer(process)
    except TimeoutError:
        answer = None
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    if answer is None:
        _log.warning("a message exceeded a budget of the sandbox", code=process.returncode)
        raise TooLarge("This message takes more time or memory to parse than is allowed. Download its source.")
    return answer


async def _started(job: str, file: int) -> Process:
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", _INSIDE, job, str(COMPUTING), str(MEMORY)),
            stdin=file,
            stdout=PIPE,
            stderr=DEVNULL,
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    except OSError:
        raise ServerBusy(
            "No process can be started for this large message. Try again shortly.", retry_after=5
        ) from None


async def _answer(process: Process) -> bytes | None:
    """None if the process failed, or wrote more than any answer has."""
    assert process.stdout is not None
    answer = bytearray()
    while len(answer) <= MAX_ANSWER and (more := await process.stdout.read(1 << 16)):
        answer += more
    if len(answer) > MAX_ANSWER or await process.wait():
        return None
    return bytes(answer)
