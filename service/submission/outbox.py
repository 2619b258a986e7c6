"""Sends drafts. The draft is the outbox: it is in the mailbox before anything is sent, and leaves Drafts once it was
sent. So nothing is lost if this process ends at any moment, and nothing is sent twice (see ``claims``)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Container, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias

from service.mail.backend import Backend
from service.mail.errors import (
    ConsentRequired,
    LoginRefused,
    MailError,
    MessageRefused,
    NotFound,
    NotPermitted,
    RecipientsRefused,
    UpstreamFailure,
)
from service.mail.model import MessageSummary
from service.mail.submission.model import Submission
from service.mail.submission.submitter import LOST, Envelope, Receipt, Submitter
from service.spooled import Spooled
from service.submission.assembly import outgoing
from service.submission.claims import Claim, Gone, TakenOver, Turns, Unclaimed, take_claim
from service.submission.copies import Filing, file_copy, newest
from service.submission.folders import SENT, find, remove
from service.submission.letter import Left, Letter, read_letter, read_message
from service.submission.repeats import Repeat
from service.telemetry import metrics

NO_LOGIN = "The server that sends refuses the login, which the mailbox accepts."
ONCE_PER_PROCESS, NO_COPY, COPY_FAILED = "send-once-per-process", "no-sent-copy", "sent-copy-failed"
NOT_REMOVED = "draft-not-removed"
Admit: TypeAlias = Callable[[int], Awaitable[None]]
"""Counts a message with this many recipients. Raises TooManyRequests or InvalidRequest if these are too many."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to send.

    ``partial``: to the others, if the server refuses some. ``dry_run``: not at all. ``notifies``: with delivery status
    notifications. ``sender`` and ``recipients`` replace those of the header. ``repeat``: the request may have been
    made before, so Sent is looked at first.
    """

    partial: bool = False
    dry_run: bool = False
    notifies: bool = False
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    repeat: Repeat | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """What the accounts of a server share when they send."""

    server: str
    turns: Turns
    filing: Filing


class Outbox:
    """Sends for one account. ``expires`` says that its secret is a token: if that is refused, it is to be renewed."""

    def __init__(
        self, mailbox: Backend, submitter: Submitter, post: Post, admit: Admit, *, expires: bool = False
    ) -> None:
        self._mailbox, self._submitter, self._post, self._admit = mailbox, submitter, post, admit
        self._expires = expires

    async def send(self, draft: str, options: Options) -> Submission:
        """Send a draft. Raises as ``Submitter.submit``: then nothing was sent and the draft is as before, unless the
        error has the code ``LOST``. Raises InUse while another request sends it, and as ``read_letter``."""
        try:
            letter = await read_letter(
                self._mailbox, draft, options.sender, options.recipients, notifies=options.notifies
            )
        except Left as left:
            return await self.sent_meanwhile(left.message_id, left)
        if options.dry_run:
            return _submission(letter, Receipt(letter.envelope.recipients), size=letter.envelope.size, draft=draft)
        async with self._post.turns.turn(self._mailbox.account, draft):
            return await self._send(letter, options)

    async def send_stored(self, draft: str, message: Spooled, options: Options, *, is_new: bool = False) -> Submission:
        """Send a draft that was stored just now as ``message``, which saves reading it. Raises as ``send``. ``is_new``:
        no other process looks for it."""
        letter = read_message(message, options.sender, options.recipients, notifies=options.notifies)
        async with self._post.turns.turn(self._mailbox.account, draft):
            return await self._send(replace(letter, id=draft), options, message, is_new=is_new)

    def require_sendable(self, message: Spooled, options: Options) -> None:
        """Raises InvalidRequest and TooLarge as ``send_stored``, before the message is stored."""
        read_message(message, options.sender, options.recipients, notifies=options.notifies)

    async def send_straight(self, message: Spooled, options: Options) -> Submission:
        """Send a message that no mailbox keeps: at most once, with no copy in Sent."""
        letter = read_message(message, options.sender, options.recipients, notifies=options.notifies)
        if options.dry_run:
            return _submission(letter, Receipt(letter.envelope.recipients), size=letter.envelope.size)
        await self._admit(len(letter.envelope.recipients))
        async with aclosing(outgoing(message.chunks())) as octets:
            receipt = await self._counted(letter.envelope, octets, Unclaimed(), partial=options.partial)
        return _submission(letter, receipt, warnings=(NO_COPY,), sent_at=datetime.now(UTC))

    async def sent_before(self, copy: MessageSummary) -> Submission:
        """The answer for a message that is in Sent already, as far as it can be known."""
        letter = await read_letter(self._mailbox, copy.id, None, (), notifies=False, is_sent=True)
        return _submission(
            letter, Receipt(letter.envelope.recipients), sent=copy.id, sent_at=copy.received_at or datetime.now(UTC)
        )

    async def _send(
        self, letter: Letter, options: Options, message: Spooled | None = None, *, is_new: bool = False
    ) -> Submission:
        """If another process is quicker, its answer is this one's too."""
        try:
            return await self._try(letter, options, message, is_new=is_new)
        except (TakenOver, NotFound):
            return await self._try(letter, options, message)

    async def _try(
        self, letter: Letter, options: Options, message: Spooled | None, *, is_new: bool = False
    ) -> Submission:
        try:
            claim = await take_claim(self._mailbox, letter.id, is_new=is_new)
        except Gone as gone:
            copies = await find(self._mailbox, SENT, letter.message_id)
            if not copies and gone.error is not None:
                raise gone.error from None
            return _sent_before(letter, copies)
        except NotFound as missing:
            return await self.sent_meanwhile(letter.message_id, missing)
        may_file = self._post.filing.files(self._post.server) is not False
        try:
            copies = await self._copies(letter, claim, options, may_file=may_file)
            own = await options.repeat.own(self._mailbox, copies) if options.repeat else copies
            others = await newest(self._mailbox) if may_file and not claim.is_sent else ()
        except MailError:
            await _release(claim)
            raise
        if own and (claim.may_be_filed or options.repeat):
            await remove(self._mailbox, letter.id)
            return _sent_before(letter, own)
        if claim.is_sent:
            receipt = Receipt(letter.envelope.recipients)
        else:
            await self._admitted(letter, claim)
            receipt = await self._submit(letter, claim, message, partial=options.partial)
        return await self._finish(letter, claim, receipt, frozenset(each.id for each in (*copies, *others)))

    async def _copies(
        self, letter: Letter, claim: Claim | Unclaimed, options: Options, *, may_file: bool
    ) -> list[MessageSummary]:
        """The messages with this Message-ID that Sent has before this one is sent, if that matters: whether it was sent
        already, and what the provider files later."""
        if options.repeat:
            return await options.repeat.copies(self._mailbox)
        if not (claim.may_be_filed or may_file):
            return []
        return await find(self._mailbox, SENT, letter.message_id)

    async def _admitted(self, letter: Letter, claim: Claim | Unclaimed) -> None:
        try:
            await self._admit(len(letter.envelope.recipients))
        except MailError:
            await _release(claim)
            raise

    async def _submit(
        self, letter: Letter, claim: Claim | Unclaimed, message: Spooled | None, *, partial: bool
    ) -> Receipt:
        try:
            stored = message.chunks() if message else (await self._mailbox.open_source(letter.id)).chunks
            async with aclosing(stored) as chunks, aclosing(outgoing(chunks)) as octets:
                return await self._counted(letter.envelope, octets, claim, partial=partial)
        except MailError as error:
            if not (isinstance(error, UpstreamFailure) and error.code == LOST):
                await _release(claim)
            raise

    async def _counted(
        self, envelope: Envelope, octets: AsyncIterator[bytes], claim: Claim | Unclaimed, *, partial: bool
    ) -> Receipt:
        try:
            receipt = await self._submitter.submit(envelope, octets, claim.commit, partial=partial)
        except MailError as error:
            metrics.message_sent(self._post.server, _outcome_of(error))
            if isinstance(error, LoginRefused) and not (self._expires or isinstance(error, ConsentRequired)):
                # The mailbox has accepted the password: the session is good, and its other requests go on.
                raise NotPermitted(f"{NO_LOGIN} {error.detail}") from error
            raise
        metrics.message_sent(self._post.server, "sent")
        return receipt

    async def _finish(
        self, letter: Letter, claim: Claim | Unclaimed, receipt: Receipt, earlier: Container[str]
    ) -> Submission:
        """The message was sent: from here on no error is raised. ``earlier`` as in ``file_copy``."""
        warnings = [] if claim.is_exclusive else [ONCE_PER_PROCESS]
        sent, draft = None, None
        try:
            await claim.settle()
            post = self._post
            filed = await file_copy(self._mailbox, letter.id, letter.message_id, post.server, post.filing, earlier)
            sent = filed.copy
            if not filed.is_removed:
                warnings.append(NOT_REMOVED)
                draft = letter.id
        except MailError as error:
            warnings.append(COPY_FAILED)
            is_gone = isinstance(error, NotFound) and error.what == "message"
            draft = None if is_gone else letter.id
        await self._mark_original(letter)
        return _submission(letter, receipt, sent=sent, draft=draft, warnings=warnings, sent_at=datetime.now(UTC))

    async def sent_meanwhile(self, message_id: str, missing: NotFound) -> Submission:
        """The draft left Drafts while this process looked at it: sent, if it is in Sent. Else raises ``missing``."""
        if copies := await find(self._mailbox, SENT, message_id):
            return await self.sent_before(copies[0])
        raise missing

    async def _mark_original(self, letter: Letter) -> None:
        if letter.original is not None:
            message, flag = letter.original
            with suppress(MailError):  # it may be gone, or in a folder that keeps no such flag
                await self._mailbox.change_flags(message, [flag], [])


def _sent_before(letter: Letter, copies: Sequence[MessageSummary]) -> Submission:
    """Another process has sent it: the answer as far as it can be known."""
    sent, sent_at = (copies[0].id, copies[0].received_at) if copies else (None, None)
    receipt = Receipt(letter.envelope.recipients)
    return _submission(letter, receipt, sent=sent, sent_at=sent_at or datetime.now(UTC))


def _outcome_of(error: MailError) -> str:
    if isinstance(error, UpstreamFailure) and error.code == LOST:
        return "unknown"
    return "refused" if isinstance(error, RecipientsRefused | MessageRefused) else "deferred"


async def _release(claim: Claim | Unclaimed) -> None:
    with suppress(MailError):
        await claim.release()


def _submission(letter: Letter, receipt: Receipt, **more: object) -> Submission:
    envelope: Envelope = letter.envelope
    return Submission(
        message_id=letter.message_id,
        from_=envelope.sender,
        accepted=receipt.accepted,
        rejected=receipt.rejected,
        **more,
    )
