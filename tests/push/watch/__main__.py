"""`make watchers`: three replicas watch 500 mailboxes while mail arrives; one is killed, another is paused for a minute.

Linux gives a user 128 instances of inotify (`fs.inotify.max_user_instances`), and all mailboxes here are of one user. For those
beyond it Dovecot looks at intervals (`mailbox_idle_check_interval`, 30 seconds by default), or Casella's probe finds the news.

Prints what was measured, and ends with 1 if a message was not told, or if two replicas still watch a mailbox after 30 s.
"""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.deploy.replica import Replica
from tests.push.watch.drill import Drill
from tests.servers.dovecot import Dovecot
from tests.servers.postgres import Postgres

WHOLE_SECONDS = 30.0
"""After which no mailbox may be watched by two."""


async def main(mailboxes: int, pause: float, seconds: float) -> int:
    with Dovecot(settings=_MANY) as dovecot, Postgres() as postgres:
        async with Drill(dovecot, postgres.url(), mailboxes) as drill:
            return await run(drill, pause, seconds)


async def run(drill: Drill, pause: float, seconds: float) -> int:
    killed, paused, left = drill.replicas
    began = time.monotonic()
    await drill.all_watched(drill.replicas, 300)
    print(f"{drill.mailboxes} mailboxes watched by three replicas after {time.monotonic() - began:.1f} s")
    print("mailboxes of each:", await balanced(drill, 120))
    before = megabytes(left)
    over = asyncio.Event()
    delivering = asyncio.create_task(drill.deliver_until(over, 0.02))
    await asyncio.sleep(seconds)
    killed.send(signal.SIGKILL)
    paused.send(signal.SIGSTOP)
    at = time.monotonic()
    await drill.all_claimed(left, 60)
    print(f"one killed, one paused: the third has claimed all after {time.monotonic() - at:.1f} s")
    await drill.all_watched([left], 120)
    whole = time.monotonic()
    print(f"memory of the third: {before:.0f} MB with its share, {megabytes(left):.0f} MB with all")
    print(f"and watches all after {time.monotonic() - at:.1f} s")
    await asyncio.sleep(max(0, at + pause - time.monotonic()))
    paused.send(signal.SIGCONT)
    await no_two(drill, [paused, left])
    await drill.all_watched([paused, left], 60)
    over.set()
    await delivering
    await drill.all_told(60)
    for phase, times in (("before", (0, at)), ("until it was whole", (at, whole)), ("after", (whole, float("inf")))):
        print(f"from message to push, {phase}:", quantiles(drill.delays(*times)))
    return await report(drill, [paused, left])


def megabytes(replica: Replica) -> float:
    """In memory now."""
    [line] = [line for line in Path(f"/proc/{replica.pid}/status").read_text().splitlines() if "VmRSS" in line]
    return int(line.split()[1]) / 1024


async def balanced(drill: Drill, seconds: float) -> list[int]:
    deadline = time.monotonic() + seconds
    while min(counts := await drill.watched(drill.replicas)) < drill.mailboxes / 4:
        assert time.monotonic() < deadline, counts
        await asyncio.sleep(0.2)
    return counts


async def no_two(drill: Drill, replicas: Sequence[Replica]) -> None:
    """Looks from the end of the pause on. Raises AssertionError if two still watch a mailbox after WHOLE_SECONDS."""
    began, most, last = time.monotonic(), 0, 0.0
    while (passed := time.monotonic() - began) < WHOLE_SECONDS:
        more = sum(await drill.watched(replicas)) - drill.mailboxes
        if more > 0:
            most, last = max(most, more), passed
        await asyncio.sleep(0.05)
    print(f"after the pause: at most {most} mailboxes watched by two, the last time {last:.2f} s after its end")
    assert last < WHOLE_SECONDS - 1


def quantiles(delays: Sequence[float]) -> str:
    if not delays:
        return "none"
    middle, late = delays[len(delays) // 2], delays[int(len(delays) * 0.99)]
    return f"median {middle:.2f} s, 99 of 100 within {late:.1f} s, the longest {delays[-1]:.1f} s ({len(delays)})"


async def report(drill: Drill, replicas: Sequence[Replica]) -> int:
    messages = sum(map(len, drill.appended.values()))
    pushes = sum(map(len, drill.pushed.values()))
    print(f"{messages} messages to {len(drill.appended)} mailboxes, {pushes} pushes; not told: {len(drill.untold())}")
    for replica in replicas:
        replica.send(signal.SIGTERM)
    print("exit codes:", await asyncio.gather(*(replica.ended(60) for replica in replicas)))
    behind = await drill.behind()
    print(f"mailboxes whose mark is behind their state: {len(behind)}")
    return 1 if behind or drill.untold() else 0


_MANY = """
mailbox_idle_check_interval = 1 s
service imap-login {
  client_limit = 4000
}
service imap {
  process_limit = 4000
}
service anvil {
  client_limit = 10000
}
service auth {
  client_limit = 10000
}
service stats {
  client_limit = 10000
}
"""

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--mailboxes", type=int, default=500)
    parser.add_argument("--pause", type=float, default=60)
    parser.add_argument("--seconds", type=float, default=15, help="Mail arrives for so long before anything happens.")
    arguments = parser.parse_args()
    sys.exit(asyncio.run(main(arguments.mailboxes, arguments.pause, arguments.seconds)))
