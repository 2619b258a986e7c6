"""What ``make test`` does with tests that fail."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BAD = "def test_{n}():\n    assert not {n}\n"
RARE = """
from pathlib import Path

def test_rare():
    file = Path("was-here")
    was_here = file.exists()
    file.touch()
    assert was_here
"""


def run(folder: Path, module: str, *options: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(
        [sys.executable, "-m", module, *options],
        check=False, cwd=folder, env=env | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        (RARE, 0, "Failed beside others, and passed alone:\n  test_some.py::test_rare\n"),
        (RARE + BAD.format(n=1), 1, "1 failed, 1 passed"),
        ("".join(BAD.format(n=n) for n in range(1, 7)), 1, ""),
    ],
    ids=["rare", "one of two", "many"],
)
def test_what_fails_is_run_again_and_named(tmp_path: Path, source: str, code: int, said: str) -> None:
    (tmp_path / "test_some.py").write_text(source)
    assert run(tmp_path, "pytest").returncode == 1
    again = run(tmp_path, "tests.again")
    assert again.returncode == code, again.stderr
    assert said in again.stdout
    assert bool(again.stdout) == bool(said)
