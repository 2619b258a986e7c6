"""What the source has that it did not have before.

A server that reports changes is asked for them. Otherwise (POP3) the list of messages is compared with the last one: by
unique-ids, and if a message has a new one, by its fingerprint: a digest of Message-ID and size. So a server that gives
all messages new ids has no new mail. The newest messages are compared by their fingerprints in any case: a server that
gives an id for the second time, or numbers its messages, has new mail under ids that are known.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b

from service.fetches.content import KEY, MAX_SEEN, Mark, Written
from service.fetches.model import Plan
from service.mail.backend import MAX_ITEMS, Backend
from service.mail.errors import NotFound, StaleToken
from service.mail.inventory import NEWEST, UNNAMED, Item
from service.mail.model import Capability, Folder, Protocol
from service.transfer.reading import in_pieces

LEFT_OUT = frozenset({"drafts", "trash", "junk"})
"""Unless they are named: what is moved there is not new, and each draft is stored many times."""
LEARNT = 200
"""Messages whose fingerprints a run reads, besides those of new ones."""
KEPT = 10_000
"""Messages that are remembered of a source that reports its changes: those moved later are not new."""
SLACK = timedelta(days=1)
"""How far the clocks of mail servers may be apart."""
UNKNOWN, NAMELESS = bytes(KEY), b"\xff" * KEY


@dataclass
class News:
    """What to copy, by folder, and the mark for afterwards."""

    mark: Mark
    found: dict[str, list[str]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    """The names of the folders, by id."""


@dataclass
class _Listed:
    """What may be new, by folder, and the fingerprints of the messages that are gone."""

    candidates: Mapping[str, Sequence[str]]
    gone: Counter[bytes]
    present: Mapping[str, bytes] | None = None
    """All messages with the digests of their ids, if the source cannot tell what is new."""
    token: bytes | None = None
    is_renumbered: bool = False
    """Whether the source lists none of the messages that it listed before."""


async def first_mark(source: Backend, plan: Plan) -> Mark:
    """Of a new fetch: what is there now is not new, unless the plan says since when mail is wanted."""
    mark = Mark()
    if plan.since is None:
        if _reports(source):
            mark.token = await source.get_sync_token(None)
        else:
            folders = await _wanted(source, plan)
            mark.seen = dict.fromkeys((await _digests(await _all(source, folders))).values(), UNKNOWN)
    return mark


async def look(source: Backend, written: Written, mark: Mark) -> News:
    """What to copy. ``mark`` stays as it is: the run may fail."""
    folders = await _wanted(source, written.plan)
    listed = await (_by_changes if _reports(source) else _by_ids)(source, folders, mark)
    news = News(mark, names={folder.id: "/".join(folder.path) for folder in folders})
    since = written.plan.since
    if since is None and (_reports(source) or listed.is_renumbered):
        since = written.created_at - SLACK
    seen: dict[bytes, bytes] = {}
    for folder, messages in _with_owed(listed.candidates, mark, news.names).items():
        for item in await _items(source, messages):
            fingerprint = seen[digest_of(item.id)] = _fingerprint(item)
            if item.id in mark.owed or _is_wanted(item, since, fingerprint, listed.gone):
                news.found.setdefault(folder, []).append(item.id)
    news.mark = Mark(mark.record, listed.token, is_distinct=mark.is_distinct)
    if listed.present is None:
        news.mark.seen = dict([*mark.seen.items(), *seen.items()][-KEPT:])
    else:
        news.mark.seen = await asyncio.to_thread(_merged, listed.present, mark.seen, seen)
        await _learn(source, listed.present, news.mark.seen)
    return news


def _merged(
    present: Mapping[str, bytes], before: Mapping[bytes, bytes], new: Mapping[bytes, bytes]
) -> dict[bytes, bytes]:
    """Without messages that the source no longer lists."""
    return {key: new.get(key) or before.get(key, UNKNOWN) for key in present.values()}


def digest_of(message: str) -> bytes:
    """A short name for a message's id."""
    return blake2b(message.encode(errors="surrogatepass"), digest_size=KEY).digest()


def _fingerprint(item: Item) -> bytes:
    """The fingerprint of a message, which stays the same under any id."""
    if item.name == UNNAMED or item.size is None:
        return NAMELESS
    return blake2b(item.name + item.size.to_bytes(8, "big"), digest_size=KEY).digest()


def _is_wanted(item: Item, since: datetime | None, fingerprint: bytes, gone: Counter[bytes]) -> bool:
    """Not if it was received before, or is one that was handled under another id."""
    if since is not None and item.received_at is not None and item.received_at < since:
        return False
    if gone[fingerprint] > 0:
        gone[fingerprint] -= 1
        return False
    return True


