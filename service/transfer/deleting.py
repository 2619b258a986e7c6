"""Deletes at the source what is verified at the destination, and nothing else.

A message is deleted if its copy, read back, has the same octets. That says nothing if both mailboxes are the same one
by two names: then the copy is the message. So first a copy of one message is appended for a moment: if the source gets
it, it is the same mailbox.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from service.mail.backend import MAX_ITEMS, Backend
from service.mail.errors import InvalidRequest, MailError
from service.mail.inventory import Item, NewMessage
from service.transfer.links import concerns_all
from service.transfer.model import Reason
from service.transfer.reading import Letter, marks_of
from service.transfer.writing import fault_of

NO_IDS = "The destination does not say what it has stored, so it cannot be verified. Nothing was deleted."
SAME_MAILBOX = "Source and destination are the same mailbox. Nothing was deleted."


class Copy(NamedTuple):
    """The copy of a message of the source, by its place in the list there; ``id`` is None if it is not known."""

    place: int
    id: str | None
    size: int
    digest: bytes


async def verified_among(mailbox: Backend, copies: Sequence[Copy]) -> list[Copy]:
    """Those whose octets the mail server gives now."""
    items = [Item(copy.id, b"", copy.size, None, ()) for copy in copies if copy.id]
    read = await marks_of(mailbox, items)
    return [copy for copy in copies if copy.id and (marks := read.get(copy.id)) and marks.whole == copy.digest]


async def are_distinct(
    source: Backend, folders: Collection[str], destination: Backend, target: str, batch: Sequence[Letter]
) -> bool:
    """Whether a message that is appended to the destination does not appear at the source, in none of the ``folders``
    from which messages are taken. At the end the destination is as it was. False if the destination takes none of the
    messages. Raises InvalidRequest if it is the same mailbox, or if that cannot be seen."""
    for letter in batch:
        if fault_of(letter) is not None:
            continue
        before = await _ids(source, folders)
        [appended] = await destination.append_many(target, [NewMessage(letter.source, (), letter.item.received_at)])
        if appended.error is None:
            await _require_unseen(source, folders, before, destination, letter, appended.id)
            return True
        if concerns_all(appended.error):
            raise appended.error
    return False


async def _require_unseen(
    source: Backend,
    folders: Collection[str],
    before: set[str],
    destination: Backend,
    letter: Letter,
    copy: str | None,
) -> None:
    if copy is None:
        raise InvalidRequest(NO_IDS, location="body.deleteSource")
    try:
        items = await source.get_items(sorted(await _ids(source, folders) - before)[:MAX_ITEMS])
    finally:
        [removed] = await destination.delete_messages([copy])
    if removed.error is not None:
        raise removed.error
    if any(item.size == letter.source.size and item.name in {letter.item.name, letter.name} for item in items):
        raise InvalidRequest(SAME_MAILBOX, location="body.deleteSource")


async def _ids(source: Backend, folders: Collection[str]) -> set[str]:
    return {message for folder in folders for message in await source.list_ids(folder)}


async def delete(source: Backend, messages: Sequence[str]) -> dict[str, MailError]:
    """Delete the messages; returns the errors of those that are still there."""
    outcomes = await source.delete_messages(messages)
    return {outcome.id: outcome.error for outcome in outcomes if outcome.error is not None}


NOT_VERIFIED = (Reason.NOT_VERIFIED, "The copy could not be read back with the same octets. The message is kept.")
