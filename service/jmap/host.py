"""What the composition root gives to JMAP: the sign-in, the mailbox, sending and downloads are those of the whole
service."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol as Shape
from typing import TypeAlias

from fastapi import Request, Response

from service.accounts.credentials import Credentials
from service.accounts.states import States
from service.jmap.core.limits import Limits
from service.jmap.index import Index
from service.jmap.kept import KeptPages
from service.mail.backend import Backend
from service.mail.changes import Watch
from service.mail.exchange import Download, Span
from service.mail.submission.model import Identity
from service.submission.outbox import Outbox

Open: TypeAlias = Callable[[Span | None], Awaitable[Download]]


class Streams(Shape):
    """Open responses, which end at shutdown."""

    is_closing: bool

    def opened(self, watch: Watch) -> AbstractContextManager[None]:
        """Register a watch while the context is open."""
        ...


@dataclass(frozen=True, slots=True)
class Host:
    """``mailbox`` is the account's, kept open until the response is sent. ``identities`` are the addresses that it
    sends from, the default one first, as of the last minute; ``forget_identities`` of an account that has just changed
    them. ``sending`` raises NotSupported if it cannot send."""

    caller: Callable[[Request], Awaitable[Credentials]]
    mailbox: Callable[[Request, Credentials], Awaitable[Backend]]
    identities: Callable[[Request, Credentials, Backend], Awaitable[Sequence[Identity]]]
    forget_identities: Callable[[str], None]
    sending: Callable[[Request, Credentials, Backend], Outbox]
    respond: Callable[[Request, Open], Awaitable[Response]]
    require_live: Callable[[Request], Awaitable[None]]
    count: Callable[[Credentials], Awaitable[None]]
    states: States
    streams: Streams
    limits: Limits
    public_url: str | None = None
    index: Index = field(default_factory=Index)
    pages: KeptPages = field(default_factory=KeptPages)
    """Both of all accounts of this process."""
