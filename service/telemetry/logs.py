"""JSON lines on standard error, for the whole process."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from traceback import extract_tb
from typing import Any

import structlog
from pydantic_core import to_json

_SECRET = frozenset({"authorization", "password", "secret", "token", "access_token", "accesstoken"})


def _redact(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A second line of defence: no call in Casella logs such a key."""
    return _without_secrets(event)


def _without_secrets(fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key, value in fields.items():
        if key.lower() in _SECRET:
            fields[key] = "[redacted]"
        elif isinstance(value, dict):
            fields[key] = _without_secrets(dict(value))
    return fields


def frames_of(error: BaseException) -> list[str]:
    """The files and lines that an exception passed. Its words are not logged: they may repeat mail, or a secret."""
    return [f"{Path(frame.filename).name}:{frame.lineno}" for frame in extract_tb(error.__traceback__)[-8:]]


def _without_words(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """An exception that a library logs, as its type and its frames. asyncio writes it into its text as well, below the
    first line."""
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["kind"], event["frames"] = type(error).__name__, frames_of(error)
    if event.get("logger") == "asyncio":
        event["event"] = str(event["event"]).partition("\n")[0]
    return event


def _json(event: structlog.typing.EventDict, default: Callable[[Any], Any]) -> bytes:
    """Every request writes a line, and pydantic's writer is several times faster than the standard library's."""
    return to_json(event, fallback=default)


def configure(level: str) -> None:
    """One format for the lines of Casella and of libraries. Some are held to WARNING: below that they log mail, or the
    addresses and header fields of requests."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,  # the request's id
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_json)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(file=sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    foreign = logging.StreamHandler(sys.stderr)
    foreign.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_words,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[foreign], level=level, force=True)
    for name in ("aioimaplib", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)
