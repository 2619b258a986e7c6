"""Coverage-guided fuzzing of one target: `python -m tests.fuzz wire -max_total_time=60`. Finds go to build/fuzz/."""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["service"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    name, *options = sys.argv[1:]
    target, seeds = TARGETS[name]
    found = Path("build/fuzz") / name
    found.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (found / f"seed-{number}").write_bytes(seed)
    atheris.Setup(
        [sys.argv[0], str(found), f"-artifact_prefix={found.parent}/{name}-", "-timeout=10", "-max_len=8192", *options],
        target,
    )
    atheris.Fuzz()


main()
