"""A filter evaluated in one folder: by the server's SEARCH as far as it goes, by Casella on what it reads from there
for the rest.

The tree is taken apart: whatever the server can decide becomes one SEARCH, and its UIDs narrow what has to be read to
decide the rest.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from service.adapters.imap.messages.folder_messages import FolderMessages
from service.adapters.imap.search.keys import is_ascii, search_keys
from service.adapters.imap.search.reader import Reader
from service.adapters.imap.search.thread import threads_of
from service.adapters.imap.wire.arguments import Piece
from service.adapters.imap.wire.commands import Answer
from service.adapters.imap.wire.flags import to_wire
from service.adapters.imap.wire.pace import ascending, paced
from service.adapters.imap.wire.responses import found_uids
from service.adapters.imap.wire.status import error_from
from service.adapters.shared.threads import in_thread
from service.mail.errors import UpstreamError
from service.mail.model import EvaluatedBy
from service.mail.search.filter import Condition, Criterion, Filter, Logic, Operator
from service.mail.search.matching import Known, holds, needs, octets_of

SECONDS = 15.0
"""How long one search may read before what was not reached is left out and said so."""
NO_UNICODE = "SEARCH=UTF-8"
"""Disabled if the server cannot search beyond ASCII."""
_BATCH = 200
_THREADS: dict[Criterion, Callable[[list[bool]], bool]] = {
    Criterion.ALL_IN_THREAD: all,
    Criterion.SOME_IN_THREAD: any,
    Criterion.NONE_IN_THREAD: lambda found: not any(found),
}
FOLDERS = frozenset({Criterion.IN_FOLDER, Criterion.IN_FOLDER_OTHER_THAN})
_TEXTS = frozenset({
    Criterion.TEXT, Criterion.FROM, Criterion.TO, Criterion.CC, Criterion.BCC, Criterion.SUBJECT, Criterion.BODY,
    Criterion.HEADER,
})  # fmt: skip
_KEYWORDS = frozenset({Criterion.HAS_KEYWORD, Criterion.NOT_KEYWORD})
_DEAR = frozenset({Criterion.TEXT, Criterion.BODY, Criterion.HEADER})
_Found = Collection[int] | None
"""UIDs, or None: every message."""


@dataclass
class Evaluation:
    """One search of the selected folder. Conditions on folders have ids, no roles."""

    rows: FolderMessages
    seconds: float = SECONDS
    _by: set[EvaluatedBy] = field(default_factory=set)
    _undecided: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._deadline = asyncio.get_running_loop().time() + self.seconds

    @property
    def is_partial(self) -> bool:
        """Time ran out: what was found is right, and more may match."""
        return bool(self._undecided)

    @property
    def by(self) -> EvaluatedBy:
        """Who decided."""
        return EvaluatedBy.MIXED if len(self._by) > 1 else next(iter(self._by), EvaluatedBy.SERVER)

    def note(self, by: EvaluatedBy) -> None:
        """Somebody decided a part of it."""
        self._by.add(by)

    async def find(self, tree: Filter) -> set[int]:
        """The UIDs that match."""
        found = await self._find(tree, None)
        return found - self._undecided

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
        return await self._universe(within) - await self._find_any(tree.conditions, within)

    async def _find_all(self, conditions: Collection[Filter], within: _Found) -> set[int]:
        """The server's part first, then what is cheap to decide."""
        if any(self._is_elsewhere(one) for one in conditions):
            return set()
        there = [one for one in conditions if self.is_remote(one)]
        found = await self._search(Operator(Logic.AND, tuple(there)), within) if there else within
        for one in sorted((one for one in conditions if not self.is_remote(one)), key=_price):
            found = await self._find(one, found)
        return await self._universe(found)

    def _is_elsewhere(self, tree: Filter) -> bool:
        return isinstance(tree, Condition) and tree.criterion in FOLDERS and not lies_in(tree, self.rows.folder_id)

    async def _find_any(self, conditions: Collection[Filter], within: _Found) -> set[int]:
        there = [one for one in conditions if self.is_remote(one)]
        found = await self._search(Operator(Logic.OR, tuple(there)), within) if there else set()
        for one in conditions:
            if not self.is_remote(one):
                found |= await self._find(one, within)
        return found

    async def _find_condition(self, condition: Condition, within: _Found) -> set[int]:
        if self.is_remote(condition):
            return await self._search(condition, within)
        if condition.criterion in _KEYWORDS:
            return await self._universe(within) if condition.criterion is Criterion.NOT_KEYWORD else set()
        if condition.criterion in FOLDERS:
            return await self._universe(within) if lies_in(condition, self.rows.folder_id) else set()
        self.note(EvaluatedBy.LOCAL)
        if condition.criterion in _THREADS:
            return await self._find_threads(condition, within)
        superset = _superset(condition)
        candidates = await self._search(superset, within) if superset else await self._universe(within)
        return await self._decide(condition, candidates)

    async def _decide(self, condition: Condition, candidates: Collection[int]) -> set[int]:
        """Read the newest first, as long as there is time."""
        reader = Reader(self.rows, needs(condition))
        newest = (await ascending(candidates))[::-1]
        found: set[int] = set()
        for at in range(0, len(newest), _BATCH):
            if asyncio.get_running_loop().time() > self._deadline:
                self._undecided.update(newest[at:])
                break
            known = await reader.read(newest[at : at + _BATCH])
            found |= await in_thread(partial(_matching, condition, known), sum(map(octets_of, known.values())))
        return found

    async def _find_threads(self, condition: Condition, within: _Found) -> set[int]:
        keyword = Condition(Criterion.HAS_KEYWORD, condition.value)
        having = await self._search(keyword, None)
        decide = _THREADS[condition.criterion]
        found: set[int] = set()
        async for thread in paced(await threads_of(self.rows)):
            if decide([uid in having for uid in thread]):
                found |= thread
        return found & await self._universe(within)

    def is_remote(self, tree: Filter) -> bool:
        """Whether the server alone decides it."""
        if isinstance(tree, Operator):
            return bool(tree.conditions) and all(self.is_remote(one) for one in tree.conditions)
        value = tree.value
        if tree.criterion in _KEYWORDS:  # GNU mailutils aborts where it is asked for a keyword that it does not keep
            return not self.rows.connection.is_legacy or self.rows.selection.may_have(to_wire(str(value)))
        if tree.criterion in _THREADS or tree.criterion in FOLDERS or tree.criterion is Criterion.HAS_ATTACHMENT:
            return False
        if tree.criterion in _TEXTS:
            return self._searches(is_ascii(search_keys(tree)))
        return not isinstance(value, datetime)

    def _searches(self, is_plain: bool) -> bool:
        connection = self.rows.connection
        return is_plain or not connection.is_disabled(NO_UNICODE)

    async def _universe(self, within: _Found) -> set[int]:
        return set(within) if within is not None else await self._uids_of(await self._run([b"ALL"]))

    async def _search(self, tree: Filter, within: _Found) -> set[int]:
        """One SEARCH. Where the server cannot search beyond ASCII, that is decided here from then on."""
        keys = search_keys(tree)
        answer = await self._run(keys)
        if answer.status.kind != "OK":
            if is_ascii(keys) or answer.status.code not in {"BADCHARSET", ""}:
                raise error_from(answer.status)
            self.rows.connection.disable(NO_UNICODE)
            return await self._find(tree, within)
        self.note(EvaluatedBy.SERVER)
        found = await self._uids_of(answer)
        return found if within is None else found & set(within)

    async def _uids_of(self, answer: Answer) -> set[int]:
        if answer.status.kind != "OK":
            raise error_from(answer.status)
        return set(await found_uids(answer.untagged, self.rows.selection.exists))

    async def _run(self, keys: list[Piece]) -> Answer:
        """Plain SEARCH where the server does not understand the form that it offers (RFC 4731)."""
        connection = self.rows.connection
        charset: list[Piece] = [] if is_ascii(keys) else [b"CHARSET", b"UTF-8"]
        if "ESEARCH" in connection.capabilities:
            [answer] = await connection.attempt([b"UID", b"SEARCH", b"RETURN", b"(ALL)", *charset, *keys])
            if answer.status.kind != "BAD":
                return answer
            connection.disable("ESEARCH")
        [answer] = await connection.attempt([b"UID", b"SEARCH", *charset, *keys])
        if answer.status.kind == "BAD" and not charset:
            raise UpstreamError("The mail server cannot read this search.", protocol="imap", code="BAD")
        return answer


def _matching(condition: Condition, known: Mapping[int, Known]) -> set[int]:
    return {uid for uid, message in known.items() if holds(condition, message)}


def lies_in(condition: Condition, folder_id: str) -> bool:
    """Whether a condition on folders holds for this one."""
    wanted = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    return (folder_id in wanted) is (condition.criterion is Criterion.IN_FOLDER)


def _superset(condition: Condition) -> Filter | None:
    """What a server can say of a moment: days, in a zone of its own."""
    if isinstance(condition.value, datetime):
        day = condition.value.date()
        if condition.criterion is Criterion.SINCE:
            return Condition(Criterion.SINCE, day - timedelta(days=2))
        return Condition(Criterion.BEFORE, day + timedelta(days=2))
    return None


def _price(tree: Filter) -> bool:
    """Whole texts are read last, when the least is left."""
    return isinstance(tree, Operator) or tree.criterion in _DEAR
