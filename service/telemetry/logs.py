"""JSON lines on standard error, for the whole process."""

import logging
import sys
from collections.abc import Callable
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
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[foreign], level=level, force=True)
    for name in ("aioimaplib", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)