async def _by_ids(source: Backend, folders: Sequence[Folder], mark: Mark) -> _Listed:
    by_folder = {folder.id: await _digests((await source.list_ids(folder.id))[-MAX_SEEN:]) for folder in folders}
    present = {message: digest for digests in by_folder.values() for message, digest in digests.items()}
    listed = set(present.values())
    reused = await _reused(source, present, mark)
    candidates = {
        folder: [message for message, digest in digests.items() if digest not in mark.seen or digest in reused]
        for folder, digests in by_folder.items()
    }
    is_renumbered = bool(mark.seen) and mark.seen.keys().isdisjoint(listed)
    gone = _gone(mark, (mark.seen.keys() - listed) | reused)
    return _Listed(candidates, gone, present, is_renumbered=is_renumbered)


async def _reused(source: Backend, present: Mapping[str, bytes], mark: Mark) -> set[bytes]:
    """Of the newest messages, the ids that named others before."""
    newest = list(present.items())[-NEWEST:]
    known = [message for message, digest in newest if mark.seen.get(digest, UNKNOWN) not in {UNKNOWN, NAMELESS}]
    items = await _items(source, known)
    return {present[item.id] for item in items if _fingerprint(item) not in {mark.seen[present[item.id]], NAMELESS}}


async def _by_changes(source: Backend, folders: Sequence[Folder], mark: Mark) -> _Listed:
    """Of a folder whose changes are not known, all messages may be new."""
    wanted = {folder.id for folder in folders}
    candidates: dict[str, list[str]] = {}
    unknown, destroyed, token = set[str](), set[bytes](), mark.token
    has_more = token is not None
    try:
        while has_more and token is not None:
            changes = await source.list_all_changes(token)
            token, has_more = changes.token, changes.has_more
            unknown.update(changes.created_folders)
            for folder in changes.folders:
                candidates.setdefault(folder.folder_id, []).extend(folder.created)
                destroyed.update(map(digest_of, folder.destroyed))
                unknown |= {folder.folder_id} if folder.resync else set()
    except StaleToken:
        token = None
    if token is None:
        token, unknown = await source.get_sync_token(None), set(wanted)
    for folder_id in unknown & wanted:
        candidates[folder_id] = list(await source.list_ids(folder_id))
    digests = {folder: await _digests(messages) for folder, messages in candidates.items() if folder in wanted}
    found = {folder: _unseen(each, mark) for folder, each in digests.items()}
    if unknown:
        destroyed = mark.seen.keys() - {digest for each in digests.values() for digest in each.values()}
    return _Listed(found, _gone(mark, mark.seen.keys() & destroyed), None, token)


async def _digests(messages: Iterable[str]) -> dict[str, bytes]:
    return await asyncio.to_thread(lambda: {message: digest_of(message) for message in messages})


def _unseen(digests: Mapping[str, bytes], mark: Mark) -> list[str]:
    return [message for message, digest in digests.items() if digest not in mark.seen]


def _gone(mark: Mark, keys: Iterable[bytes]) -> Counter[bytes]:
    return Counter(value for key in keys if (value := mark.seen[key]) not in {UNKNOWN, NAMELESS})


def _with_owed(
    candidates: Mapping[str, Sequence[str]], mark: Mark, folders: Collection[str]
) -> dict[str, dict[str, None]]:
    found = {folder: dict.fromkeys(messages) for folder, messages in candidates.items()}
    for message, (folder, _) in mark.owed.items():
        if folder in folders:
            found.setdefault(folder, {})[message] = None
    return found


async def _items(source: Backend, messages: Iterable[str]) -> list[Item]:
    return [item for piece in in_pieces(list(messages), MAX_ITEMS) for item in await source.get_items(piece)]


async def _learn(source: Backend, present: Mapping[str, bytes], seen: dict[bytes, bytes]) -> None:
    """Read the fingerprints of a few more old messages: they are recognized if their ids change."""
    unknown = [message for message, digest in present.items() if seen[digest] == UNKNOWN][-LEARNT:]
    seen.update({digest_of(item.id): _fingerprint(item) for item in await _items(source, unknown)})


async def _all(source: Backend, folders: Sequence[Folder]) -> list[str]:
    return [message for folder in folders for message in await source.list_ids(folder.id)][-MAX_SEEN:]


async def _wanted(source: Backend, plan: Plan) -> list[Folder]:
    """Those of the plan that exist. Raises NotFound if none does."""
    listed = [folder for folder in await source.list_folders() if folder.is_selectable]
    if plan.folders is None:
        return [folder for folder in listed if folder.namespace is None and folder.role not in LEFT_OUT]
    found = [folder for folder in listed if {folder.id, folder.role} & set(plan.folders)]
    if not found:
        raise NotFound("folder", "There is none of the folders to fetch.")
    return found


def _reports(source: Backend) -> bool:
    return source.protocol is not Protocol.POP3 and Capability.CHANGES in source.capabilities
