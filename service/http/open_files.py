"""Open files, of which every connection is one: as many as the system grants, and no more clients than that is for."""

import resource

import structlog

_ENDLESS = 1 << 20
"""Taken for a limit where there is none: Linux's own default for one process."""
_EACH = 4
"""A client, and what its account has open: to listen, to answer, and a download."""
_log = structlog.get_logger("service.http.open_files")


def affordable(connections: int) -> int:
    """So many of ``connections`` that their mailboxes' connections can be had too. The soft limit is raised to the hard
    one first."""
    limit = _raised()
    affordable = max(1, min(connections, limit // _EACH))
    if affordable < connections:
        _log.warning("few open files", limit=limit, max_connections=affordable)
    return affordable


def _raised() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return _ENDLESS if hard == resource.RLIM_INFINITY else hard
