"""Messages sent from every kind of mailbox: straight if it has no folders, else through Drafts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes

import pytest

from service.mail.errors import MailError, RecipientsRefused, UpstreamError
from service.mail.model import Address, Capability, MessageSummary
from service.mail.search.filter import ListQuery
from service.mail.submission.model import Attachment, NewDraft, Submission
from service.mail.submission.submitter import LOST
from service.submission import claims
from service.submission.claims import PENDING, Turns
from service.submission.copies import Filing
from service.submission.dispatch import Dispatch
from service.submission.drafts import Drafts
from service.submission.outbox import NO_COPY, NOT_REMOVED, ONCE_PER_PROCESS, Options, Outbox, Post
from tests.adapters.smtp.sending import submitter_to
from tests.contract import conftest
from tests.contract.conftest import Mailbox, OpenMailbox
from tests.contract.letters import PDF, RICH, Letter
from tests.contract.others import OTHERS
from tests.servers.scripted import Answer, Close, ScriptedServer
from tests.servers.smtp import Smtp

ANN = Address(email="ann@example.org")
ID = "sent@example.org"
KINDS = tuple(kind for kind in conftest.KINDS if kind != "memory")  # it gives no new folder a role
PDF_NAME = "Bericht für Köln.pdf"
WARNINGS = {
    "imap-plain": {ONCE_PER_PROCESS, NOT_REMOVED},
    "imap-mailutils": {ONCE_PER_PROCESS, NOT_REMOVED},
    "imap-pymap": {ONCE_PER_PROCESS},
} | {kind: {NO_COPY} for kind in KINDS if kind.startswith("pop3")}
WITHOUT_KEYWORDS = {"imap-mailutils", "imap-pymap", *OTHERS}
DRAFT = NewDraft(to=(Address(name="Bob", email="bob@example.net"),), bcc=(Address(email="cy@example.net"),), subject="sent", text="hello")  # fmt: skip


@dataclass
class Sending:
    """A mailbox that sends to a scripted server."""

    mailbox: Mailbox
    smtp: Smtp
    drafts: Drafts
    outbox: Outbox
    recipients: int = 0

    @property
    def dispatch(self) -> Dispatch:
        return Dispatch(self.mailbox.backend, self.drafts, self.outbox)

    async def rows(self, folder: str) -> list[MessageSummary]:
        """None if there is no such folder."""
        try:
            return list((await self.mailbox.backend.list_messages(folder, ListQuery(limit=50))).items)
        except MailError:
            return []

    async def has_folders(self) -> bool:
        await self.mailbox.backend.check()
        return {Capability.APPEND, Capability.FLAGS} <= self.mailbox.backend.capabilities


@asynccontextmanager
async def sending_from(mailbox: Mailbox, answers: dict[str, Answer] | None = None) -> AsyncIterator[Sending]:
    smtp = Smtp(answers={} if answers is None else answers)
    async with ScriptedServer([smtp]) as server:
        submitter = submitter_to(server)

        async def admit(recipients: int) -> None:
            opened.recipients += recipients

        backend = mailbox.backend
        post = Post("home", Turns(), Filing({"home": False}))
        opened = Sending(mailbox, smtp, Drafts(backend, ANN), Outbox(backend, submitter, post, admit))
        try:
            yield opened
        finally:
            await submitter.aclose()


@pytest.fixture
async def sending(mailbox: Mailbox) -> AsyncIterator[Sending]:
    async with sending_from(mailbox) as opened:
        yield opened


async def test_a_message_is_sent_and_filed(sending: Sending) -> None:
    """R-SEND-21: one delivery without the blind copy's address, one copy in Sent if there are folders, and warnings of
    what the server cannot do."""
    sent = await sending.dispatch.submit(DRAFT, Options(), ID)
    assert (sent.message_id, sent.accepted, sending.recipients) == (ID, ("bob@example.net", "cy@example.net"), 2)
    [octets] = sending.smtp.messages
    assert b"\r\nSubject: sent\r\n" in octets
    assert b"cy@example.net" not in octets
    if sending.mailbox.name not in OTHERS:
        assert set(sent.warnings) == WARNINGS.get(sending.mailbox.name, set())
    await require_filed(sending, sent)


async def require_filed(sending: Sending, sent: Submission) -> None:
    if not await sending.has_folders():
        assert (sent.sent, sent.draft, set(sent.warnings)) == (None, None, {NO_COPY})
        return
    [copy] = await sending.rows("sent")
    assert copy.message_id == ID
    assert "$draft" not in copy.flags
    assert sent.sent in {copy.id, None}
    left = await sending.rows("drafts")
    assert [row.id for row in left] == ([sent.draft] if sent.draft else [])
    assert all("$deleted" in row.flags for row in left)
    assert bool(left) == (NOT_REMOVED in sent.warnings)


async def test_another_process_that_gets_the_same_request_sends_nothing(sending: Sending) -> None:
    """R-SEND-21: although some servers keep no claim, and some the draft. A mailbox without folders remembers nothing."""
    if not await sending.has_folders():
        pytest.skip("sent straight")
    await sending.dispatch.submit(DRAFT, Options(), ID)
    async with sending_from(sending.mailbox) as other:
        again = await other.dispatch.submit(DRAFT, Options(), ID)
        assert other.smtp.messages == []
    assert again.message_id == ID
    [copy] = await sending.rows("sent")
    assert again.sent == copy.id


async def test_a_draft_that_was_refused_stays_as_it_was(mailbox: Mailbox) -> None:
    """R-SEND-21: and is sent by the same request later."""
    answers: dict[str, Answer] = {"RCPT": b"550 5.1.1 nobody\r\n"}
    async with sending_from(mailbox, answers) as sending:
        with pytest.raises(RecipientsRefused):
            await sending.dispatch.submit(DRAFT, Options(), ID)
        assert await sending.rows("sent") == []
        if await sending.has_folders():
            [draft] = await sending.rows("drafts")
            assert not set(draft.flags) - {"$draft", "$seen"}
        answers.clear()
        await require_filed(sending, await sending.dispatch.submit(DRAFT, Options(), ID))
        assert len(sending.smtp.messages) == 1


async def test_a_draft_whose_outcome_is_unknown_is_not_sent_again(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-SEND-21: if the mailbox keeps keywords. It says so itself, to every process."""
    monkeypatch.setattr(claims, "PATIENCE", 0.5)
    async with sending_from(mailbox, {"END": [Close()]}) as sending:
        with pytest.raises(UpstreamError) as unknown:
            await sending.dispatch.submit(DRAFT, Options(), ID)
        assert unknown.value.code == LOST
        if not await sending.has_folders():
            return
        [draft] = await sending.rows("drafts")
        if PENDING not in draft.flags:
            assert mailbox.name in WITHOUT_KEYWORDS
            return
    async with sending_from(mailbox) as other:
        with pytest.raises(UpstreamError) as unknown:
            await other.dispatch.submit(DRAFT, Options(), ID)
        assert unknown.value.code == LOST
        assert other.smtp.messages == []


async def test_an_attachment_goes_by_reference(open_mailbox: OpenMailbox) -> None:
    """R-SEND-21: octet for octet."""
    mailbox = await open_mailbox(Letter(RICH))
    row = await mailbox.newest()
    [part] = [each for each in (await mailbox.backend.get_message(row.id)).attachments if each.name == PDF_NAME]
    draft = DRAFT.model_copy(update={"attachments": (Attachment(message_id=row.id, part_id=part.id),)})
    async with sending_from(mailbox) as sending:
        await sending.dispatch.submit(draft, Options(), ID)
        [octets] = sending.smtp.messages
    [content] = [each.get_payload(decode=True) for each in message_from_bytes(octets).walk() if each.get_filename()]
    assert content == PDF
