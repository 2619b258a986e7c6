"""The people of a mailbox, for completing addresses: those that it has sent mail to or received mail from.

Known are those of the newest messages of Sent and of the inbox. What is typed is looked for among them, and, if that
does not fill a list, by one search in each of the two folders, whose finds are known from then on. All of it lies in
memory, in bounds, and is made again after a while.
"""

import asyncio
import unicodedata
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cachetools import LRUCache, TTLCache

from service.mail.backend import Backend
from service.mail.errors import MailError, NotFound
from service.mail.exchange import Correspondence
from service.mail.model import Capability
from service.mail.search.filter import Condition, Criterion, Filter, ListQuery, Logic, Operator

NEWEST = 150
"""Messages of each folder whose people are known without a search."""
FOUND = 50
"""Messages of a search whose people are taken in."""
FRESH_SECONDS = 20.0
"""How long nothing new is looked for, so that no key that is typed costs a round trip."""
KEPT_SECONDS = 600.0
MAX_MESSAGES = 3000
MAX_PEOPLE = 6000
MAX_WORDS = 5
_MAX_ACCOUNTS = 1000
_MAX_KEPT = 60_000
"""Of messages and people of all accounts: about 30 MB."""
_MAX_OF_ONE = 100
"""Recipients of one message that count. Longer lists do not name acquaintances."""
_MAX_ADDRESS, _MAX_NAME = 320, 200
"""Characters. A longer name is cut, and a longer address is none."""
_HALF_LIFE = 90 * 86400.0
"""Seconds after which a message counts half."""
_SENT_WEIGHT = 5.0
_MIN_SEARCHED = 2
"""Characters that are worth a search."""
_MAX_SEARCHES = 200
_PACE = 200
"""Messages and people that are counted in a few milliseconds."""
_TO = (Criterion.TO, Criterion.CC)
_FROM = (Criterion.FROM,)


@dataclass(frozen=True, slots=True)
class Person:
    """A person with this address. ``count`` of the messages that were looked at are from or to them."""

    email: str
    name: str | None
    count: int
    last_at: datetime | None


class _Known:
    """A person, as found so far. The name is that of the newest message that has one."""

    __slots__ = ("at", "count", "email", "name", "named_at", "score", "words")

    def __init__(self, email: str) -> None:
        self.email = email
        self._call("")
        self.count, self.score = 0, 0.0
        self.at = self.named_at = 0.0

    def note(self, name: str | None, at: float, weight: float) -> None:
        """One more message."""
        self.count += 1
        self.score += weight
        self.at = max(self.at, at)
        if name and at >= self.named_at:
            self.named_at = at
            if name != self.name:
                self._call(name)

    def _call(self, name: str) -> None:
        """Keep the name, and the words that are looked at."""
        email = fold(self.email)
        self.name, self.words = name, f" {fold(name)} {email.translate(_BREAKS)} {email}"

    def rank(self, words: Sequence[str]) -> tuple[int, float, float] | None:
        """Higher is better; None if one of the words is nowhere in name and address. Words that begin like these come
        before words that have them within."""
        if not all(word in self.words for word in words):
            return None
        return sum(f" {word}" in self.words for word in words), self.score, self.at

    @property
    def person(self) -> Person:
        last_at = datetime.fromtimestamp(self.at, UTC) if self.at else None
        return Person(self.email, self.name or None, self.count, last_at)


_BREAKS = str.maketrans("@._-+", "     ")


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """The text without letter case and accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in apart if not unicodedata.combining(char))


class _Account:
    """The people of one mailbox."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.fresh_until = 0.0
        self._messages: dict[str, None] = {}
        self._people: dict[str, _Known] = {}
        self._searched: dict[str, None] = {}

    @property
    def cost(self) -> int:
        """Of messages and people."""
        return 50 + len(self._messages) + len(self._people)

    async def note(self, messages: Iterable[Correspondence], weight: float) -> None:
        """Count the people of messages that were not counted before."""
        now, counted = datetime.now(UTC).timestamp(), 0
        for message in messages:
            if message.id in self._messages or len(self._messages) >= MAX_MESSAGES:
                continue
            self._messages[message.id] = None
            self._count(message, weight, now)
            counted += 1 + len(message.people)
            if counted > _PACE:
                counted = 0
                await asyncio.sleep(0)

    def _count(self, message: Correspondence, weight: float, now: float) -> None:
        at = message.at.timestamp() if message.at else 0.0
        weight *= 0.5 ** (max(0.0, now - at) / _HALF_LIFE)
        for address in {each.email.lower(): each for each in message.people[:_MAX_OF_ONE]}.values():
            key = address.email.lower()
            known = self._people.get(key)
            if known is None:
                if "@" not in key or len(key) > _MAX_ADDRESS or len(self._people) >= MAX_PEOPLE:
                    continue
                known = self._people[key] = _Known(address.email)
            name = None if address.name == address.email else address.name
            known.note(name[:_MAX_NAME] if name else None, at, weight)

    def best(self, words: Sequence[str], limit: int, without: frozenset[str]) -> list[Person]:
        """Those who have all the words, best first."""
        ranked = [
            (rank, known)
            for key, known in self._people.items()
            if key not in without and (rank := known.rank(words)) is not None
        ]
        ranked.sort(key=lambda each: each[0], reverse=True)
        return [known.person for _, known in ranked[:limit]]

    def knows_all(self, words: Sequence[str]) -> bool:
        """Whether an earlier search found all messages that a search for these words would find. Accents count, because
        mail servers distinguish them."""
        text = " ".join(words).casefold()
        return any(text.startswith(searched) for searched in self._searched)

    def note_search(self, words: Sequence[str]) -> None:
        """A search for these words found no message that is not counted."""
        if len(self._searched) >= _MAX_SEARCHES:
            self._searched.clear()
        self._searched[" ".join(words).casefold()] = None


