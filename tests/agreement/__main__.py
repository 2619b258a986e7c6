"""``python -m tests.agreement``: in how many messages three protocols agree, and why not in the others."""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path

from tests.agreement.differences import found, reason_for
from tests.agreement.readings import read_everywhere
from tests.agreement.test_agreement import CORPORA
from tests.servers.dovecot import Dovecot


async def main() -> None:
    """A line for each corpus, and one for each reason."""
    with Dovecot() as dovecot:
        for name, corpus in CORPORA.items():
            messages = [message for message in corpus() if message]
            with tempfile.TemporaryDirectory() as folder:
                every = found(await read_everywhere(dovecot, Path(folder), messages))
            differing = {difference.number for difference in every}
            read = {difference.number for difference in every if not difference.way.endswith(" row")}
            reasons = Counter(reason for _, reason in {(each.number, reason_for(each)) for each in every})
            print(f"{name}: {len(messages)} messages, {len(messages) - len(read)} the same when read, ", end="")
            print(f"{len(messages) - len(differing)} in lists too")
            for reason, count in reasons.most_common():
                print(f"{count:7} {reason or 'WITHOUT A REASON'}")


if __name__ == "__main__":
    asyncio.run(main())
