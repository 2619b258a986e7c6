"""Which changes a device is woken for, and what the push says of them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from service.mail.backend import Backend
from service.mail.changes import AccountChanges, FolderChanges
from service.mail.errors import MailError
from service.mail.model import MessageSummary
from service.push.model import Alert, Change, Event, Subscription

_ALL = frozenset(Event)
_MOST_FOLDERS = 5
"""In which the newest message is looked at for an alert."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class News:
    """What happened in a mailbox. Without ``changes``, anything may have."""

    account: str
    changes: AccountChanges | None = None
    token: str | None = None
    """From before."""

    def __bool__(self) -> bool:
        return self.changes is None or bool(self.changes.folders or self.changes.created_folders)

    def for_subscription(self, subscription: Subscription) -> Change | None:
        """None if it is nothing that this device wants to hear of."""
        if self.changes is None:
            return Change(self.account, datetime.now(UTC), self.token, events=subscription.events)
        happened = dict(_wanted(self.changes, subscription))
        if not happened:
            return None
        events = frozenset[Event]().union(*happened.values())
        return Change(self.account, datetime.now(UTC), self.token, tuple(happened), events)


def _wanted(changes: AccountChanges, subscription: Subscription) -> Iterator[tuple[str, frozenset[Event]]]:
    """Folders, and the wanted events in each. Messages of a new folder are new."""
    for folder in changes.folders:
        events = _events(folder) & subscription.events
        if events and (not subscription.folders or folder.folder_id in subscription.folders):
            yield folder.folder_id, events
    if Event.CREATED in subscription.events and not subscription.folders:
        for folder_id in changes.created_folders:
            yield folder_id, frozenset({Event.CREATED})


def _events(folder: FolderChanges) -> frozenset[Event]:
    if folder.resync:
        return _ALL
    lists = {Event.CREATED: folder.created, Event.UPDATED: folder.updated, Event.DESTROYED: folder.destroyed}
    return frozenset(event for event, ids in lists.items() if ids)


async def alert_of(mailbox: Backend, changes: AccountChanges, folders: Collection[str]) -> Alert | None:
    """Sender and subject of the newest unread message in one of the folders. None if it cannot be read: the push is
    what matters."""
    newest = [folder.created[-1] for folder in changes.folders if folder.created and folder.folder_id in folders]
    try:
        rows = await mailbox.get_messages(newest[:_MOST_FOLDERS])
    except MailError:
        return None
    unread = [row for row in rows if "$seen" not in row.flags]
    return _alert(max(unread, key=lambda row: row.received_at or _LONG_AGO)) if unread else None


def _alert(row: MessageSummary) -> Alert:
    return Alert.of(row.from_ or (), row.subject or "")
