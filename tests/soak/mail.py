"""Mail in which every secret of an account can be told from all others'."""

import base64
import re
from dataclasses import dataclass, field
from random import Random
from secrets import token_hex

MARK = re.compile(rb"canary[0-9a-f]{16}")
_NUMBER = re.compile(r" (\d+)\Z")
_FILE_OCTETS = (40, 4_000, 60_000)


@dataclass
class Account:
    """One mailbox, and what has to be true of it."""

    user: str
    is_pop3: bool = False
    canary: str = field(default_factory=lambda: f"canary{token_hex(8)}")
    stored: set[int] = field(default_factory=set)
    """Numbers of messages that were there from the start, or were answered to be stored."""
    given_up: set[int] = field(default_factory=set)
    """Those somebody asked to have removed."""
    numbers: dict[str, int] = field(default_factory=dict)
    """By id. What an id names never changes."""
    given: int = 0

    def new(self) -> int:
        self.given += 1
        return self.given

    def subject(self, number: int) -> str:
        return f"{self.canary} subject {number}"

    def text(self, number: int) -> str:
        return f"{self.canary} body {number}"

    def file(self, number: int) -> bytes:
        """What is attached: octets of its own, and the canary."""
        random = Random(f"{self.canary}{number}")
        return random.randbytes(random.choice(_FILE_OCTETS)) + self.canary.encode()

    def source(self, number: int) -> bytes:
        encoded = base64.encodebytes(self.file(number)).replace(b"\n", b"\r\n")
        head = (
            f"From: {self.canary} <{self.canary}@example.org>\r\nTo: ben@example.org\r\nSubject: {self.subject(number)}\r\n"
            f"Message-ID: <{number}.{self.canary}@example.org>\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: multipart/mixed; boundary=b{number}\r\n\r\n"
            f"--b{number}\r\nContent-Type: text/plain\r\n\r\n{self.text(number)}\r\n"
            f"--b{number}\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
            f'Content-Disposition: attachment; filename="{self.canary}.bin"\r\n\r\n'
        )
        return head.encode() + encoded + f"--b{number}--\r\n".encode()


def number_in(subject: str) -> int:
    found = _NUMBER.search(subject)
    assert found is not None, subject
    return int(found[1])
