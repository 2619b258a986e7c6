"""Repeated requests (``Idempotency-Key``): a request that is sent again because its response was lost is not done
twice.

This process remembers for a day that a request was done, and its response if there is room for it. Each account has its
own room (``idempotency_records.py``), so one account's keys never evict another's. No request is refused for lack of
room:

- A response beyond LARGEST_ANSWER, or one evicted by newer ones, is forgotten, but the record that the request was done
  remains. A repeated request is then not done again: it raises AlreadyDone, without its result.
- After 2,000 keys within a day, or more, an account's own oldest record is forgotten. That request, if repeated, is
  done again.

Another replica, or this one after a restart, does not know the key. There appending looks for the same message in the
folder, a move is made by one of those that are asked at once (``Backend.move_messages``), and every other request is
done again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy
from hashlib import blake2b
from typing import Annotated, TypeVar, cast

from fastapi import Header, Request

from service.api.idempotency_records import SECONDS, Record, Records
from service.mail.errors import AlreadyDone, InUse, InvalidRequest, MailError, UpstreamError, UpstreamFailure
from service.mail.model import Value

UNKNOWN = "outcomeUnknown"
_UNKNOWN_CODES = frozenset({UNKNOWN, "notRemoved", "deleteUnconfirmed"})
T = TypeVar("T", bound=Value)
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Any unique text, a new one for each request. A request that is sent again with the same key is not"
        " done again: it gets the first response.",
        examples=["5b0c8f52-2f4e-4a8e-9a55-0f6d3f6f9d1e"],
    ),
]


class IdempotencyStore:
    """The requests done with an Idempotency-Key, and their responses, by account and key."""

    def __init__(self, records: Records | None = None) -> None:
        self._records = Records() if records is None else records
        self._begun: dict[tuple[str, str], bytes] = {}  # the requests in progress

    async def once(
        self,
        account: str,
        key: str | None,
        request: bytes,
        work: Callable[[], Awaitable[T]],
        confirm: Callable[[], Awaitable[None]],
    ) -> T:
        """The result of ``work``, or the stored result if the key was used before. Raises InUse while the first request
        is in progress, AlreadyDone if it was done and its result is no longer stored, InvalidRequest if the key was
        used for another request. A failed request is done again, unless its outcome is unknown.

        ``confirm`` raises what keeps the caller from the stored result: ``work``, which would, is not done."""
        if key is None:
            return await work()
        begun = self._begun.get((account, key))
        if begun is not None:
            _require_same(begun, request)
            raise InUse("The first request with this Idempotency-Key is still in progress.", retry_after=1)
        now = asyncio.get_running_loop().time()
        if (known := self._records.get(account, key, now)) is not None:
            await confirm()
            _require_same(known.request, request)
            return cast("T", _again(known))
        self._begun[account, key] = request
        try:
            return await self._first(account, key, request, work)
        finally:
            del self._begun[account, key]

    async def _first(self, account: str, key: str, request: bytes, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work and store its result as JSON: objects take ten times as much memory, and exceptions keep their
        frames alive."""
        expires = asyncio.get_running_loop().time() + SECONDS
        try:
            outcome = await work()
        except BaseException as error:
            if (unknown := _unknown_outcome(error)) is not None:
                self._records.put(account, key, Record(request, expires, error=unknown))
            raise
        answer = outcome.model_dump_json(by_alias=True).encode()
        self._records.put(account, key, Record(request, expires, type(outcome), answer))
        return outcome


def _require_same(known: bytes, request: bytes) -> None:
    if known != request:
        raise InvalidRequest(
            "This Idempotency-Key was used for another request. Use a new key for each request.",
            location="header.Idempotency-Key",
        )


def _again(known: Record) -> Value:
    if known.error is not None:
        raise copy(known.error)
    if known.kind is None or known.answer is None:
        raise AlreadyDone
    return known.kind.model_validate_json(known.answer)


def _unknown_outcome(error: BaseException) -> MailError | None:
    """The error to store if it is unknown whether the request was done; None if it was not done."""
    if isinstance(error, UpstreamFailure) and error.code in _UNKNOWN_CODES:
        return copy(error)
    if isinstance(error, Exception):
        return None
    return UpstreamError(
        "The first request with this Idempotency-Key was interrupted. Its outcome is unknown.", code=UNKNOWN
    )


def fingerprint(request: Request, body: bytes) -> bytes:
    """A digest of a request: its method, path, query and body."""
    digest = blake2b(digest_size=16)
    for part in (request.method, request.url.path, request.url.query):
        digest.update(part.encode(errors="surrogatepass") + b"\0")
    digest.update(body)
    return digest.digest()
