"""``python -m tests.soak``, which is ``make soak``: prints a line now and then, and a table at the end."""

import argparse
import asyncio
import os
import sys
import time

from tests.soak.clients import Report
from tests.soak.faults import Faults
from tests.soak.run import CACHE, SEEDED, Plan, Soaked, soak
from tests.soak.watch import MB, Sample


def line(report: Report, faults: Faults, sample: Sample) -> None:
    errors = {status: count for status, count in sorted(report.answers.items()) if status >= 300}
    print(
        f"{sample.seconds:5.0f} s  {report.requests} requests, {errors or 'no errors'}, {report.broken_off} broken off,"
        f" {faults.done.total()} faults, {report.events} events, {sample.octets / MB:.1f} MB, {sample.files} files",
        flush=True,
    )


def table(soaked: Soaked) -> str:
    report, watch = soaked.report, soaked.watch
    assert watch is not None
    rows = [
        ("requests", report.requests),
        ("by action", dict(report.by_action.most_common())),
        ("answers", dict(sorted(report.answers.items()))),
        ("broken off by a fault in mid-answer", report.broken_off),
        ("clients that left", report.left),
        ("faults", dict(soaked.faults.done)),
        ("events", report.events),
        ("slowest answer", f"{report.slowest:.1f} s"),
        ("resident MB, by thirds", ", ".join(f"{octets / MB:.1f}" for octets in watch.thirds)),
        ("MB more a minute, from the second third to the last", f"{watch.slope:.2f}"),
        ("open files at most", max(sample.files for sample in watch.samples)),
        ("octets of rows kept", {protocol: cache.kept for protocol, cache in soaked.caches.items()}),
        ("octets searched for secrets", soaked.collected),
        ("secrets searched for", soaked.secrets),
        ("wrong", len(soaked.wrong)),
    ]
    return "\n".join(["", "| what | how many |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def main() -> int:
    parser = argparse.ArgumentParser(description="Mixed load with faults, for long.")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--workers", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument("--accounts", type=int, default=12)
    parser.add_argument("--faults", type=float, default=0.05, help="share of the requests that bring one")
    parser.add_argument("--in-turn", action="store_true", help="visit each account after all others were")
    parser.add_argument("--cache", type=int, default=CACHE, help="octets of rows that are kept")
    parser.add_argument("--seeded", type=int, default=SEEDED, help="messages of each account")
    parser.add_argument("--connections", type=int, default=1000, help="connections to the mail server")
    asked = parser.parse_args()
    began = time.monotonic()
    plan = Plan(
        asked.seconds, asked.workers, asked.accounts, asked.faults,
        is_in_turn=asked.in_turn, cache=asked.cache, seeded=asked.seeded, connections=asked.connections,
    )  # fmt: skip
    soaked = asyncio.run(soak(plan, line))
    print(table(soaked))
    wrong = soaked.wrong
    if soaked.watch is not None and not soaked.watch.is_flat:
        wrong.append("memory grows")
    for one in wrong:
        print(f"  {one}")
    print(f"{time.monotonic() - began:.0f} s in all")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
