"""The three kinds of JMAP errors (RFC 8620, 3.6): of a request, of a method call, of one record of a /set."""

from pathlib import Path
from traceback import extract_tb
from typing import Any

import structlog

from service.mail import errors

URN = "urn:ietf:params:jmap:error:"
FAULT = "Internal error. Report the request's id to the operator."
_log = structlog.get_logger("service.jmap")


class RequestError(Exception):
    """The request as a whole is refused: problem+json with this type."""

    def __init__(self, kind: str, detail: str, status: int = 400, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.body = {"type": URN + kind, "status": status, "detail": detail, **more}


class MethodError(Exception):
    """One method call is refused; the others go on."""

    def __init__(self, kind: str, description: str | None = None, **more: Any) -> None:
        super().__init__(description or kind)
        self.body = {"type": kind, **({"description": description} if description else {}), **more}


class SetError(Exception):
    """One record is refused; the others go on."""

    def __init__(self, kind: str, description: str | None = None, **more: Any) -> None:
        super().__init__(description or kind)
        self.body = {"type": kind, **({"description": description} if description else {}), **more}


def invalid(description: str) -> MethodError:
    """An argument is missing, of the wrong type, or has a value that cannot be."""
    return MethodError("invalidArguments", description)


def invalid_properties(*names: str, why: str | None = None) -> SetError:
    """Some properties of a record are invalid."""
    return SetError("invalidProperties", why, properties=list(names))


_OF_METHODS: dict[type[errors.MailError], str] = {
    errors.NotPermitted: "forbidden",
    errors.NotFound: "invalidArguments",
    errors.InvalidRequest: "invalidArguments",
    errors.StaleToken: "cannotCalculateChanges",
    errors.TooLarge: "requestTooLarge",
    errors.TooManyRequests: "serverUnavailable",
    errors.NotSupported: "unknownMethod",
    errors.UpstreamUnavailable: "serverUnavailable",
    errors.UpstreamTimeout: "serverUnavailable",
    errors.ServerBusy: "serverUnavailable",
    errors.StoreUnavailable: "serverUnavailable",
    errors.InUse: "serverUnavailable",
}
_OF_RECORDS: dict[type[errors.MailError], str] = {
    errors.NotPermitted: "forbidden",
    errors.NotFound: "notFound",
    errors.StaleId: "notFound",
    errors.AlreadyExists: "alreadyExists",
    errors.OverQuota: "overQuota",
    errors.TooLarge: "tooLarge",
    errors.TooManyRequests: "rateLimit",
    errors.InvalidRequest: "invalidProperties",
    errors.NotSupported: "forbidden",
    errors.MessageRefused: "forbiddenToSend",
}


def method_error(error: errors.MailError) -> MethodError:
    """An error of the mailbox as that of a method call. ``serverFail`` if no other type says it."""
    return MethodError(_kind(_OF_METHODS, error, "serverFail"), error.detail)


def set_error(error: errors.MailError) -> SetError:
    """An error of the mailbox as that of a record."""
    return SetError(_kind(_OF_RECORDS, error, "serverFail"), error.detail)


def _kind(kinds: dict[type[errors.MailError], str], error: errors.MailError, default: str) -> str:
    return next((kinds[leaf] for leaf in type(error).__mro__ if leaf in kinds), default)


def note_fault(error: Exception) -> None:
    """An error of our own. The log has its type and stack, not its message: that may contain mail."""
    frames = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in extract_tb(error.__traceback__)[-8:]]
    _log.error("fault", kind=type(error).__name__, frames=frames)
