"""``casella serve``, ``casella demo``, ``casella openapi``, ``casella check`` and ``casella import``: each command is a
file, and says what to do if it cannot."""

import gc


def run() -> None:
    """Run the command line. What it imports is never garbage, so none is looked for meanwhile, nor there later: a third
    of the CPU time of a start."""
    gc.disable()
    from service.cli.main import app  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    app()
