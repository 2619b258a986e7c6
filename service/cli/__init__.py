"""``casella serve``, ``casella demo``, ``casella openapi``, ``casella check`` and ``casella import``: each command is a
file, and says what to do if it cannot."""

from service.cli.main import app

__all__ = ["app"]