class People:
    """The people of the accounts that asked for them lately."""

    def __init__(self) -> None:
        self._fresh: TTLCache[str, _Account] = TTLCache(_MAX_ACCOUNTS, KEPT_SECONDS)
        self._kept: LRUCache[str, int] = LRUCache(_MAX_KEPT)

    async def find(self, mailbox: Backend, text: str, limit: int, own: Iterable[str] = ()) -> list[Person]:
        """Those whose names or addresses have all words of the text, best first, without the user's ``own`` addresses.
        Letter case and accents do not matter.

        No round trip if this was asked a moment ago. Else those of ``list_correspondents`` of two folders; and those of
        a search in both if fewer are known than asked for.
        """
        words, without = fold(text).split()[:MAX_WORDS], frozenset(each.lower() for each in own)
        account = self._fresh.get(mailbox.account)
        if account is None:
            account = self._fresh[mailbox.account] = _Account()
        async with account.turn:
            await self._refresh(mailbox, account)
            found = account.best(words, limit, without)
            typed = text.split()[:MAX_WORDS]
            if len(found) < limit and len("".join(words)) >= _MIN_SEARCHED and not account.knows_all(typed):
                await _search(mailbox, account, typed)
                found = account.best(words, limit, without)
        self._bound(mailbox.account)
        return found

    async def _refresh(self, mailbox: Backend, account: _Account) -> None:
        now = asyncio.get_running_loop().time()
        if now < account.fresh_until:
            return
        query = ListQuery(NEWEST)
        sent, received = await _both(_sent(mailbox, query), mailbox.list_correspondents("inbox", query))
        await account.note(sent, _SENT_WEIGHT)
        await account.note(received, 1.0)
        account.fresh_until = asyncio.get_running_loop().time() + FRESH_SECONDS

    def _bound(self, name: str) -> None:
        """Forget the accounts used least recently, if there are too many people."""
        self._kept.pop(name, None)
        self._kept[name] = 0
        total = 0
        for other in reversed(list(self._kept)):
            known = self._fresh.get(other)
            total += known.cost if known else 0
            if known is None or total > _MAX_KEPT:
                self._kept.pop(other, None)
                self._fresh.pop(other, None)


async def _both(
    sent: Coroutine[Any, Any, Sequence[Correspondence]], received: Coroutine[Any, Any, Sequence[Correspondence]]
) -> tuple[Sequence[Correspondence], Sequence[Correspondence]]:
    """Both at once, on connections of their own. An error of one ends the other."""
    tasks = asyncio.create_task(sent), asyncio.create_task(received)
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _sent(mailbox: Backend, query: ListQuery) -> Sequence[Correspondence]:
    try:
        return await mailbox.list_correspondents("sent", query, recipients=True)
    except NotFound:  # this mailbox has no such folder
        return ()


async def _search(mailbox: Backend, account: _Account, words: Sequence[str]) -> None:
    """What the search does not find, or cannot, is not known."""
    if Capability.SEARCH not in mailbox.capabilities:
        return
    try:
        sent, received = await _both(
            _sent(mailbox, ListQuery(FOUND, filter=_naming(words, _TO))),
            mailbox.list_correspondents("inbox", ListQuery(FOUND, filter=_naming(words, _FROM))),
        )
    except MailError:
        return
    await account.note(sent, _SENT_WEIGHT)
    await account.note(received, 1.0)
    if len(sent) < FOUND and len(received) < FOUND:
        account.note_search(words)


def _naming(words: Sequence[str], criteria: Sequence[Criterion]) -> Filter:
    """Messages that have each of the words in one of these fields."""
    named = tuple(Operator(Logic.OR, tuple(Condition(each, word) for each in criteria)) for word in words)
    return Operator(Logic.AND, named)
