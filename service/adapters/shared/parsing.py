"""A whole message taken apart: where it arrived, in a thread, or in a cage, by its size."""

from datetime import datetime
from typing import Protocol, TypeVar

from service.adapters.shared.sandbox import caged
from service.adapters.shared.sandbox_worker import MESSAGES, STRUCTURE, Job
from service.adapters.shared.threads import apart
from service.mail.errors import TooLarge
from service.mail.mime.structure import Entity
from service.mail.model import HtmlMode, Message

T = TypeVar("T")
MOST = 64 << 20
"""Octets of the largest message that is taken apart."""
LARGE = 16 << 20
"""Above it a message goes to the cage. That takes a quarter of a second to begin with, and a thread as long at worst as
anybody may wait for others."""


class Stored(Protocol):
    """A message that lies in a file, or may lie in memory where it is small."""

    @property
    def size(self) -> int: ...

    def read(self, start: int, stop: int) -> bytes: ...

    def fileno(self) -> int: ...


async def read_whole(
    stored: Stored,
    *,
    id: str,  # noqa: A002 - named as in the model
    folder_id: str,
    received_at: datetime | None = None,
    flags: tuple[str, ...] = (),
    html: HtmlMode = HtmlMode.SAFE,
) -> Message:
    """The message. Without ``received_at`` its topmost Received field stands for it. TooLarge."""
    found = await _done(MESSAGES[html], stored)
    told = {"id": id, "folder_id": folder_id, "flags": flags}
    return found.model_copy(update=told | ({"received_at": received_at} if received_at else {}))


async def structure_of(stored: Stored) -> Entity:
    """Its parts, and where they lie. TooLarge."""
    return await _done(STRUCTURE, stored)


async def _done(job: Job[T], stored: Stored) -> T:
    if stored.size > MOST:
        raise TooLarge(f"The message is larger than the {MOST} octets that can be taken apart. Download its source.")
    if stored.size > LARGE:
        return job.heard(await caged(job.name, stored.fileno()))
    return await apart(lambda: job.work(stored.read(0, stored.size)), stored.size)
