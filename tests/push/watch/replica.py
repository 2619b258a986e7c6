"""`casella serve` as the platform runs it, with a pusher that hands each push to the process of a test, and waits until that
has it: ``python -m tests.push.watch.replica serve …``."""

import asyncio
import json
import os
from functools import partial

from service import cli
from service.app import create_app
from service.http import run
from service.push.model import Change, Notice, Outcome, Subscription
from tests.servers.process import HOST

PORT = "TELLER_PORT"


class Teller:
    """Implements ``Pusher``: a line for each push."""

    def __init__(self) -> None:
        self._port = int(os.environ[PORT])

    async def push(self, subscription: Subscription, notice: Notice) -> Outcome:
        said = {"pid": os.getpid(), "id": subscription.id, "device": subscription.device, "kind": type(notice).__name__}
        if isinstance(notice, Change):
            said["folders"] = len(notice.folders)
        try:
            reader, writer = await asyncio.open_connection(HOST, self._port)
            writer.write(json.dumps(said).encode() + b"\n")
            answer = await reader.readline()
            writer.close()
        except OSError:
            return Outcome.FAILED
        return Outcome.DELIVERED if answer == b"taken\n" else Outcome.FAILED


if __name__ == "__main__":
    setattr(run, "create_app", partial(create_app, pusher=Teller()))  # noqa: B010 - the name is imported there
    cli.run()
