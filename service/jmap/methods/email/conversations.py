"""Conditions on whole threads. A mail server sees the messages of one folder at most, so the threads are found first,
by a search of all folders, and the results filtered by them."""

from typing import NamedTuple

from service.jmap.core.errors import MethodError
from service.mail.search.filter import Condition, Criterion, Filter, Logic, Operator

OF_THREADS = frozenset({Criterion.ALL_IN_THREAD, Criterion.SOME_IN_THREAD, Criterion.NONE_IN_THREAD})


class ThreadTest(NamedTuple):
    """Holds for Emails whose thread is among those, or is not."""

    threads: frozenset[str]
    is_among: bool

    def holds(self, thread: str) -> bool:
        return (thread in self.threads) == self.is_among


def split(tree: Filter | None) -> tuple[Filter | None, list[Condition]]:
    """The conditions on threads that all results must meet, and the rest. Raises unsupportedFilter if there are others
    among the rest."""
    if tree is None:
        return None, []
    if isinstance(tree, Condition):
        return (None, [tree]) if tree.criterion in OF_THREADS else (tree, [])
    if tree.logic is Logic.AND:
        parts = [split(condition) for condition in tree.conditions]
        rest = [part for part, _ in parts if part is not None]
        found = [condition for _, conditions in parts for condition in conditions]
        if len(rest) < 2:
            return (rest[0] if rest else None), found
        return Operator(Logic.AND, tuple(rest)), found
    if _has_any(tree):
        raise MethodError("unsupportedFilter", "Conditions on threads can be joined by AND only.")
    return tree, []


def _has_any(tree: Filter) -> bool:
    if isinstance(tree, Condition):
        return tree.criterion in OF_THREADS
    return any(map(_has_any, tree.conditions))


def members(condition: Condition) -> tuple[Filter, bool]:
    """What a message has that decides about its thread, and whether threads with such a message match."""
    criterion = Criterion.NOT_KEYWORD if condition.criterion is Criterion.ALL_IN_THREAD else Criterion.HAS_KEYWORD
    return Condition(criterion, condition.value), condition.criterion is Criterion.SOME_IN_THREAD
