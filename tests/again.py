"""Runs the tests that have failed once more, alone: ``python -m tests.again``, at the end of ``make test``.

Ten thousand tests with mail servers, browsers and processes that are killed share a few cores. One that fails there and
passes alone has waited too little, or has found a race that is rare: it is named, so that somebody looks at it, and
does not hold up a change. If many fail, nothing is repeated.
"""

import json
import sys
from pathlib import Path

import pytest

MOST = 5
FAILED = Path(".pytest_cache/v/cache/lastfailed")
REPORT = Path("build/again.xml")


def main() -> int:
    """The exit code: 0 if all pass."""
    failed = list(json.loads(FAILED.read_text()))
    if len(failed) > MOST:
        return 1
    code = pytest.main([*failed, f"--junitxml={REPORT}"])
    if code == pytest.ExitCode.OK:
        sys.stdout.write("Failed beside others, and passed alone:\n" + "".join(f"  {name}\n" for name in failed))
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
