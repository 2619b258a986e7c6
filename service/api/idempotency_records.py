"""Records of requests that were done, within memory limits that accounts share fairly."""

from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field, replace

from service.mail.errors import MailError
from service.mail.model import Value

SECONDS = 24 * 3600
OVERHEAD = 1024
"""Octets that an account with one record takes in addition to its key and answer, as measured. Each further record
takes half of that."""
LARGEST_ANSWER = 256 << 10
OF_ACCOUNT = 4 << 20
"""The limit of an account in octets: enough for its last 2,000 records, 4,000 if their answers are small."""
OF_ALL = 64 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """A request that was done. ``answer`` is JSON of the model ``kind``; both are None if there was no room for it.
    ``error`` replaces them if it is unknown whether the request was done."""

    request: bytes
    expires: float
    kind: type[Value] | None = None
    answer: bytes | None = None
    error: MailError | None = None


@dataclass(slots=True)
class _Account:
    """The records of an account, oldest first: ``answered`` with an answer, ``bare`` without."""

    answered: OrderedDict[str, Record] = field(default_factory=OrderedDict)
    bare: OrderedDict[str, Record] = field(default_factory=OrderedDict)
    octets: int = 0
    answers: int = 0
    """Octets of the answers alone."""


class Records:
    """The records by account and key, each for SECONDS. ``of_account`` and ``of_all`` are limits in octets.

    Beyond ``of_account``, the account's own oldest answers are dropped while answers take more than half of its octets,
    else its own oldest records. Beyond ``of_all``, the same happens to one of the largest accounts, within a factor of
    two: an account with few records loses nothing to one with many.
    """

    def __init__(self, of_account: int = OF_ACCOUNT, of_all: int = OF_ALL) -> None:
        self._of_account, self._of_all = of_account, of_all
        self._accounts: dict[str, _Account] = {}
        self._by_size: defaultdict[int, dict[str, None]] = defaultdict(dict)  # accounts, by the bits of their octets
        self._by_age: OrderedDict[tuple[str, str], float] = OrderedDict()
        self.octets = 0

    def __len__(self) -> int:
        return len(self._by_age)

    def get(self, account: str, key: str, now: float) -> Record | None:
        """The record; None if there never was one, or it was dropped or expired."""
        self._expire(now)
        kept = self._accounts.get(account)
        return (kept.answered.get(key) or kept.bare.get(key)) if kept else None

    def put(self, account: str, key: str, record: Record) -> None:
        """Store a record under a key that has none."""
        if record.answer is not None and len(record.answer) > LARGEST_ANSWER:
            record = _bare(record)
        kept = self._accounts.setdefault(account, _Account())
        (kept.bare if record.answer is None else kept.answered)[key] = record
        self._by_age[account, key] = record.expires
        kept.answers += len(record.answer or b"")
        self._resize(account, kept, _octets(key, record))
        while kept.octets > self._of_account:
            self._shrink(account, kept)
        while self.octets > self._of_all:
            largest = next(iter(self._by_size[max(self._by_size)]))
            self._shrink(largest, self._accounts[largest])

    def _expire(self, now: float) -> None:
        while self._by_age:
            (account, key), expires = next(iter(self._by_age.items()))
            if expires > now:
                return
            self._remove(account, self._accounts[account], key)

    def _shrink(self, account: str, kept: _Account) -> None:
        """Drop the oldest answer but keep its record, or drop the oldest record."""
        if kept.bare and kept.answers * 2 <= kept.octets:
            self._remove(account, kept, next(iter(kept.bare)))
            return
        key, record = kept.answered.popitem(last=False)
        kept.bare[key] = bare = _bare(record)
        kept.answers -= len(record.answer or b"")
        self._resize(account, kept, _octets(key, bare) - _octets(key, record))

    def _remove(self, account: str, kept: _Account, key: str) -> None:
        record = kept.answered.pop(key, None) or kept.bare.pop(key)
        del self._by_age[account, key]
        kept.answers -= len(record.answer or b"")
        self._resize(account, kept, -_octets(key, record))

    def _resize(self, account: str, kept: _Account, by: int) -> None:
        self._leave(account, kept.octets)
        kept.octets += by
        self.octets += by
        if kept.octets:
            self._by_size[kept.octets.bit_length()][account] = None
        else:
            del self._accounts[account]

    def _leave(self, account: str, octets: int) -> None:
        size = octets.bit_length()
        peers = self._by_size[size]
        peers.pop(account, None)
        if not peers:
            del self._by_size[size]


def _bare(record: Record) -> Record:
    return replace(record, kind=None, answer=None)


def _octets(key: str, record: Record) -> int:
    return OVERHEAD + len(key) + len(record.answer or b"")
