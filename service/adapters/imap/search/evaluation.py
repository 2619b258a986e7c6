"""Evaluates a filter in one folder: by the server's SEARCH as far as possible, by Casella for the rest.

The tree is split: all that the server can decide becomes one SEARCH, and its UIDs narrow what has to be read to decide
the rest.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial

from service.adapters.imap.messages.cache import CachedMessage
from service.adapters.imap.messages.folder_messages import FolderMessages
from service.adapters.imap.messages.items import GMAIL
from service.adapters.imap.search.errors_of_servers import errs, finds_too_few, may_be_missed, size_superset
from service.adapters.imap.search.flag_news import FlagNews
from service.adapters.imap.search.gmail import RAW
from service.adapters.imap.search.keys import is_ascii, search_keys
from service.adapters.imap.search.reader import Reader
from service.adapters.imap.search.thread import threads_of
from service.adapters.imap.session.connection import Arguments
from service.adapters.imap.wire.arguments import Piece
from service.adapters.imap.wire.commands import Answer
from service.adapters.imap.wire.pace import ascending, paced
from service.adapters.imap.wire.responses import found_uids
from service.adapters.imap.wire.status import Status, error_from
from service.adapters.imap.wire.values.flags import to_wire
from service.adapters.shared.threads import in_thread
from service.mail.errors import InvalidRequest, UpstreamError
from service.mail.model import EvaluatedBy
from service.mail.search.filter import Condition, Criterion, Filter, Logic, Operator, conditions
from service.mail.search.matching import KnownMessage, holds, needs, octets_of

_DAYS = timedelta(days=2)
SECONDS = 15.0
"""How long one search may read. After that the rest is left out, and the result says that it is partial."""
NO_UNICODE = "SEARCH=UTF-8"
"""Disabled if the server cannot search beyond ASCII."""
UNLISTED = "KEYWORD"
"""Disabled if the server refuses to search for keywords that it does not list."""
_BATCH = 200
_THREADS: dict[Criterion, Callable[[list[bool]], bool]] = {
    Criterion.ALL_IN_THREAD: all,
    Criterion.SOME_IN_THREAD: any,
    Criterion.NONE_IN_THREAD: lambda having: not any(having),
}
FOLDERS = frozenset({Criterion.IN_FOLDER, Criterion.IN_FOLDER_OTHER_THAN})
_TEXTS = frozenset({
    Criterion.TEXT, Criterion.FROM, Criterion.TO, Criterion.CC, Criterion.BCC, Criterion.SUBJECT, Criterion.BODY,
    Criterion.HEADER,
})  # fmt: skip
_KEYWORDS = frozenset({Criterion.HAS_KEYWORD, Criterion.NOT_KEYWORD})
_WITH_ATTACHMENT = Condition(Criterion.HAS_ATTACHMENT, value=True)
_WITHOUT_ATTACHMENT = Condition(Criterion.HAS_ATTACHMENT, value=False)
_DEAR = frozenset({Criterion.TEXT, Criterion.BODY, Criterion.HEADER})
_Found = Collection[int] | None
"""UIDs, or None: every message."""


@dataclass
class Evaluation:
    """One search of the selected folder. Conditions on folders name ids, not roles."""

    messages: FolderMessages
    seconds: float = SECONDS
    flag_news: FlagNews | None = None
    """Asked for in the round trip of the first search."""
    _by: set[EvaluatedBy] = field(default_factory=set)
    _decided_from: int = 0
    """The lowest UID that was decided, if time ran out: messages are read newest first."""

    def __post_init__(self) -> None:
        self._deadline = asyncio.get_running_loop().time() + self.seconds

    @property
    def is_partial(self) -> bool:
        """Whether time ran out: what was found matches, and more may match."""
        return self._decided_from > 0

    @property
    def by(self) -> EvaluatedBy:
        """Whether the server, Casella or both decided."""
        return EvaluatedBy.MIXED if len(self._by) > 1 else next(iter(self._by), EvaluatedBy.SERVER)

    def note(self, by: EvaluatedBy) -> None:
        """Record that ``by`` decided a part of the filter."""
        self._by.add(by)

    async def find(self, tree: Filter) -> set[int]:
        """The UIDs that match."""
        found = await self._find(tree, None)
        return {uid for uid in found if uid >= self._decided_from} if self.is_partial else found

    async def _find(self, tree: Filter, within: _Found) -> set[int]:
        if within is not None and not within:
            return set()
        if isinstance(tree, Condition):
            return await self._find_condition(tree, within)
        match tree.logic:
            case Logic.AND:
                return await self._find_all(tree.conditions, within)
            case Logic.OR:
                return await self._find_any(tree.conditions, within)
        if self._has_raw and self.is_remote(tree):  # GNU mailutils, for one, cannot be relied on for NOT
            return await self._search(tree, within)
        return await self._universe(within) - await self._find_any(tree.conditions, within)

    async def _find_all(self, conditions: Collection[Filter], within: _Found) -> set[int]:
        """Asks the server first, then decides the cheap conditions, then the others."""
        if any(self._is_elsewhere(condition) for condition in conditions):
            return set()
        remote = [condition for condition in conditions if self.is_remote(condition)]
        local = sorted((each for each in conditions if not self.is_remote(each)), key=_price)
        supersets = [superset for condition in local if (superset := self._superset(condition))]
        asked = (*remote, *supersets)
        found = await self._search(Operator(Logic.AND, asked), within) if asked else within
        for condition in local:
            if found and isinstance(condition, Condition) and self._superset(condition):
                found = await self._decide(condition, found)
            else:
                found = await self._find(condition, found)
        return await self._universe(found)

    def _is_elsewhere(self, tree: Filter) -> bool:
        return isinstance(tree, Condition) and tree.criterion in FOLDERS and not lies_in(tree, self.messages.folder_id)

    async def _find_any(self, conditions: Collection[Filter], within: _Found) -> set[int]:
        remote = [condition for condition in conditions if self.is_remote(condition)]
        found = await self._search(Operator(Logic.OR, tuple(remote)), within) if remote else set()
        for condition in conditions:
            if not self.is_remote(condition):
                found |= await self._find(condition, within)
        return found

    async def _find_condition(self, condition: Condition, within: _Found) -> set[int]:
        if self.is_remote(condition):
            return await self._search(condition, within)
        if condition.criterion in _KEYWORDS:
            return await self._universe(within) if condition.criterion is Criterion.NOT_KEYWORD else set()
        if condition.criterion in FOLDERS:
            return await self._universe(within) if lies_in(condition, self.messages.folder_id) else set()
        if condition.criterion in _THREADS:
            self.note(EvaluatedBy.LOCAL)
            return await self._find_threads(condition, within)
        if condition == _WITHOUT_ATTACHMENT and self._has_raw:
            return await self._universe(within) - await self._find(_WITH_ATTACHMENT, within)
        if finds_too_few(self.messages.connection, condition, NO_UNICODE):
            found = await self._search(condition, within)
            return found | await self._decide(condition, await self._universe(within) - found, may_be_missed)
        superset = self._superset(condition)
        candidates = await self._search(superset, within) if superset else await self._universe(within)
        return await self._decide(condition, candidates)

    async def _decide(
        self, condition: Condition, candidates: Collection[int], is_worth: Callable[[CachedMessage], bool] | None = None
    ) -> set[int]:
        """Reads the messages, or those of them that are worth it by their rows, and decides, newest first, as long as
        there is time."""
        self.note(EvaluatedBy.LOCAL)
        reader = Reader(self.messages, needs(condition))
        newest = (await ascending(candidates))[::-1]
        found: set[int] = set()
        for at in range(0, len(newest), _BATCH):
            if asyncio.get_running_loop().time() > self._deadline:
                self._decided_from = max(self._decided_from, newest[at] + 1)
                break
            batch = newest[at : at + _BATCH]
            if is_worth is not None:
                rows = await self.messages.get(batch)
                batch = [uid for uid in batch if uid in rows and is_worth(rows[uid])]
            known = await reader.read(batch)
            found |= await in_thread(partial(_matching, condition, known), sum(map(octets_of, known.values())))
        return found

    async def _find_threads(self, condition: Condition, within: _Found) -> set[int]:
        keyword = Condition(Criterion.HAS_KEYWORD, condition.value)
        having = await self._find(keyword, None)
        decide = _THREADS[condition.criterion]
        found: set[int] = set()
        async for thread in paced(await threads_of(self.messages)):
            if decide([uid in having for uid in thread]):
                found |= thread
        return found & await self._universe(within)

    def is_remote(self, tree: Filter) -> bool:
        """Whether the server alone decides it."""
        if isinstance(tree, Operator):
            return bool(tree.conditions) and all(self.is_remote(condition) for condition in tree.conditions)
        value = tree.value
        if tree.criterion in _KEYWORDS:
            return not self._refuses_unlisted or self._is_listed(tree)
        if tree.criterion in _THREADS or tree.criterion in FOLDERS or tree.criterion is Criterion.HAS_ATTACHMENT:
            return False
        if errs(self.messages.connection, tree):
            return False
        if tree.criterion in _TEXTS:
            return self._searches(is_ascii(search_keys(tree)))
        return not isinstance(value, datetime)

    @property
    def _refuses_unlisted(self) -> bool:
        """GNU mailutils aborts if asked for a keyword that it does not keep, Exchange calls it a wrong argument."""
        connection = self.messages.connection
        return connection.is_legacy or connection.is_disabled(UNLISTED)

    def _is_listed(self, condition: Condition) -> bool:
        return self.messages.selection.may_have(to_wire(str(condition.value)))

    def _searches(self, is_plain: bool) -> bool:
        connection = self.messages.connection
        return is_plain or not connection.is_disabled(NO_UNICODE)

    @property
    def _has_raw(self) -> bool:
        connection = self.messages.connection
        return connection.has(GMAIL) and not connection.is_disabled(RAW)

    def _superset(self, tree: Filter) -> Filter | None:
        """A condition that the server can decide and that holds for every match. SEARCH knows days only, in the
        server's own time zone."""
        if not isinstance(tree, Condition):
            return None
        if isinstance(tree.value, datetime):
            day = min(max(tree.value.date(), date.min + _DAYS), date.max - _DAYS)
            if tree.criterion is Criterion.SINCE:
                return Condition(Criterion.SINCE, day - _DAYS)
            return Condition(Criterion.BEFORE, day + _DAYS)
        if errs(self.messages.connection, tree):
            return size_superset(tree)
        return tree if tree == _WITH_ATTACHMENT and self._has_raw else None

    async def _universe(self, within: _Found) -> set[int]:
        return set(within) if within is not None else await self._uids_of(await self._run([b"ALL"]))

    async def _search(self, tree: Filter, within: _Found) -> set[int]:
        """One SEARCH. What the server cannot search for is asked in another way, or decided here, from then on."""
        keys = search_keys(tree, with_raw=self._has_raw)
        answer = await self._run(keys)
        if answer.status.kind != "OK":
            self.messages.connection.disable(self._refused(tree, keys, answer.status))
            return await self._find(tree, within)
        self.note(EvaluatedBy.SERVER)
        found = await self._uids_of(answer)
        return found if within is None else found & set(within)

    def _refused(self, tree: Filter, keys: list[Piece], status: Status) -> str:
        """What of a search the server probably refuses: Exchange says BADCHARSET or names no reason, Yahoo calls the
        arguments invalid. Raises the error of a refusal that is not about the search."""
        error = error_from(status)
        if isinstance(error, UpstreamError | InvalidRequest):
            if RAW.encode() in keys:
                return RAW
            if not self._refuses_unlisted and status.kind == "BAD" and not self._has_listed_keywords(tree):
                return UNLISTED
            if not is_ascii(keys):
                return NO_UNICODE
        if status.kind == "BAD" and type(error) is UpstreamError:
            raise UpstreamError("The mail server cannot read this search.", protocol="imap", code="BAD")
        raise error

    def _has_listed_keywords(self, tree: Filter) -> bool:
        return all(self._is_listed(each) for each in conditions(tree) if each.criterion in _KEYWORDS)

    async def _uids_of(self, answer: Answer) -> set[int]:
        if answer.status.kind != "OK":
            raise error_from(answer.status)
        return set(await found_uids(answer.untagged, self.messages.selection.exists))

    async def _run(self, keys: list[Piece]) -> Answer:
        """Extended SEARCH (RFC 4731), or plain SEARCH if the server refuses the form that it announces."""
        connection = self.messages.connection
        charset: list[Piece] = [] if is_ascii(keys) else [b"CHARSET", b"UTF-8"]
        if "ESEARCH" in connection.capabilities:
            answer = await self._ask([b"UID", b"SEARCH", b"RETURN", b"(ALL)", *charset, *keys])
            if answer.status.kind != "BAD":
                return answer
        plain = await self._ask([b"UID", b"SEARCH", *charset, *keys])
        if plain.status.kind != "BAD":  # else the search is refused, not its form
            connection.disable("ESEARCH")
        return plain

    async def _ask(self, search: Arguments) -> Answer:
        news, self.flag_news = self.flag_news, None
        if news is None or not news.command:
            return (await self.messages.selection.ask(search))[-1]
        of_flags, answer = await self.messages.selection.ask(search, news.command)
        await news.read(of_flags)
        return answer


def _matching(condition: Condition, known: Mapping[int, KnownMessage]) -> set[int]:
    return {uid for uid, message in known.items() if holds(condition, message)}


def lies_in(condition: Condition, folder_id: str) -> bool:
    """Whether a condition on folders holds for this one."""
    folders = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    return (folder_id in folders) is (condition.criterion is Criterion.IN_FOLDER)


def _price(tree: Filter) -> bool:
    """True for conditions that need whole texts: they are decided last, when the fewest messages are left."""
    return isinstance(tree, Operator) or tree.criterion in _DEAR
