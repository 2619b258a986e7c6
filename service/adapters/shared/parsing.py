"""Parses whole messages: on the event loop, in a thread, or in the sandbox, by their size."""

from datetime import datetime
from typing import Protocol, TypeVar

from service.adapters.shared.sandbox import run_in_sandbox
from service.adapters.shared.sandbox_worker import MESSAGES, STRUCTURE, Job
from service.adapters.shared.threads import in_thread
from service.mail.errors import TooLarge
from service.mail.mime.structure import Entity
from service.mail.model import HtmlMode, Message

T = TypeVar("T")
MAX_PARSED = 64 << 20
"""Octets of the largest message that is parsed."""
LARGE = 16 << 20
"""Octets above which a message is parsed in the sandbox, which takes a quarter of a second to start. The worst message
below it keeps a thread for as long as other requests can be made to wait."""


class Stored(Protocol):
    """A stored message, in memory or in a file."""

    @property
    def size(self) -> int: ...

    def read(self, start: int, stop: int) -> bytes: ...

    def fileno(self) -> int: ...


async def parse_message(
    stored: Stored,
    *,
    id: str,  # noqa: A002 - named as in the model
    folder_id: str,
    received_at: datetime | None = None,
    flags: tuple[str, ...] = (),
    html: HtmlMode = HtmlMode.SAFE,
) -> Message:
    """Parses the message. Without ``received_at`` its topmost Received field is used. Raises TooLarge."""
    message = await _run(MESSAGES[html], stored)
    fields = {"id": id, "folder_id": folder_id, "flags": flags}
    return message.model_copy(update=fields | ({"received_at": received_at} if received_at else {}))


async def parse_structure(stored: Stored) -> Entity:
    """The parts of the message, and where they lie in it. Raises TooLarge."""
    return await _run(STRUCTURE, stored)


async def _run(job: Job[T], stored: Stored) -> T:
    if stored.size > MAX_PARSED:
        raise TooLarge(f"The message has more than {MAX_PARSED} octets, too many to parse. Download its source.")
    if stored.size > LARGE:
        return job.load(await run_in_sandbox(job.name, stored.fileno()))
    return await in_thread(lambda: job.work(stored.read(0, stored.size)), stored.size)
