"""Sends a large message from a process of its own, and prints what that took as JSON.

``python -m tests.adapters.smtp.large PORT SECURITY CA_FILE RECIPIENT OCTETS PASSWORD``
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from service.accounts.servers import Endpoint, Security
from service.adapters.smtp.submitter import SmtpSubmitter
from tests.adapters.smtp.sending import CREDENTIALS, ENVELOPE, Attempt
from tests.unheld import watched

HEAD = b"From: ann@example.org\r\nSubject: large\r\nMessage-ID: <large@example.org>\r\nDate: Sat, 1 Jan 2028 00:00:00 +0000\r\n\r\n"
LINE = b".QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3\r\n"


async def chunks(octets: int, digest: object) -> AsyncIterator[bytes]:
    """So many octets of lines that begin with a dot, in chunks that do not end with them."""
    digest.update(HEAD)  # type: ignore[attr-defined]
    yield HEAD
    piece = LINE * 1000
    for start in range(0, octets, 64 << 10):
        at = start % len(LINE)
        chunk = piece[at : at + min(64 << 10, octets - start)]
        digest.update(chunk)  # type: ignore[attr-defined]
        yield chunk


async def send(submitter: SmtpSubmitter, recipient: str, octets: int) -> str:
    """The digest of what was sent."""
    digest = sha256()

    async def commit() -> None:
        pass

    envelope = replace(ENVELOPE, recipients=(recipient,), size=octets + len(HEAD))
    await submitter.submit(envelope, chunks(octets, digest), commit)
    return digest.hexdigest()


def memory(name: str) -> int:
    """``VmRSS``, what is in memory now, or ``VmHWM``, the most since ``forget_peak``. (``getrusage`` counts what the
    process had before it ran this program.)"""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)]
    return int(line.split()[1]) * 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


async def main(port: str, security: str, ca_file: str, recipient: str, octets: str, password: str) -> None:
    endpoint = Endpoint("localhost", int(port), Security(security), Path(ca_file))
    submitter = SmtpSubmitter(endpoint, replace(CREDENTIALS, secret=password))
    await Attempt(HEAD + b"x\r\n", replace(ENVELOPE, recipients=(f"first-{recipient}",))).by(submitter, close=False)
    forget_peak()
    before, cpu, began = memory("VmRSS"), time.process_time(), time.monotonic()
    async with watched() as watch:
        digest = await send(submitter, recipient, int(octets))
    took, used = time.monotonic() - began, time.process_time() - cpu
    await submitter.aclose()
    figures = {"grown": memory("VmHWM") - before, "held": watch.longest, "seconds": took, "cpu": used, "digest": digest}
    print(json.dumps(figures))  # noqa: T201 - the result


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
