"""A file of 35 MB in the mailbox is sent on by requests of some hundred octets, from a process of its own."""

import asyncio
import hashlib
import logging
import random
import signal
import sys
from base64 import encodebytes
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
import pytest

from tests.deploy.replica import Replica
from tests.ops.held import FILE
from tests.ops.sending import client_of, sending_environment
from tests.servers.exim import Exim
from tests.servers.sink import Sink
from tests.servers.submission import Postfix, SendingDovecot

pytestmark = pytest.mark.dovecot
OCTETS = 35_000_000
GROWS, HOLDS, SAYS = 8 << 20, 0.05, 1024
_log = logging.getLogger(__name__)


@pytest.fixture(
    params=["dovecot", pytest.param("postfix", marks=pytest.mark.long), pytest.param("exim", marks=pytest.mark.servers)]
)
def smtp(request: pytest.FixtureRequest, submission: SendingDovecot) -> dict[str, str]:
    """The settings of a server that sends."""
    name, port, security = request.param, submission.submission, "none"
    if name == "postfix":
        postfix: Postfix = request.getfixturevalue("postfix")
        port = postfix.port
    elif name == "exim":  # takes a password over TLS only
        exim: Exim = request.getfixturevalue("exim")
        port, security = exim.port, "starttls"
    env = sending_environment(submission, port)
    prefix = "CASELLA_SERVERS__HOME__SMTP__"
    return env | {
        f"{prefix}SECURITY": security,
        f"{prefix}HOST": "localhost",
        f"{prefix}CA_FILE": str(submission.ca_file),
    }


class Measured:
    """A process of the service, and what it takes."""

    def __init__(self, replica: Replica, file: Path) -> None:
        self._replica, self._file = replica, file
        self._before = 0

    def begin(self) -> None:
        Path(f"/proc/{self._replica.pid}/clear_refs").write_text("5")
        self._before = self._memory("VmRSS")
        self._file.unlink(missing_ok=True)
        self._replica.send(signal.SIGUSR1)

    async def end(self) -> tuple[int, float]:
        """How many octets it has grown at most, and how long its event loop was held at worst."""
        self._replica.send(signal.SIGUSR2)
        async with asyncio.timeout(10):
            while not self._file.exists():
                await asyncio.sleep(0.01)
        return self._memory("VmHWM") - self._before, float(self._file.read_text())

    def _memory(self, name: str) -> int:
        status = Path(f"/proc/{self._replica.pid}/status").read_text().splitlines()
        [line] = [line for line in status if line.startswith(name)]
        return int(line.split()[1]) * 1024


class Client:
    """Counts what it sends."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.most = 0

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = self._http.build_request("POST", path, json=body)
        head = sum(len(name) + len(value) + 4 for name, value in request.headers.raw)
        self.most = max(self.most, head + len(request.url.raw_path) + len(request.content))
        answer = await self._http.send(request)
        assert answer.is_success, answer.text
        result: dict[str, Any] = answer.json()
        return result

    async def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await self._http.get("/folders/inbox/messages")).json()["items"]
        return rows

    async def attached(self, message: str) -> dict[str, str]:
        [part] = (await self._http.get(f"/messages/{message}")).json()["attachments"]
        return {"messageId": message, "partId": part["id"]}

    async def send(self, kind: str, message: str, to: str, reference: dict[str, str]) -> None:
        body: dict[str, Any] = {"to": [{"email": to}], "text": "see the file", "attachments": [reference]}
        match kind:
            case "new":
                await self.post("/submissions", body)
                return
            case "forward":
                draft = await self.post(f"/messages/{message}/forward", {"to": body["to"]})
            case _:
                draft = await self.post(f"/messages/{message}/reply", {**body, "all": kind == "reply all"})
        await self.post(f"/drafts/{draft['id']}/send", {})


def letter(user: str, content: bytes) -> bytes:
    head = (
        f"From: ann@example.net\r\nTo: {user}, cy@example.net\r\nSubject: the file\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhere\r\n"
        "--b\r\nContent-Type: application/octet-stream; name=a.bin\r\nContent-Disposition: attachment\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n"
    )
    return head.encode() + encodebytes(content).replace(b"\n", b"\r\n") + b"--b--\r\n"


def attached(octets: bytes) -> str:
    """The digest of the attachment."""
    parts: list[Message] = list(message_from_bytes(octets).walk())
    [content] = [part.get_payload(decode=True) for part in parts if part.get_filename() == "a.bin"]
    assert isinstance(content, bytes)
    return hashlib.sha256(content).hexdigest()


@pytest.mark.timeout(300)
async def test_a_large_file_is_sent_on_by_reference(
    smtp: dict[str, str], submission: SendingDovecot, sink: Sink, tmp_path: Path
) -> None:
    """R-SEND-20: forwarded, in a new message, in a reply and in a reply to all. The client sends less than 1 KB at once,
    the process grows by less than 8 MB, holds its event loop for less than 50 ms, and the file arrives octet for
    octet."""
    user, file = submission.user(), tmp_path / "held"
    content = random.Random(7).randbytes(OCTETS)
    digest = hashlib.sha256(content).hexdigest()
    submission.seed(user, [(letter(user, each), (), None) for each in (content[:1000], content)])
    entrypoint = (sys.executable, "-m", "tests.ops.held")
    async with Replica(smtp | {FILE: str(file)}, entrypoint) as replica, client_of(replica.url, user) as http:
        client, measured = Client(http), Measured(replica, file)
        large, small = [row["id"] for row in await client.rows()]
        references = {each: await client.attached(each) for each in (large, small)}
        figures = {}
        for kind in ("forward", "new", "reply", "reply all"):
            await client.send(kind, small, f"{token_hex(8)}@example.net", references[small])
            to = f"{token_hex(8)}@example.net"
            measured.begin()
            await client.send(kind, large, to, references[large])
            figures[kind] = grown, held = await measured.end()
            arrived = await asyncio.to_thread(sink.wait_for, to)
            assert attached(arrived.octets) == digest
            assert grown < GROWS, figures
            assert held < HOLDS, figures
            arrived.file.unlink()
    _log.info("%s; the largest request had %d octets", figures, client.most)
    assert client.most < SAYS
