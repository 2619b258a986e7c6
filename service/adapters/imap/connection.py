"""One logged-in connection and the folder it has selected."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from service.accounts import Credentials
from service.adapters.imap import arguments
from service.adapters.imap.arguments import Piece
from service.adapters.imap.codes import read_status, refusal
from service.adapters.imap.framing import Limits
from service.adapters.imap.login import connect, literal_plus, log_in
from service.adapters.imap.protocol import Answer, Timing, WireProtocol
from service.mail.errors import MailError, NotFound, UpstreamError, UpstreamProtocol, UpstreamUnavailable
from service.servers import Endpoint

_NUMBERED = re.compile(rb"(\d{1,10}) (EXISTS|EXPUNGE|FETCH)\b", re.IGNORECASE)


@dataclass(slots=True)
class Selected:
    """The selected folder (RFC 9051, 6.3.2). ``exists`` follows what the server says."""

    name: bytes
    uid_validity: int = 0
    exists: int = 0


class Connection:
    """Made by ``open``. Whoever holds it is alone on it; after an error of the wire it is closed for good."""

    def __init__(self, protocol: WireProtocol, capabilities: frozenset[str], timing: Timing) -> None:
        self._protocol = protocol
        self._timing = timing
        self._literal_plus = literal_plus(capabilities)
        self.capabilities = capabilities
        self.selected: Selected | None = None
        self.is_fresh = False
        """The folder was selected for whoever holds the connection now, so nothing is newer than what it told."""

    @classmethod
    async def open(
        cls, endpoint: Endpoint, credentials: Credentials, timing: Timing | None = None, limits: Limits | None = None
    ) -> "Connection":
        """Connect and log in: three to five round trips."""
        timing = timing or Timing()
        protocol = await connect(endpoint, timing, limits or Limits())
        try:
            return cls(protocol, await log_in(protocol, credentials, timing), timing)
        except BaseException:
            protocol.fail(UpstreamUnavailable(protocol="imap"))
            raise

    @property
    def is_open(self) -> bool:
        """Usable, as far as can be known without asking."""
        return self._protocol.is_open and self._protocol.is_quiet

    async def attempt(self, *pieces: Piece, seconds: float | None = None) -> Answer:
        """One command; its NO or BAD is the caller's to read."""
        [answer] = await self.attempt_all([pieces], seconds=seconds)
        return answer

    async def run(self, *pieces: Piece, seconds: float | None = None) -> Answer:
        """One command that has to succeed."""
        answer = await self.attempt(*pieces, seconds=seconds)
        if answer.status.kind != "OK":
            raise refusal(answer.status)
        return answer

    async def attempt_all(self, commands: Sequence[Sequence[Piece]], seconds: float | None = None) -> list[Answer]:
        """Several commands in one go, with one list of untagged responses. Only where none depends on what another one
        changes (RFC 9051, 5.5), and where only the last has literals."""
        protocol = self._protocol
        for response in protocol.claim():
            self._note(response)
        lines = [(tag := protocol.tag(), arguments.chunks(tag, pieces, self._literal_plus)) for pieces in commands]
        answers = await protocol.wait(protocol.send(lines), self._timing, seconds)
        for response in answers[-1].untagged:
            self._note(response)
        return answers

    async def select(self, name: bytes) -> Selected:
        """Select a folder; NotFound where the server does not have it or lets nobody in."""
        self.selected = None
        answer = await self.attempt(b"SELECT", arguments.string(name))
        if answer.status.kind != "OK":
            error = refusal(answer.status)
            raise NotFound("folder") if type(error) is UpstreamError and answer.status.kind == "NO" else error
        selected = Selected(name)
        for response in answer.untagged:
            _note_selection(selected, response)
        if not selected.uid_validity:
            self.fail(error := UpstreamProtocol("The mail server gives no UIDVALIDITY.", protocol="imap"))
            raise error
        self.selected = selected
        self.is_fresh = True
        return selected

    async def refresh(self) -> Selected:
        """Hear of what came and went since the folder was selected: a round trip, unless that was just now."""
        if not self.is_fresh:
            await self.run(b"NOOP")
        self.is_fresh = True
        assert self.selected is not None
        return self.selected

    def _note(self, response: bytes) -> None:
        """What an untagged response says of the selected folder."""
        selected = self.selected
        if selected is None:
            return
        if found := _NUMBERED.match(response):
            verb = found[2].upper()
            if verb == b"EXISTS":
                selected.exists = int(found[1])
            elif verb == b"EXPUNGE":
                selected.exists = max(0, selected.exists - 1)
        elif response[:2].upper() == b"OK":
            before = selected.uid_validity
            _note_selection(selected, response)
            if selected.uid_validity != before:
                self.fail(
                    error := UpstreamUnavailable("The folder was renumbered just now.", protocol="imap", retry_after=1)
                )
                raise error

    def fail(self, error: MailError) -> None:
        """Close without a goodbye: for whoever found the connection at fault."""
        self._protocol.fail(error)

    async def logout(self) -> None:
        """Say goodbye, for two seconds at most, and close."""
        with suppress(MailError):
            await self.attempt(b"LOGOUT", seconds=2)
        self.fail(UpstreamUnavailable("Logged out.", protocol="imap"))


def _note_selection(selected: Selected, response: bytes) -> None:
    if found := _NUMBERED.match(response):
        if found[2].upper() == b"EXISTS":
            selected.exists = int(found[1])
        return
    status = read_status(response)
    if status and status.code == "UIDVALIDITY" and status.argument.isdigit():
        selected.uid_validity = int(status.argument) if int(status.argument) < 1 << 32 else 0
