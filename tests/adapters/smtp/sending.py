"""One message to send, and what became of it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.smtp.submitter import SmtpSubmitter
from service.adapters.smtp.wire.timing import Timing
from service.mail.errors import MailError
from service.mail.model import Protocol
from service.mail.submission.submitter import Envelope, Receipt
from tests.servers.scripted import ScriptedServer

USER, SECRET = "ann@example.org", "canary-7f20-password"
CREDENTIALS = Credentials("home", Protocol.IMAP, USER, SECRET)
TIMING = Timing(connect=2, greeting=0.5, login=0.5, command=0.5, block=0.5, end=0.5, quit=0.2, keep=5)
MESSAGE = b"From: ann@example.org\r\nSubject: hello\r\n\r\nworld\r\n"
ENVELOPE = Envelope(USER, ("bob@example.net",))
TWO = replace(ENVELOPE, recipients=("bob@example.net", "cy@example.net"))


def submitter_to(
    server: ScriptedServer, credentials: Credentials = CREDENTIALS, timing: Timing = TIMING
) -> SmtpSubmitter:
    """In clear, to a scripted server."""
    return SmtpSubmitter(Endpoint(server.host, server.port, Security.NONE, server="home"), credentials, timing)


@dataclass
class Attempt:
    """Sends once. ``read`` counts the octets taken from the source, ``commits`` how often the end was near."""

    message: bytes = MESSAGE
    envelope: Envelope = ENVELOPE
    partial: bool = False
    size: int = 64 << 10
    at_commit: Callable[[], object] = lambda: None
    read: int = 0
    commits: int = 0
    receipt: Receipt | None = None
    error: MailError | None = field(default=None)

    async def by(self, submitter: SmtpSubmitter, *, close: bool = True) -> "Attempt":
        """Keeps the receipt or the error. Other exceptions pass."""
        try:
            self.receipt = await submitter.submit(self.envelope, self.chunks(), self.commit, partial=self.partial)
        except MailError as error:
            self.error = error
        finally:
            if close:
                await submitter.aclose()
        return self

    async def to(self, server: ScriptedServer) -> "Attempt":
        """By a submitter of its own, in clear."""
        return await self.by(submitter_to(server))

    @property
    def code(self) -> str | None:
        """Of the error."""
        return getattr(self.error, "code", None)

    async def chunks(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.message), self.size):
            self.read = min(start + self.size, len(self.message))
            yield self.message[start : start + self.size]

    async def commit(self) -> None:
        self.commits += 1
        self.at_commit()
