"""What routes that write and send mail share: the outbox and the drafts of the signed-in account."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from service.accounts.credentials import Credentials, SecretKind
from service.api.deps import Caller, Mailbox, done_once, service_of
from service.mail.backend import Backend
from service.mail.errors import InvalidRequest, NotSupported
from service.mail.model import Address, Capability, Message, Value
from service.mail.submission.model import Identity, NewDraft
from service.personal.identities import login_identity, with_identity
from service.submission.dispatch import Dispatch
from service.submission.drafts import Drafts, id_domain
from service.submission.outbox import Outbox, Post

T = TypeVar("T", bound=Value)
NO_SMTP = "This account cannot send: the operator has configured no SMTP server for its mail server."


@dataclass(frozen=True, slots=True)
class Sender:
    """The account as one that writes and sends."""

    request: Request
    credentials: Credentials
    mailbox: Backend

    @property
    def author(self) -> Address | None:
        """The address that the username is, if it is one."""
        identity = login_identity(self.credentials.username)
        return Address(email=identity.email) if identity else None

    async def identities(self) -> tuple[Identity, ...]:
        """The addresses that it sends from, the default one first, as of the last minute."""
        return await service_of(self.request).identities.known(self.mailbox, self.credentials.username)

    async def addressed(self, draft: NewDraft, original: Message | None = None) -> NewDraft:
        """The draft, from one of the account's identities: see ``with_identity``."""
        return with_identity(draft, await self.identities(), original)

    @property
    def drafts(self) -> Drafts:
        """Its drafts."""
        return Drafts(self.mailbox, self.author, service_of(self.request).turns)

    def outbox(self) -> Outbox:
        """Its outbox. Raises NotSupported if its server sends no mail."""
        service = service_of(self.request)
        submitter = service.accounts.submitter(self.credentials)
        if submitter is None:
            raise NotSupported(Capability.SEND, NO_SMTP)
        post = Post(self.credentials.server, service.turns, service.filing)
        expires = self.credentials.kind is SecretKind.ACCESS_TOKEN
        return Outbox(self.mailbox, submitter, post, self._admit, expires=expires)

    @property
    def dispatch(self) -> Dispatch:
        """Writes and sends in one request. Raises as ``outbox``."""
        return Dispatch(self.mailbox, self.drafts, self.outbox())

    async def _admit(self, recipients: int) -> None:
        service = service_of(self.request)
        if recipients > service.max_recipients:
            raise InvalidRequest(f"A message may have at most {service.max_recipients} recipients here.")
        await service.rates.sending(self.credentials, recipients)

    def message_id(self, key: str | None) -> str | None:
        """The Message-ID of what is written with this Idempotency-Key: the same in all replicas, at any time. None
        without a key."""
        if key is None:
            return None
        digest = blake2b(f"{self.credentials.account}\0{key}".encode(), digest_size=16, person=b"casella send")
        return f"{digest.hexdigest()}@{id_domain(self.author)}"

    async def once(self, key: str | None, work: Callable[[], Awaitable[T]], body: bytes | None = None) -> T:
        """See ``deps.done_once``."""
        return await done_once(self.request, self.mailbox, key, work, body)


async def sender(request: Request, caller: Caller, mailbox: Mailbox) -> Sender:
    """The signed-in account. A plain function would be called in a thread."""
    return Sender(request, caller, mailbox)


Sending = Annotated[Sender, Depends(sender)]
