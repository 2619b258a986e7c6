"""Rows of new messages in place of their ids, so that a client that follows a folder needs no second request."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from service.api.criteria import included, row_fields
from service.api.responses import array_json
from service.mail.backend import Backend
from service.mail.json_rows import with_member
from service.mail.model import MessageSummary
from service.mail.search.filter import MAX_PAGE


class RowReader:
    """Reads rows with these fields. Raises InvalidRequest if one is unknown."""

    def __init__(self, mailbox: Backend, fields: str | None) -> None:
        self._mailbox = mailbox
        self._names = row_fields(fields, None)
        self._more = included(fields, None)

    async def with_rows(self, changes: BaseModel) -> bytes:
        """The changes of a folder as JSON. A message that is gone already is left out: the next changes say so."""
        values = dict(changes)
        return await self._written(changes, values["created"])

    async def with_folder_rows(self, changes: BaseModel) -> bytes:
        """The same of the changes of all folders."""
        folders = [await self._written(each, each.created) for each in dict(changes)["folders"]]
        return with_member(_rest(changes, "folders"), b"folders", b"[%b]" % b",".join(folders))

    async def _written(self, changes: BaseModel, created: Sequence[str]) -> bytes:
        rows: list[MessageSummary] = []
        for at in range(0, len(created), MAX_PAGE):
            rows += await self._mailbox.get_messages(created[at : at + MAX_PAGE], **self._options)
        return with_member(_rest(changes, "created"), b"created", await array_json(rows, self._names))

    @property
    def _options(self) -> Mapping[str, Any]:
        return {"with_preview": "preview" in self._more, "with_thread": "thread_id" in self._more}


def _rest(value: BaseModel, without: str) -> bytes:
    """The value without a member. Another one is always there."""
    return value.model_dump_json(by_alias=True, exclude_none=True, exclude={without}).encode()
