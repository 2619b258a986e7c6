"""The port to a mail server that sends messages (RFC 6409). The SMTP adapter implements it."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from service.mail.submission.model import Rejected

LOST = "outcomeUnknown"
"""The ``code`` of the UpstreamError raised if the connection was lost after the last octet: the message may be sent."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The sender and the recipients of a message (RFC 5321, 2.3.1). Domains are ASCII; a local part beyond ASCII needs
    ``is_utf8``."""

    sender: str
    """Empty: a message that must not cause another one, such as a receipt."""
    recipients: tuple[str, ...]
    size: int | None = None
    """The octets to send, if they are known before."""
    is_8bit: bool = False
    """Whether the message has octets above 127 (RFC 6152)."""
    is_utf8: bool = False
    """Whether an address or a header field is UTF-8 (RFC 6531). Raises NotSupported if the server cannot."""
    id: str | None = None
    """With an id, delivery status notifications that name it are asked for (RFC 3461), if the server can."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the server took."""

    accepted: tuple[str, ...]
    rejected: tuple[Rejected, ...] = ()


class Submitter(ABC):
    """Sends messages for one account. All methods raise leaves of ``errors.MailError`` and nothing else."""

    @abstractmethod
    async def check(self) -> frozenset[str]:
        """Sign in. Returns the server's extensions (EHLO keywords, upper case)."""

    @abstractmethod
    async def submit(
        self,
        envelope: Envelope,
        chunks: AsyncIterator[bytes],
        commit: Callable[[], Awaitable[None]],
        *,
        partial: bool = False,
    ) -> Receipt:
        """Send one message, once. ``chunks`` are its octets, read as fast as the server takes them. Memory is constant.

        ``commit`` is awaited when all octets are with the server but the end of the message is not: if it raises, the
        message is not sent. Afterwards the message may be sent even if this method fails.

        Raises RecipientsRefused if the server refuses all recipients, or any without ``partial``; MessageRefused if it
        refuses the sender or the content for good (5xx); TooLarge if the message exceeds the server's SIZE;
        UpstreamUnavailable, TooManyRequests or UpstreamTimeout, all with nothing sent, if it may be tried later; and
        UpstreamError with the code ``LOST`` if it is unknown whether the message was sent.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Close what is kept open between messages."""
