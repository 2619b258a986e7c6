"""A mailbox that sends, for processes in front of it, and what became of one message."""

from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, cast

import httpx

from service.mail.mime.headers.fields import first, split_headers
from tests.deploy.replica import environment
from tests.ops.seen import Seen, fetched
from tests.servers.dovecot import PASSWORD
from tests.servers.process import HOST
from tests.servers.sink import Sink
from tests.servers.submission import SendingDovecot

ME = "/v1/accounts/me"
FOLDERS = ("INBOX", "Drafts", "Sent")
RETRY_SECONDS = 90.0
"""How long a request is repeated. A claim of a process that died is taken over after ten seconds."""


def sending_environment(server: SendingDovecot, smtp: int, imap: int | None = None) -> dict[str, str]:
    """Dovecot, and a server that sends on this port and files no copies."""
    place = {"HOST": HOST, "PORT": str(smtp), "SECURITY": "none", "FILES_SENT": "false"}
    env = environment(server) | {f"CASELLA_SERVERS__HOME__SMTP__{name}": value for name, value in place.items()}
    return env | ({"CASELLA_SERVERS__HOME__IMAP__PORT": str(imap)} if imap else {})


def client_of(url: str, user: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"{url}{ME}", auth=(user, PASSWORD), timeout=RETRY_SECONDS)


@dataclass
class Letter:
    """One message to send, always by the same request: as a draft in JSON, as a complete message, or a draft that
    lies in Drafts already. ``draft`` is its id then."""

    kind: str
    user: str
    to: str = field(default_factory=lambda: f"{token_hex(8)}@example.net")
    draft: str = ""

    async def prepare(self, client: httpx.AsyncClient) -> None:
        if self.kind == "draft":
            answer = await client.post("/drafts", json=self._new)
            assert answer.status_code == 201, answer.text
            self.draft = answer.json()["id"]

    async def send(self, client: httpx.AsyncClient) -> httpx.Response:
        key = {"Idempotency-Key": self.to}
        if self.kind == "draft":
            return await client.post(f"/drafts/{self.draft}/send", headers=key)
        if self.kind == "json":
            return await client.post("/submissions", json=self._new, headers=key)
        octets = f"From: {self.user}\r\nTo: {self.to}\r\nSubject: {self.to}\r\n\r\nhello\r\n".encode()
        return await client.post("/submissions", content=octets, headers=key | {"Content-Type": "message/rfc822"})

    @property
    def _new(self) -> dict[str, Any]:
        return {"to": [{"email": self.to}], "subject": self.to, "text": "hello"}


KINDS = ("json", "rfc822", "draft")


class Outcome:
    """The mailbox of a user, and the sink, as others see them."""

    def __init__(self, server: SendingDovecot, sink: Sink, user: str) -> None:
        self._sink = sink
        with server.connect(user) as client:
            self._seen = {folder: fetched(client, folder) for folder in FOLDERS}

    def all(self, folder: str) -> list[Seen]:
        """All messages of a folder."""
        return self._seen[folder]

    def within(self, folder: str, letter: Letter) -> list[Seen]:
        """The copies in a folder."""
        subject = letter.to.encode()
        return [
            seen for seen in self._seen[folder] if (first(split_headers(seen[0]), "Subject") or b"").strip() == subject
        ]

    def delivered(self, letter: Letter) -> int:
        return len(self._sink.delivered_to(letter.to))

    def require_sent_once(self, letter: Letter) -> None:
        """One delivery, no draft, and one copy in Sent, which says so."""
        drafts, sent = self.within("Drafts", letter), self.within("Sent", letter)
        found = self.delivered(letter), len(drafts), len(sent)
        assert found == (1, 0, 1), f"{letter}: {found} {[flags for _, flags in (*drafts, *sent)]}"
        assert sent[0][1] == {"$seen", "$submitted"}, f"{letter}: {sent[0][1]}"


def problem(answer: httpx.Response) -> str:
    """The type of a problem, and the code of the server's answer if it has one."""
    body = cast("dict[str, Any]", answer.json())
    return f"{body['type'].rpartition('/')[2]} {(body.get('upstream') or {}).get('code', '')}".strip()
