"""JSON lines on standard error, for the whole process."""

import logging
import sys
from collections.abc import Callable
from typing import Any

import structlog
from pydantic_core import to_json

_SECRET = frozenset({"authorization", "password", "secret", "token", "access_token", "accesstoken"})


def _redact(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Belt and braces: no call of ours logs such a key."""
    return _without_secrets(event)


def _without_secrets(told: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key, value in told.items():
        if key.lower() in _SECRET:
            told[key] = "[redacted]"
        elif isinstance(value, dict):
            told[key] = _without_secrets(dict(value))
    return told


def _json(event: structlog.typing.EventDict, default: Callable[[Any], Any]) -> bytes:
    """A line a request is written: pydantic's writer is several times quicker than the standard library's."""
    return to_json(event, fallback=default)


def configure(level: str) -> None:
    """Ours and the libraries' lines in one form. aioimaplib stays silent below WARNING: it logs what is in mail."""
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
    logging.getLogger("aioimaplib").setLevel(logging.WARNING)
