"""What servers are known to do wrong without a word, by what they say they are: in the greeting, or in the answer to ID
(RFC 2971). Each fault was seen on the real server, and `make servers` sees it again.

A fault has a name as a capability has, and is kept with those that a server was seen to refuse.
"""

import re
from collections.abc import Sequence

SEARCH_BODY = "SEARCH=BODY"
"""SEARCH BODY and TEXT find nothing in parts whose charset is neither US-ASCII nor UTF-8 (Cyrus 3.6 and 3.10)."""
SEARCH_SIZE = "SEARCH=SIZE"
"""LARGER and SMALLER count a line break as one octet; FETCH counts two (Courier 5)."""
SORT_ORDER = "SORT=ORDER"
"""SORT puts messages with equal keys in any order, and counts sizes as ``SEARCH_SIZE`` does (Courier 5)."""
_FAULTS = (
    (re.compile(rb"\bCyrus IMAP", re.IGNORECASE), frozenset({SEARCH_BODY})),
    (re.compile(rb"\bCourier-IMAP\b", re.IGNORECASE), frozenset({SEARCH_SIZE, SORT_ORDER})),
)
_READ = 1000
"""Octets of a text in which the name is looked for."""


def faults_of(text: bytes) -> frozenset[str]:
    """The faults of the server that says this of itself."""
    found = (faults for name, faults in _FAULTS if name.search(text, 0, _READ))
    return frozenset().union(*found)


def introduced_faults(untagged: Sequence[bytes]) -> frozenset[str]:
    """As ``faults_of``, by the answer to ID, which comes before those to the commands that it was sent with."""
    return frozenset().union(*(faults_of(response) for response in untagged[:1] if response[:3].upper() == b"ID "))
