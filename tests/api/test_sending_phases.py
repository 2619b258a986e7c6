"""What the API answers, and how the draft is afterwards, if the server that sends ends, falls silent or refuses at each
step. A scripted server stands behind the API, in front of a mailbox on Dovecot."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import httpx
import pytest

from service import backends
from service.adapters.smtp.submitter import SmtpSubmitter
from service.app import create_app
from service.settings.model import Settings
from tests.adapters.smtp.sending import TIMING
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST
from tests.servers.scripted import Answer, Close, Connection, Hang, ScriptedServer, Send
from tests.servers.smtp import Smtp

pytestmark = pytest.mark.dovecot
ASIDE = ["$draft", "$seen"]
TO, OTHER = "bob@example.net", "cy@example.net"
BEFORE = ("EHLO", "AUTH", "MAIL", "RCPT", "DATA")
LARGE = "a line of the text\n" * 50_000
UNKNOWN = (502, "upstream-error", "outcomeUnknown")


class Some:
    """Takes some octets of a message."""

    async def play(self, connection: Connection) -> None:
        await connection.exactly(100_000)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent server is left after half a second."""
    monkeypatch.setattr(backends, "SmtpSubmitter", partial(SmtpSubmitter, timing=TIMING))


class Sent:
    """A request that sends, and the folders after it."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def rows(self, folder: str) -> list[dict[str, Any]]:
        answer = await self.client.get(f"/folders/{folder}/messages")
        if answer.status_code == 404:  # Sent is made when the first message is sent
            return []
        rows: list[dict[str, Any]] = answer.json()["items"]
        return rows

    async def by(self, kind: str, *to: str, text: str = "hello", query: str = "") -> tuple[int, str, str | None]:
        """Status, problem and code. ``kind`` is ``draft`` or ``submission``."""
        draft = {"to": [{"email": each} for each in to or (TO,)], "subject": "phases", "text": text}
        headers = {"Idempotency-Key": "phases"}
        if kind == "submission":
            return said(await self.client.post(f"/submissions{query}", json=draft, headers=headers))
        rows = await self.rows("drafts")
        path = rows[0]["id"] if rows else (await self.client.post("/drafts", json=draft)).json()["id"]
        return said(await self.client.post(f"/drafts/{path}/send{query}", headers=headers))

    async def require_draft(self) -> None:
        """It is there, alone, with the flags it had."""
        [draft] = await self.rows("drafts")
        assert sorted(draft["flags"]) == ASIDE
        assert await self.rows("sent") == []


def said(answer: httpx.Response) -> tuple[int, str, str | None]:
    body = answer.json()
    if answer.is_success:
        return answer.status_code, "", None
    return answer.status_code, body["type"].removeprefix("/problems/"), (body.get("upstream") or {}).get("code")


@asynccontextmanager
async def opened(
    dovecot: Dovecot, smtp: Smtp, user: str | None = None, *, files_sent: bool | None = False
) -> AsyncIterator[Sent]:
    """A user, by default a new one, who sends by this script. For one that is there already, it is another replica."""
    async with ScriptedServer([smtp]) as server:
        home = {
            "imap": {"host": HOST, "port": dovecot.ports.imap, "security": "none"},
            "smtp": {"host": server.host, "port": server.port, "security": "none", "files_sent": files_sent},
        }
        app = create_app(Settings(servers={"home": home}, default_server="home"))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app, raise_app_exceptions=False),
                base_url="http://casella.example.org/v1/accounts/me",
                auth=(user or dovecot.user(), PASSWORD),
                timeout=60,
            ) as client,
        ):
            yield Sent(client)


@pytest.fixture
def sending(dovecot: Dovecot) -> "Opened":
    return partial(opened, dovecot)


Opened = Callable[[Smtp], AbstractAsyncContextManager[Sent]]
kinds = pytest.mark.parametrize("kind", ["draft", "submission"])


@kinds
@pytest.mark.parametrize("end", [Close(), Hang()], ids=["closed", "silent"])
@pytest.mark.parametrize("verb", BEFORE)
async def test_an_end_before_the_message_leaves_the_draft_as_it_was(
    sending: Opened, verb: str, end: Close | Hang, kind: str
) -> None:
    """R-SEND-16: it may be sent again, and then leaves once."""
    answers: dict[str, Answer] = {verb: [end]}
    smtp = Smtp(answers=answers)
    async with sending(smtp) as sent:
        status, problem, code = await sent.by(kind)
        expected = (504, "upstream-timeout") if isinstance(end, Hang) else (503, "upstream-unavailable")
        assert (status, problem, code) == (*expected, None)
        await sent.require_draft()
        answers.clear()
        assert (await sent.by(kind))[1] == ""
        assert await sent.rows("drafts") == []
        assert len(await sent.rows("sent")) == len(smtp.messages) == 1


@kinds
@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ([Close()], (503, "upstream-unavailable", None)),
        ([Close(reset=True)], (503, "upstream-unavailable", None)),
        ([Send(b"451 4.3.0 later\r\n"), Hang()], (503, "upstream-unavailable", "451 4.3.0")),
        ([Send(b"554 5.6.0 no\r\n"), Hang()], (422, "message-refused", "554 5.6.0")),
        ([Send(b"552 5.3.4 too big\r\n"), Hang()], (413, "too-large", None)),
    ],
    ids=["closed", "reset", "451", "554", "552"],
)
async def test_an_end_within_the_message_leaves_the_draft_as_it_was(
    sending: Opened, end: list[Any], expected: tuple[int, str, str | None], kind: str
) -> None:
    """R-SEND-16."""
    smtp = Smtp(answers={"MESSAGE": [Some(), *end]})
    async with sending(smtp) as sent:
        assert await sent.by(kind, text=LARGE) == expected
        await sent.require_draft()
    assert smtp.messages == []


@kinds
@pytest.mark.parametrize("end", [[Close()], [Close(reset=True)], [Hang()]], ids=["closed", "reset", "silent"])
async def test_without_an_answer_to_the_end_the_outcome_is_unknown_and_nothing_is_sent_again(
    sending: Opened, end: Answer, kind: str
) -> None:
    """R-SEND-17: the draft keeps ``$submitpending``, also when the same request comes again."""
    answers: dict[str, Answer] = {"END": end}
    smtp = Smtp(answers=answers)
    async with sending(smtp) as sent:
        assert await sent.by(kind) == UNKNOWN
        answers.clear()
        assert await sent.by(kind) == UNKNOWN
        [draft] = await sent.rows("drafts")
        assert {*ASIDE, "$submitpending"} <= set(draft["flags"])
        assert await sent.rows("sent") == []
    assert len(smtp.messages) == 1


REFUSALS: dict[str, tuple[tuple[int, str, str | None], tuple[int, str, str | None]]] = {
    "EHLO": ((503, "upstream-unavailable", "451 4.3.0"), (502, "upstream-error", "554 5.7.1")),
    "AUTH": ((503, "upstream-unavailable", "451 4.3.0"), (403, "not-permitted", None)),
    "MAIL": ((503, "upstream-unavailable", "451 4.3.0"), (422, "message-refused", "554 5.7.1")),
    "RCPT": ((503, "upstream-unavailable", "451 4.3.0"), (422, "recipients-refused", None)),
    "DATA": ((503, "upstream-unavailable", "451 4.3.0"), (422, "message-refused", "554 5.7.1")),
    "END": ((503, "upstream-unavailable", "451 4.3.0"), (422, "message-refused", "554 5.7.1")),
}
"""By step, for 451 and for 554."""


@kinds
@pytest.mark.parametrize("is_final", [False, True], ids=["4xx", "5xx"])
@pytest.mark.parametrize("step", REFUSALS)
async def test_a_refusal_at_any_step_leaves_the_draft_as_it_was(
    sending: Opened, step: str, is_final: bool, kind: str
) -> None:
    """R-SEND-18: 451 may be tried again, 554 is for good. A login that is refused here does not end the session, which
    the mailbox accepts."""
    answers: dict[str, Answer] = {step: b"554 5.7.1 no\r\n" if is_final else b"451 4.3.0 later\r\n"}
    smtp = Smtp(answers=answers)
    async with sending(smtp) as sent:
        assert await sent.by(kind) == REFUSALS[step][is_final]
        await sent.require_draft()
        smtp.messages.clear()
        answers.clear()
        assert (await sent.by(kind))[1] == ""
        assert await sent.rows("drafts") == []
    assert len(smtp.messages) == 1


@pytest.mark.parametrize(
    ("greeting", "expected"),
    [
        (b"421 4.3.2 closing\r\n", (503, "upstream-unavailable", "421 4.3.2")),
        (b"554 5.3.2 no service\r\n", (502, "upstream-error", "554 5.3.2")),
        (None, (504, "upstream-timeout", None)),
        (b"* OK IMAP4rev1\r\n", (502, "upstream-protocol", None)),
    ],
    ids=["421", "554", "silent", "another protocol"],
)
async def test_a_greeting_that_is_none_leaves_the_draft_as_it_was(
    sending: Opened, greeting: bytes | None, expected: tuple[int, str, str | None]
) -> None:
    """R-SEND-18."""
    async with sending(Smtp(greeting=greeting)) as sent:
        assert await sent.by("draft") == expected
        await sent.require_draft()


def _second_refused(command: bytes) -> bytes:
    return b"550 5.1.1 nobody\r\n" if OTHER.encode() in command else b"250 2.1.5 ok\r\n"


@kinds
async def test_one_recipient_of_two_refused_sends_nothing(sending: Opened, kind: str) -> None:
    """R-SEND-19: the problem names the one that was refused; with ``partial`` the other one gets the message."""
    smtp = Smtp(answers={"RCPT": _second_refused})
    async with sending(smtp) as sent:
        assert await sent.by(kind, TO, OTHER) == (422, "recipients-refused", None)
        await sent.require_draft()
        assert smtp.messages == []
        [draft] = await sent.rows("drafts")
        answer = await sent.client.post(f"/drafts/{draft['id']}/send")
        assert answer.json()["recipients"] == [{"email": OTHER, "code": "550 5.1.1", "text": "nobody"}]
        answer = await sent.client.post(f"/drafts/{draft['id']}/send?partial=true")
        assert answer.status_code == 200, answer.text
        assert answer.json()["accepted"] == [TO]
        assert answer.json()["rejected"] == [{"email": OTHER, "code": "550 5.1.1", "text": "nobody"}]
        assert await sent.rows("drafts") == []
        assert len(await sent.rows("sent")) == len(smtp.messages) == 1


async def test_with_partial_and_no_recipient_left_nothing_is_sent(sending: Opened) -> None:
    """R-SEND-19."""
    smtp = Smtp(answers={"RCPT": b"550 5.1.1 nobody\r\n"})
    async with sending(smtp) as sent:
        assert await sent.by("submission", TO, OTHER, query="?partial=true") == (422, "recipients-refused", None)
        await sent.require_draft()
    assert smtp.messages == []
