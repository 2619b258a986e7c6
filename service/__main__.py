"""``python -m service`` is ``casella``."""

from service.cli import run

run()
