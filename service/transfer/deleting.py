"""Deletes at the source what is verified at the destination, and nothing else.

A message is deleted if its copy, read back, has the same octets. That says nothing if both mailboxes are the same one
by two names: then the copy is the message. So first a copy of one message is appended for a moment: if the source gets
it, it is the same mailbox.

Nothing here believes what the destination says that it stored. A wrong id would name another message there.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from service.mail.backend import MAX_ITEMS, Backend
from service.mail.errors import Changed, InvalidRequest, MailError
from service.mail.inventory import Item, NewMessage
from service.mail.model import Capability
from service.transfer.links import concerns_all
from service.transfer.model import Reason
from service.transfer.reading import Letter, in_pieces, marks_of
from service.transfer.writing import fault_of

NO_IDS = "The destination does not say what it has stored, so it cannot be verified. Nothing was deleted."
SAME_MAILBOX = "Source and destination are the same mailbox. Nothing was deleted."


class Copy(NamedTuple):
    """The copy of a message of the source, by its place in the list there; ``id`` is None if it is not known, or if the
    octets that were read are not those of the message that is listed."""

    place: int
    id: str | None
    size: int
    digest: bytes

    @classmethod
    def of(cls, letter: Letter, copy: str | None) -> "Copy":
        known = copy if letter.is_as_listed else None
        return cls(letter.place, known, letter.source.size, letter.source.exact_digest)


async def verified_among(mailbox: Backend, copies: Sequence[Copy]) -> list[Copy]:
    """Those whose octets the mail server gives now. No message is the copy of two."""
    by_id = {copy.id: copy for copy in reversed(copies) if copy.id}
    read = await marks_of(mailbox, [Item(message, b"", copy.size, None, ()) for message, copy in by_id.items()])
    found = {message for message, copy in by_id.items() if (marks := read[message]) and marks.exact == copy.digest}
    return [copy for copy in copies if copy.id in found and by_id[copy.id] is copy]


async def are_distinct(
    source: Backend, folders: Collection[str], destination: Backend, target: str, batch: Sequence[Letter]
) -> bool:
    """Whether a message that is appended to the destination does not appear at the source, in none of the ``folders``
    from which messages are taken. At the end the destination is as it was. False if the destination takes none of the
    messages. Raises InvalidRequest if it is the same mailbox, or if that cannot be seen."""
    if Capability.MOVE not in destination.capabilities:  # it could not be removed again
        raise _not_verifiable()
    is_stored = False
    for letter in batch:
        if fault_of(letter) is not None:
            continue
        before = await _ids(source, folders)
        error, copy = await _stored(destination, target, letter)
        if copy is not None:
            await _require_unseen(source, folders, before, destination, letter, copy)
            return True
        if concerns_all(error):
            assert error is not None
            raise error
        is_stored = is_stored or error is None
    if is_stored:
        raise _not_verifiable()
    return False


def _not_verifiable() -> InvalidRequest:
    return InvalidRequest(NO_IDS, location="body.deleteSource")


async def _stored(destination: Backend, target: str, letter: Letter) -> tuple[MailError | None, str | None]:
    """Append the message, without its flags; returns the error, and the id of the new message in the folder. None if
    there is no new one: some servers keep one of equal messages."""
    before = set(await destination.list_ids(target))
    [appended] = await destination.append_many(target, [NewMessage(letter.source, (), letter.item.received_at)])
    if appended.error is not None:
        return appended.error, None
    new = [message for message in await destination.list_ids(target) if message not in before]
    if appended.id in new:
        return None, appended.id
    marks = await marks_of(destination, [Item(message, b"", letter.source.size, None, ()) for message in new])
    same = (message for message in reversed(new) if (each := marks[message]) and each.whole == letter.source.digest)
    return None, next(same, None)


async def _require_unseen(
    source: Backend,
    folders: Collection[str],
    before: set[str],
    destination: Backend,
    letter: Letter,
    copy: str,
) -> None:
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


async def delete(source: Backend, items: Sequence[Item]) -> dict[str, MailError]:
    """Delete the messages that are still as they were listed; returns the errors of those that are still there."""
    listed = {item.id: item for item in items}
    present = [each for piece in in_pieces(list(listed), MAX_ITEMS) for each in await source.get_items(piece)]
    changed = {each.id for each in present if (each.name, each.size) != (listed[each.id].name, listed[each.id].size)}
    outcomes = await source.delete_messages([message for message in listed if message not in changed])
    refused = {outcome.id: outcome.error for outcome in outcomes if outcome.error is not None}
    return dict.fromkeys(changed, Changed()) | refused


NOT_VERIFIED = (Reason.NOT_VERIFIED, "The copy could not be read back with the same octets. The message is kept.")
