"""Writes messages into a folder of the destination, with the flags that it keeps."""

from collections.abc import Sequence

from service.mail.backend import Backend
from service.mail.errors import InvalidRequest, MailError, NotPermitted, TooLarge, UpstreamError
from service.mail.inventory import Appended, NewMessage
from service.transfer.links import concerns_all
from service.transfer.model import MAX_DROPPED, Reason
from service.transfer.reading import Letter

SYSTEM = frozenset({"$seen", "$answered", "$flagged", "$draft"})
NEVER = frozenset({"$deleted", "$recent"})
"""Flags that are never set: they say what another program is about to do, or what it has seen."""
_WITHOUT_FLAGS = (InvalidRequest, NotPermitted, UpstreamError)
"""Refusals that may mean the flags."""


class Writer:
    """Appends to one folder."""

    def __init__(self, mailbox: Backend, folder: str) -> None:
        self._mailbox, self.folder = mailbox, folder
        self._asked: set[str] = set(NEVER)
        self._kept: set[str] = set()
        self.dropped: dict[str, None] = {}
        """The flags that were left out."""

    async def write(self, letters: Sequence[Letter]) -> Sequence[Appended]:
        """Append the messages, in order. What is refused is tried again alone, with fewer flags. Raises an error that
        concerns all of them if it stands for those that were not appended: some may have been."""
        await self._ask(letters)
        messages = [self._message(letter) for letter in letters]
        appended = list(await self._mailbox.append_many(self.folder, messages))
        for at, outcome in enumerate(appended):
            if isinstance(outcome.error, _WITHOUT_FLAGS) and not concerns_all(outcome.error) and messages[at].flags:
                appended[at] = await self._again(messages[at], outcome)
        return appended

    def _message(self, letter: Letter) -> NewMessage:
        flags = [flag for flag in letter.item.flags if flag in self._kept]
        self._drop(set(letter.item.flags) - self._kept)
        return NewMessage(letter.source, flags, letter.item.received_at)

    async def _ask(self, letters: Sequence[Letter]) -> None:
        """Which of the flags the folder keeps. One round trip if one of them is new here."""
        flags = {flag for letter in letters for flag in letter.item.flags}
        new = {flag for flag in flags - self._asked if not flag.startswith("\\")}
        self._asked |= flags
        if new:
            self._kept |= await self._mailbox.kept_flags(self.folder, sorted(new)) - NEVER

    async def _again(self, message: NewMessage, refused: Appended) -> Appended:
        """Without keywords, then without any flag."""
        for flags in dict.fromkeys([tuple(flag for flag in message.flags if flag in SYSTEM), ()]):
            if len(flags) == len(message.flags):
                continue
            [outcome] = await self._mailbox.append_many(self.folder, [message._replace(flags=flags)])
            if outcome.error is None:
                self._drop(set(message.flags) - set(flags))
                return outcome
        return refused

    def _drop(self, flags: set[str]) -> None:
        for flag in sorted(flags - NEVER):
            if len(self.dropped) < MAX_DROPPED:
                self.dropped[flag] = None


def reason_of(error: MailError) -> Reason:
    """Why a message is left at the source."""
    return Reason.TOO_LARGE if isinstance(error, TooLarge) else Reason.REFUSED


def fault_of(letter: Letter) -> tuple[Reason, str] | None:
    """Why a message cannot be written at all."""
    if letter.error is not None:
        reason = Reason.TOO_LARGE if isinstance(letter.error, TooLarge) else Reason.UNREADABLE
        return reason, letter.error.detail
    if letter.has_nul:
        return Reason.NUL, "The message contains NUL, which IMAP cannot carry. It would have to be altered."
    if not letter.source.size:
        return Reason.EMPTY, "The message has no octets."
    return None
