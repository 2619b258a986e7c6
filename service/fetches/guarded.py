"""The two mailboxes of a run. Before each change of one of them it is made sure that this process still holds the
fetch."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from service.mail.backend import Backend
from service.mail.exchange import Download, Outcome, Span
from service.mail.inventory import Appended, Item, NewMessage
from service.mail.model import Folder, Header, HtmlMode, Message, MessageSummary, Page
from service.mail.search.filter import ListQuery

Fence = Callable[[], Awaitable[None]]
"""Raises Lost if another process may have the fetch."""


class Guarded(Backend):
    """A mailbox that is signed in. What imports do goes through; of the rest, what a mailbox must have."""

    def __init__(self, inner: Backend, fence: Fence) -> None:
        self._inner, self._fence = inner, fence
        self.protocol, self.account, self.capabilities = inner.protocol, inner.account, inner.capabilities

    async def append_many(self, folder: str, messages: Sequence[NewMessage]) -> Sequence[Appended]:
        await self._fence()
        return await self._inner.append_many(folder, messages)

    async def create_folder(self, name: str, parent: str | None = None) -> Folder:
        await self._fence()
        return await self._inner.create_folder(name, parent)

    async def delete_messages(self, messages: Sequence[str]) -> tuple[Outcome, ...]:
        await self._fence()
        return await self._inner.delete_messages(messages)

    async def check(self) -> None:
        await self._inner.check()

    async def list_folders(self) -> tuple[Folder, ...]:
        return await self._inner.list_folders()

    async def list_ids(self, folder: str) -> Sequence[str]:
        return await self._inner.list_ids(folder)

    async def get_items(self, messages: Sequence[str]) -> Sequence[Item]:
        return await self._inner.get_items(messages)

    async def read_sources(self, messages: Sequence[str]) -> Mapping[str, bytes]:
        return await self._inner.read_sources(messages)

    async def kept_flags(self, folder: str, flags: Collection[str]) -> frozenset[str]:
        return await self._inner.kept_flags(folder, flags)

    async def open_source(self, message: str, *, span: Span | None = None) -> Download:
        return await self._inner.open_source(message, span=span)

    async def list_messages(self, folder: str, query: ListQuery) -> Page:
        return await self._inner.list_messages(folder, query)

    async def get_messages(
        self, messages: Sequence[str], *, with_preview: bool = False, with_thread: bool = False
    ) -> Sequence[MessageSummary]:
        return await self._inner.get_messages(messages, with_preview=with_preview, with_thread=with_thread)

    async def get_message(self, message: str, html: HtmlMode = HtmlMode.SAFE) -> Message:
        return await self._inner.get_message(message, html)

    async def list_headers(self, message: str, names: Sequence[str] = ()) -> tuple[Header, ...]:
        return await self._inner.list_headers(message, names)

    async def open_part(self, message: str, part: str, *, encoded: bool = False, span: Span | None = None) -> Download:
        return await self._inner.open_part(message, part, encoded=encoded, span=span)

    async def aclose(self) -> None:
        """Nothing: the mailbox is shared."""


class Selected(Guarded):
    """A source that shows some of its messages, by folder."""

    def __init__(self, inner: Backend, fence: Fence, shown: Mapping[str, Sequence[str]], *, is_exact: bool) -> None:
        super().__init__(inner, fence)
        self._shown, self._is_exact = shown, is_exact
        self._hidden: dict[str, set[str]] = {}
        self._listed: set[str] = set()

    async def list_ids(self, folder: str) -> Sequence[str]:
        """Unless ``is_exact``, also what came since the first call: before anything is deleted at the source, an import
        looks for what it has appended elsewhere. Later calls leave out what was removed since."""
        shown = self._shown.get(folder, ())
        if self._is_exact and folder not in self._listed:
            self._listed.add(folder)
            return shown
        if self._is_exact:
            there = set(await self._inner.list_ids(folder))
            return [message for message in shown if message in there]
        present = await self._inner.list_ids(folder)
        hidden = self._hidden.setdefault(folder, set(present) - set(shown))
        return [message for message in present if message not in hidden]
