"""Keeps the subscriptions of an account in its mailbox."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Literal

from service.mail.backend import Backend
from service.push.losses import Losses
from service.push.model import Subscription
from service.push.room import without
from service.push.sealing import Note, Seals
from service.push.server.entry import read, written

Subscriptions = Sequence[Subscription]


class MetadataKeeper:
    """Implements ``Keeper``. Raises NotSupported if the mailbox has no METADATA. Reading is a round trip; writing takes
    a second, and several devices may do it at the same time."""

    source: Literal["server", "watch"] = "server"

    def __init__(self, mailbox: Backend, seals: Seals, losses: Losses) -> None:
        self._mailbox = mailbox
        self._seals = seals
        self._losses = losses

    async def all(self) -> Subscriptions:
        return self._living(await self._mailbox.get_delivery_note())

    async def keep(self, subscription: Subscription) -> None:
        await self._change(lambda present: [*without(present, subscription), subscription])

    async def remove(self, id: str) -> bool:  # noqa: A002 - the name in the contract
        if id not in {each.id for each in await self.all()}:
            return False
        await self._change(lambda present: [each for each in present if each.id != id])
        return True

    async def clean(self) -> None:
        """Removes those that are over."""
        await self._change(lambda present: present)
        self._losses.removed(self._mailbox.account)

    async def _change(self, change: Callable[[Subscriptions], Subscriptions]) -> None:
        account = self._mailbox.account

        def changed(value: bytes | None) -> bytes | None:
            present, wanted = read(self._seals, value, account), Note(account, tuple(change(self._living(value))))
            return value if present == wanted else written(self._seals, value, wanted)

        await self._mailbox.change_delivery_note(changed)

    def _living(self, value: bytes | None) -> Subscriptions:
        note, now = read(self._seals, value, self._mailbox.account), datetime.now(UTC)
        those = note.subscriptions if note else ()
        return [each for each in those if each.expires_at > now and not self._losses.is_over(each.id)]
