"""The command line in this process, without lasting effects on the logs of the test run."""

import logging
from collections.abc import Mapping, Sequence

import structlog
from typer.testing import CliRunner, Result

from service.cli.main import app


def invoke(arguments: Sequence[str], *, text: str | None = None, env: Mapping[str, str | None] | None = None) -> Result:
    """Runs ``casella`` with ``text`` on standard input.

    A command sends the logs of its process to standard error, which the runner closes at the end. So the configuration
    of logs from before is restored: later tests log, and are searched for secrets, as if there had been no command.
    """
    root, configuration = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    try:
        return CliRunner().invoke(app, list(arguments), input=text, env=env)
    finally:
        structlog.configure(**configuration)
        root.handlers[:] = handlers
        root.setLevel(level)
