"""The limit of open files, of which every connection is one, and the number of clients that it allows."""

import resource

import structlog

_UNLIMITED = 1 << 20
"""The number that stands for no limit: Linux's own maximum for one process by default."""
_FILES_PER_CLIENT = 4
"""The client's connection, and those of its account: to watch, to answer, and for a download."""
_log = structlog.get_logger("service.http.open_files")


def affordable(connections: int) -> int:
    """Returns how many of ``connections`` clients the open files suffice for, with the connections of their mailboxes.

    Raises the soft limit of the process to the hard one first.
    """
    limit = _raise_limit()
    allowed = max(1, min(connections, limit // _FILES_PER_CLIENT))
    if allowed < connections:
        _log.warning("few open files", limit=limit, max_connections=allowed)
    return allowed


def _raise_limit() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return _UNLIMITED if hard == resource.RLIM_INFINITY else hard
