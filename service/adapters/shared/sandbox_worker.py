"""The inside of the cage: ``python -m service.adapters.shared.sandbox_worker JOB SECONDS OCTETS``.

It takes the message on standard input, a file, apart and writes what it found as JSON. It may compute for so many
seconds and have so much memory.
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
    """What is made of a message's octets."""

    name: str
    work: Callable[[bytes], T]
    form: TypeAdapter[T]

    def told(self, octets: bytes) -> bytes:
        """What is made of them, as JSON."""
        return self.form.dump_json(self.work(octets), by_alias=True)

    def heard(self, told: bytes) -> T:
        """The same out of JSON, which is nested as deep as a message may be: deeper than pydantic's reader goes."""
        return self.form.validate_python(json.loads(told))


def _message(octets: bytes, html: HtmlMode) -> Message:
    """Without what the octets do not tell."""
    return read_message(octets, id="", folder_id="", size=len(octets), html=html)


STRUCTURE: Job[Entity] = Job("structure", parse, TypeAdapter(Entity))
MESSAGES: Mapping[HtmlMode, Job[Message]] = {
    html: Job(f"message-{html}", partial(_message, html=html), TypeAdapter(Message)) for html in HtmlMode
}
_ALL: tuple[Job[Any], ...] = (STRUCTURE, *MESSAGES.values())
JOBS: Mapping[str, Job[Any]] = {job.name: job for job in _ALL}


def main(name: str, seconds: str, memory: str) -> None:
    """Ends by a signal, or an exception, where a bound is met."""
    job = JOBS[name]
    _bound(int(seconds), int(memory))
    sys.stdout.buffer.write(job.told(_octets()))


def _bound(seconds: int, memory: int) -> None:
    for limit, most in ((resource.RLIMIT_CPU, seconds), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(limit, (most, most))
    with suppress(ValueError):  # macOS has none of memory
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _octets() -> bytes:
    """From its beginning, wherever others read in the same file; a disk gives all at once."""
    size = os.fstat(0).st_size
    octets = os.pread(0, size, 0)
    if len(octets) < size:
        raise EOFError
    return octets


if __name__ == "__main__":
    main(*sys.argv[1:])
