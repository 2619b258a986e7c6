"""What a client may ask for at once (RFC 8620, 2), as the session object says it."""

from dataclasses import dataclass
from typing import Any

MAX_CALLS = 32
MAX_OBJECTS_IN_GET = 500
MAX_OBJECTS_IN_SET = 500
MAX_MAILBOXES = 50
MAX_RESULTS = 10_000
"""Rows of a query that are walked through. What lies behind is refused, not guessed."""
MAX_RESOLVED = 64 << 10
"""Values that the result references of a request may bring, or look at."""
MAX_CONDITIONS = 256
"""Conditions of a filter."""
MAX_PARSED = 32 << 20
"""Octets of header fields that a request may have read, once for each form: a field of 250 KiB takes up to 0.1 s."""
MAX_OPENED = 1 << 30
"""Octets of messages and blobs that a request may have read and parsed."""
MAX_RESPONSE = 64 << 20
"""Octets of text that the responses of a request may hold together."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The operator's part: octets of a request and of an upload."""

    max_request: int
    max_upload: int
    requests: int = 16
    """At once, of an account in a process."""
    uploads: int = 4
    mailboxes: int = MAX_MAILBOXES
    """Of an Email that is written."""

    def described(self) -> dict[str, Any]:
        """The value of the core capability."""
        return {
            "maxSizeUpload": self.max_upload,
            "maxConcurrentUpload": self.uploads,
            "maxSizeRequest": self.max_request,
            "maxConcurrentRequests": self.requests,
            "maxCallsInRequest": MAX_CALLS,
            "maxObjectsInGet": MAX_OBJECTS_IN_GET,
            "maxObjectsInSet": MAX_OBJECTS_IN_SET,
            "collationAlgorithms": ["i;unicode-casemap"],
        }
