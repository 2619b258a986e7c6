"""What Dovecot reports with each delivery: it is answered at once, and pushed afterwards."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.mail.mime.headers.addresses import parse_addresses
from service.mail.mime.headers.words import MAX_SHOWN, shown_text
from service.push.dispatch import Dispatcher
from service.push.model import Alert, Change, Event
from service.push.sealing import Note, Seals
from service.push.server.entry import unsealed
from service.telemetry import metrics

MAX_REPORT = 1 << 20
"""Octets of a report, which has From and Subject as long as they are: mail programs write lists of hundreds there."""
MAX_WAITING = 32 << 20
"""Octets of reports that wait. Beyond it they are lost, and counted: the app requests the changes anyway."""
_MAX_NAME = 2000
"""Characters of a folder's name. One that is longer has no id that fits into a push."""
FolderId = Callable[[str, str], str]
"""The id of an account's folder by its name."""
_EVENTS = {"messageNew": Event.CREATED}
_log = structlog.get_logger("service.push")


class _Report(BaseModel):
    """Dovecot's words (the ox driver of push_notification). From and Subject come as they are in the message."""

    model_config = ConfigDict(extra="ignore")

    user: str
    event: str
    folder: str = ""
    sender: str = Field("", alias="from")
    subject: str = ""


class Hook:
    """Takes reports. ``secrets`` are in the address that Dovecot has: several, so that they rotate."""

    def __init__(self, secrets: Sequence[str], seals: Seals, dispatcher: Dispatcher, folder_id: FolderId) -> None:
        self._secrets = [_digest(secret) for secret in secrets]
        self._seals = seals
        self._dispatcher = dispatcher
        self._folder_id = folder_id
        self._waiting: deque[tuple[bytes, datetime]] = deque()
        self._octets = 0
        self._news = asyncio.Event()

    def accepts(self, secret: str) -> bool:
        """Takes as long for any secret."""
        given = _digest(secret)
        return sum(compare_digest(given, each) for each in self._secrets) > 0

    def report(self, body: bytes) -> None:
        """Returns at once."""
        if self._octets + len(body) > MAX_WAITING:
            metrics.delivery_reported("lost")
            return
        self._octets += len(body)
        self._waiting.append((body, datetime.now(UTC)))
        self._news.set()

    async def work(self) -> None:
        """Handle reports until cancelled, at shutdown."""
        while True:
            await self._news.wait()
            while self._waiting:
                self._one()
                await asyncio.sleep(0)
            self._news.clear()

    async def drain(self) -> None:
        """Handle those that wait, at shutdown."""
        while self._waiting:
            self._one()
            await asyncio.sleep(0)

    def _one(self) -> None:
        body, at = self._waiting.popleft()
        self._octets -= len(body)
        try:
            outcome = self._handle(body, at)
        except Exception as error:
            _log.error("report", error=type(error).__name__)
            outcome = "unreadable"
        metrics.delivery_reported(outcome)

    def _handle(self, body: bytes, at: datetime) -> str:
        try:
            report = _Report.model_validate_json(body)
        except ValidationError:
            return "unreadable"
        event, notes = _EVENTS.get(report.event), unsealed(self._seals, report.user)
        if not notes:
            return "unknown"
        if event is None:
            return "ignored"
        authors = parse_addresses(report.sender[:MAX_SHOWN], 1)
        subject = shown_text(report.subject.encode(errors="replace"))
        alert = Alert.of(authors, subject) if authors or subject else None
        for note in notes:
            folders = (self._folder_id(note.account, report.folder),) if 0 < len(report.folder) <= _MAX_NAME else ()
            self._push(note, Change(note.account, at, folders=folders, events=frozenset({event}), alert=alert))
        return "taken"

    def _push(self, note: Note, change: Change) -> None:
        for subscription in note.subscriptions:
            if subscription.expires_at > change.at:
                self._dispatcher.change(note.account, subscription, change)
            else:
                self._dispatcher.losses.expired(note.account, subscription.id)


def _digest(secret: str) -> bytes:
    return sha256(secret.encode(errors="surrogatepass")).digest()
