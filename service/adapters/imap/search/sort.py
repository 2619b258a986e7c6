"""The order of a list: by the server's SORT (RFC 5256), else here by rows that are read once."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from service.adapters.imap.messages.cache import CachedMessage
from service.adapters.imap.messages.folder_messages import FolderMessages
from service.adapters.imap.search.evaluation import Evaluation
from service.adapters.imap.search.keys import search_keys
from service.adapters.imap.session.fetch import find_all
from service.adapters.imap.session.known_faults import SORT_ORDER
from service.adapters.imap.wire.pace import ascending
from service.adapters.imap.wire.responses import sorted_uids
from service.adapters.shared.threads import in_thread
from service.mail.errors import NotSupported
from service.mail.model import EvaluatedBy, MessageSummary
from service.mail.search.filter import Filter, Order, SortKey
from service.mail.search.matching import sort_value

MAX_SORTED = 10_000
"""Messages that are sorted here, whose rows have to be read for it."""
_KEYS = {
    SortKey.RECEIVED_AT: b"ARRIVAL",
    SortKey.SENT_AT: b"DATE",
    SortKey.FROM: b"FROM",
    SortKey.TO: b"TO",
    SortKey.SUBJECT: b"SUBJECT",
    SortKey.SIZE: b"SIZE",
}


async def in_order(evaluation: Evaluation, tree: Filter | None, sort: Sequence[Order]) -> list[int]:
    """The UIDs that match, sorted; messages with equal keys in the order of arrival. Raises NotSupported if the server
    does not sort and the list is too long to be sorted here."""
    messages = evaluation.messages
    if not _sorts(messages):
        return await _sorted_here(evaluation, tree, sort)
    is_remote = tree is None or evaluation.is_remote(tree)
    keys = search_keys(tree) if tree is not None and is_remote else [b"ALL"]
    [answer] = await messages.connection.attempt([b"UID", b"SORT", _criteria(sort), b"UTF-8", *keys])
    if answer.status.kind != "OK":
        messages.connection.disable("SORT")
        return await _sorted_here(evaluation, tree, sort)
    evaluation.note(EvaluatedBy.SERVER)
    order = await sorted_uids(answer.untagged, messages.selection.exists)
    matching = await evaluation.find(tree) if tree is not None and not is_remote else None
    return order if matching is None else [uid for uid in order if uid in matching]


def _sorts(messages: FolderMessages) -> bool:
    """Whether the server sorts. One whose order is not exact does so only if the folder is too large to be sorted
    here."""
    connection = messages.connection
    is_exact = not connection.is_disabled(SORT_ORDER) or messages.selection.exists > MAX_SORTED
    return is_exact and "SORT" in connection.capabilities


def _criteria(sort: Sequence[Order]) -> bytes:
    words = (b"REVERSE " + _KEYS[order.key] if order.is_descending else _KEYS[order.key] for order in sort)
    return b"(" + b" ".join(words) + b")"


async def _sorted_here(evaluation: Evaluation, tree: Filter | None, sort: Sequence[Order]) -> list[int]:
    messages = evaluation.messages
    uids = await ascending(await evaluation.find(tree)) if tree is not None else await find_all(messages.selection)
    evaluation.note(EvaluatedBy.LOCAL)
    return await sort_here(messages, uids, sort)


async def sort_here(messages: FolderMessages, uids: Collection[int], sort: Sequence[Order]) -> list[int]:
    """Sorts by the rows of the messages, the least significant key first, because sorting is stable."""
    if len(uids) > MAX_SORTED:
        raise NotSupported(
            "sort",
            f"This server does not sort, and Casella sorts {MAX_SORTED} messages at most; these are {len(uids)}."
            " Narrow the list by a criterion.",
        )
    keys = await sort_keys(await messages.get(sorted(uids)), sort)
    order = sorted(keys)
    for at, order_by in reversed(list(enumerate(sort))):
        order.sort(key=lambda uid: keys[uid][at], reverse=order_by.is_descending)
    return order


async def sort_keys(cached: Mapping[int, CachedMessage], sort: Sequence[Order]) -> dict[int, list[tuple[int, str]]]:
    """The sort keys of each message."""

    def keys() -> dict[int, list[tuple[int, str]]]:
        return {uid: [sort_value(order.key, summary) for order in sort] for uid, summary in _summaries(cached)}

    return await in_thread(keys, sum(message.cost for message in cached.values()))


def _summaries(cached: Mapping[int, CachedMessage]) -> Iterator[tuple[int, MessageSummary]]:
    return ((uid, message.summary) for uid, message in cached.items())
