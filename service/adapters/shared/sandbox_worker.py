"""The process in the sandbox: ``python -m service.adapters.shared.sandbox_worker JOB SECONDS OCTETS``.

It parses the message on standard input, a file, and writes the result as JSON. SECONDS bounds its computing time,
OCTETS its memory.
"""

import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from service.mail.mime.message import read_message
from service.mail.mime.structure import Entity, parse
from service.mail.model import HtmlMode, Message

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """Something to make of a message's octets."""

    name: str
    work: Callable[[bytes], T]
    form: TypeAdapter[T]

    def dump(self, octets: bytes) -> bytes:
        """The result for a message, as JSON."""
        return self.form.dump_json(self.work(octets), by_alias=True)

    def load(self, dumped: bytes) -> T:
        """The result from its JSON. That may be nested as deep as a message, which is too deep for pydantic's
        reader."""
        return self.form.validate_python(json.loads(dumped))


def _message(octets: bytes, html: HtmlMode) -> Message:
    """Without id and folder, which the octets do not say."""
    return read_message(octets, id="", folder_id="", size=len(octets), html=html)


STRUCTURE: Job[Entity] = Job("structure", parse, TypeAdapter(Entity))
MESSAGES: Mapping[HtmlMode, Job[Message]] = {
    html: Job(f"message-{html}", partial(_message, html=html), TypeAdapter(Message)) for html in HtmlMode
}
_ALL: tuple[Job[Any], ...] = (STRUCTURE, *MESSAGES.values())
JOBS: Mapping[str, Job[Any]] = {job.name: job for job in _ALL}


def main(name: str, seconds: str, memory: str) -> None:
    """Ends by a signal, or an exception, at a bound."""
    job = JOBS[name]
    _bound(int(seconds), int(memory))
    sys.stdout.buffer.write(job.dump(_octets()))


def _bound(seconds: int, memory: int) -> None:
    for limit, most in ((resource.RLIMIT_CPU, seconds), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(limit, (most, most))
    with suppress(ValueError):  # macOS has none of memory
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _octets() -> bytes:
    """All octets of the file, even if others read from it. A disk returns them in one read."""
    size = os.fstat(0).st_size
    octets = os.pread(0, size, 0)
    if len(octets) < size:
        raise EOFError
    return octets


if __name__ == "__main__":
    main(*sys.argv[1:])
