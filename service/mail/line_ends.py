"""Line ends in octets."""

import re

BLANK = re.compile(rb"\n\r?\n")
"""The end of a header: an empty line, with the end of the line before it."""


def with_crlf(octets: bytes) -> bytes:
    """With CRLF for each CR and LF that stands alone. Most chunks have none, which counting shows at once."""
    if octets.count(b"\n") == octets.count(b"\r\n") == octets.count(b"\r"):
        return octets
    return octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
