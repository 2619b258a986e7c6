"""The table of all answers: ``python -m tests.hostile [WORDS] [--rounds N]``."""

import argparse
import asyncio

from tests.hostile.answers import cases
from tests.hostile.harness import harness


async def main(words: str, rounds: int) -> None:
    print("| answer | status | s | loop held, CPU-ms | other account, ms | /healthz, ms | RSS, MB |")
    print("|---|---|--:|--:|--:|--:|--:|")
    async with harness() as service:
        for _ in range(rounds):
            for case in cases():
                if words in case.name:
                    print(await service.run(case), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="?", default="")
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.words, arguments.rounds))
