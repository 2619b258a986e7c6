"""Lists that come in pages."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")


class PageOf(Protocol[Item]):
    """A page of a list, and the cursor of the next one."""

    @property
    def items(self) -> list[Item]: ...

    @property
    def next_cursor(self) -> str | None: ...


P = TypeVar("P", bound=PageOf[Any])


def pages(call: Callable[[str | None], P]) -> Iterator[P]:
    """The pages of a list, one by one:
    ``pages(lambda cursor: casella.messages.list_messages("me", "inbox", cursor=cursor))``."""
    cursor: str | None = None
    while True:
        page = call(cursor)
        yield page
        if (cursor := page.next_cursor) is None:
            return


def items(call: Callable[[str | None], PageOf[Item]]) -> Iterator[Item]:
    """The items of all pages."""
    for page in pages(call):
        yield from page.items
