"""Without a store nothing of it is imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

LIBRARIES = ("sqlalchemy", "alembic", "asyncpg", "aiosqlite", "service.store", "service.push.watch")
CODE = """
import json, sys
from service.app import create_app
from service.settings.model import Settings
class Nothing:
    async def push(self, subscription, notice): raise AssertionError
create_app(Settings(), pusher=Nothing())
print(json.dumps(sorted(sys.modules)))
"""


def imported(**variables: str) -> set[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("CASELLA_")} | variables
    done = subprocess.run([sys.executable, "-c", CODE], env=env, check=True, capture_output=True, text=True)
    return {name for name in json.loads(done.stdout.splitlines()[-1]) if name.startswith(LIBRARIES)}


def test_without_an_address_nothing_of_it_is_imported() -> None:
    """Memory and start-up are as before, and the libraries need not be there."""
    assert imported() == set()


def test_with_an_address_it_is_there(tmp_path: Path) -> None:
    """The other test looks at the right names."""
    key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    found = imported(CASELLA_STORE__URL=f"sqlite:///{tmp_path / 'x.db'}", CASELLA_SECRET_KEYS=key)
    assert found >= set(LIBRARIES)
