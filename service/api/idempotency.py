"""Requests that are sent again because their answer was lost (``Idempotency-Key``).

What was answered is kept in this process for a day. Another replica, or this one after a restart, does not know the
key: there appending looks for the very same message in the folder, and everything else is done anew.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Any, TypeVar, cast

from fastapi import Header, Request

from service.mail.errors import InUse, InvalidRequest, MailError, UpstreamFailure

SECONDS = 24 * 3600
MAX_KEPT = 10_000
_KEPT_ERRORS = frozenset({"outcomeUnknown", "notRemoved", "deleteUnconfirmed"})
T = TypeVar("T")
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Any text of your own, new for each thing to do: the same request with the same key is done once.",
        examples=["5b0c8f52-2f4e-4a8e-9a55-0f6d3f6f9d1e"],
    ),
]


@dataclass(slots=True)
class _Record:
    request: bytes
    expires: float
    outcome: Any = None
    is_done: bool = False


class Repeats:
    """The answers given under a key, by account."""

    def __init__(self) -> None:
        self._records: OrderedDict[tuple[str, str], _Record] = OrderedDict()

    async def once(self, account: str, key: str | None, request: bytes, work: Callable[[], Awaitable[T]]) -> T:
        """What ``work`` answers, or answered when the key was first used. InUse while the first is under way,
        InvalidRequest where the key was another request's. What failed is tried again, unless it may have been done."""
        if key is None:
            return await work()
        self._forget()
        place = (account, key)
        if (known := self._records.get(place)) is not None:
            return cast("T", _again(known, request))
        record = self._records[place] = _Record(request, asyncio.get_running_loop().time() + SECONDS)
        try:
            record.outcome = outcome = await work()
        except BaseException as error:
            record.outcome = error
            if not _may_be_done(error):
                del self._records[place]
            raise
        finally:
            record.is_done = True
        return outcome

    def _forget(self) -> None:
        """What is a day old, and the oldest of what is too many; never what is under way."""
        now = asyncio.get_running_loop().time()
        while self._records:
            place, oldest = next(iter(self._records.items()))
            if not oldest.is_done or (oldest.expires > now and len(self._records) <= MAX_KEPT):
                return
            del self._records[place]


def _again(known: _Record, request: bytes) -> Any:
    if known.request != request:
        raise InvalidRequest("This Idempotency-Key was used for another request. Take a new one for each.")
    if not known.is_done:
        raise InUse("The first request with this Idempotency-Key is still under way.", retry_after=1)
    if isinstance(known.outcome, BaseException):
        raise known.outcome
    return known.outcome


def _may_be_done(error: BaseException) -> bool:
    """Errors after which nobody knows are the answer from now on; so is a request that was cancelled in mid-write."""
    if isinstance(error, UpstreamFailure):
        return error.code in _KEPT_ERRORS
    return not isinstance(error, MailError | Exception)


def fingerprint(request: Request, body: bytes) -> bytes:
    """Of what was asked: method, path, query and body."""
    digest = blake2b(digest_size=16)
    for part in (request.method, request.url.path, request.url.query):
        digest.update(part.encode(errors="surrogatepass") + b"\0")
    digest.update(body)
    return digest.digest()
