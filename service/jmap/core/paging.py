"""The window of a /query (RFC 8620, 5.5)."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from service.jmap.core.arguments import MAX_INT, Arguments
from service.jmap.core.errors import MethodError

MAX_LIMIT = 500
QUERY = frozenset({"filter", "sort", "position", "anchor", "anchorOffset", "limit", "calculateTotal"})


class Paging(NamedTuple):
    """``limit`` is what the client gets at most; ``asked`` what it asked for."""

    position: int
    anchor: str | None
    offset: int
    limit: int
    asked: int | None
    with_total: bool
    counts_all: bool = False
    """Whether all results are needed, not only those up to the end of the window."""

    @classmethod
    def read(cls, arguments: Arguments) -> Self:
        """Raises invalidArguments."""
        asked = arguments.number("limit")
        return cls(
            position=arguments.number("position", least=-MAX_INT) or 0,
            anchor=arguments.text("anchor"),
            offset=arguments.number("anchorOffset", least=-MAX_INT) or 0,
            limit=MAX_LIMIT if asked is None else min(asked, MAX_LIMIT),
            asked=asked,
            with_total=arguments.flag("calculateTotal"),
        )

    @property
    def needs_all(self) -> bool:
        """Whether the window is not known before the whole list is."""
        return self.counts_all or self.anchor is not None or self.position < 0

    def start(self, ids: Sequence[str]) -> int:
        """The index of the first result. Raises anchorNotFound."""
        if self.anchor is not None:
            if self.anchor not in ids:
                raise MethodError("anchorNotFound")
            return max(0, ids.index(self.anchor) + self.offset)
        return self.position if self.position >= 0 else max(0, len(ids) + self.position)

    def page(self, ids: Sequence[str], total: int | None = None) -> dict[str, Any]:
        """The members of the response that say which results these are, of all that match."""
        start = self.start(ids)
        shown = list(ids[start : start + self.limit])
        return {
            "position": start,
            "ids": shown,
            **({"total": len(ids) if total is None else total} if self.with_total else {}),
            **({"limit": self.limit} if self.asked is None or self.asked > self.limit else {}),
        }
