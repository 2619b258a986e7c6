"""The tree while it is read: items, and the groups that are open."""

from dataclasses import dataclass, field
from typing import NamedTuple

from service.mail.errors import InvalidQuery
from service.mail.search.filter import MAX_DEPTH, Filter, Logic, Operator
from service.mail.search.grammar.fields import QUOTE_IT, Reader


class Item(NamedTuple):
    """A piece of the tree, how many operators lie on its longest way down, and where in the text it begins."""

    node: Filter
    depth: int
    column: int


@dataclass(slots=True)
class Frame:
    """A group while it is open: alternatives, all of which have to hold. ``reader`` reads words without a field."""

    column: int
    reader: Reader
    groups: list[list[Item]] = field(default_factory=list)
    joiner: tuple[str, int] | None = None
    """``or`` or ``and`` with its column, as long as nothing follows it."""
    negations: list[int] = field(default_factory=list)

    def join(self, word: str, column: int) -> None:
        if self.joiner or self.negations or not self.groups:
            raise InvalidQuery(f"There is nothing before this {word} that it could join. {QUOTE_IT}", column)
        self.joiner = word, column

    def add(self, item: Item) -> None:
        while self.negations:
            item = _negated(item, self.negations.pop())
        if self.joiner and self.joiner[0] == "or":
            self.groups[-1].append(item)
        else:
            self.groups.append([item])
        self.joiner = None

    def close(self) -> Item:
        if self.negations:
            raise InvalidQuery(f"There is nothing after this not. {QUOTE_IT}", self.negations[-1])
        if self.joiner:
            raise InvalidQuery(f"There is nothing after this {self.joiner[0]}. {QUOTE_IT}", self.joiner[1])
        if not self.groups:
            raise InvalidQuery("There is nothing to search for.", self.column)
        return _joined(Logic.AND, [_joined(Logic.OR, group) for group in self.groups])


def _joined(logic: Logic, items: list[Item]) -> Item:
    """What is joined alike already is taken in, so that ``a or (b or c)`` is flat."""
    if len(items) == 1:
        return items[0]
    nodes: list[Filter] = []
    depth = 0
    for item in items:
        is_alike = isinstance(item.node, Operator) and item.node.logic is logic
        nodes.extend(item.node.conditions if isinstance(item.node, Operator) and is_alike else [item.node])
        depth = max(depth, item.depth + (not is_alike))
    return _checked(Item(Operator(logic, tuple(nodes)), depth, items[0].column))


def _negated(item: Item, column: int) -> Item:
    if isinstance(item.node, Operator) and item.node.logic is Logic.NOT:
        return Item(item.node.conditions[0], item.depth - 1, column)
    return _checked(Item(Operator(Logic.NOT, (item.node,)), item.depth + 1, column))


def _checked(item: Item) -> Item:
    if item.depth > MAX_DEPTH:
        raise InvalidQuery(f"This is nested more than {MAX_DEPTH} levels deep.", item.column)
    return item
