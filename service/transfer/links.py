"""Errors that do not concern one message: a mail server that wants to be left alone, or a connection that was lost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import copy

from service.mail.errors import (
    InUse,
    LoginRefused,
    MailError,
    OverQuota,
    ServerBusy,
    StaleId,
    TooManyRequests,
    UpstreamError,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamUnavailable,
)

LOST_SECONDS = 5
"""When an import goes on whose connection was lost."""
_ASIDE = (TooManyRequests, InUse, ServerBusy)
_LOST = (UpstreamUnavailable, UpstreamTimeout, UpstreamProtocol, StaleId)
_UNKNOWN = "outcomeUnknown"


class Paused(Exception):
    """The burst ends here, and another one goes on after ``retry_after`` seconds."""

    def __init__(self, error: MailError) -> None:
        super().__init__(error.detail)
        self.error = error
        self.retry_after = error.retry_after or LOST_SECONDS


def is_lost(error: MailError | None) -> bool:
    """Whether the connection is gone, and with it perhaps an answer, or the folder was renumbered: look again."""
    return isinstance(error, _LOST) or (isinstance(error, UpstreamError) and error.code == _UNKNOWN)


def wants_pause(error: MailError | None) -> bool:
    """Whether the mail server wants fewer requests."""
    return isinstance(error, _ASIDE)


def concerns_all(error: MailError | None) -> bool:
    """Whether any other message would have the same error."""
    return is_lost(error) or wants_pause(error) or isinstance(error, OverQuota | LoginRefused)


@asynccontextmanager
async def named(side: str) -> AsyncIterator[None]:
    """Names the mailbox that an error is of."""
    try:
        yield
    except MailError as error:
        raise told(error, side) from error


def told(error: MailError, side: str) -> MailError:
    """The error, with the mailbox that it is of."""
    start = f"{side}: "
    if error.detail.startswith(start):
        return error
    other = copy(error)
    other.detail = start + error.detail
    return other


SOURCE = "The source"
