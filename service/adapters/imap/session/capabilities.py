"""What a mailbox can do, by what its server says it can (RFC 9051, 7.2.2)."""

from service.mail.model import Capability

# What plain IMAP4rev1 has, and what is made of it here.
_ALWAYS = frozenset({
    Capability.FOLDERS, Capability.FLAGS, Capability.APPEND, Capability.SEARCH, Capability.SORT, Capability.THREADS,
    Capability.CHANGES, Capability.PUSH,
})  # fmt: skip
_OFFERED = {
    "MOVE": Capability.MOVE,
    "UIDPLUS": Capability.MOVE,  # copy, then remove what was copied
    "IMAP4REV2": Capability.MOVE,
    "ACL": Capability.ACL,
    "QUOTA": Capability.QUOTA,
}


def capabilities_of(offered: frozenset[str]) -> frozenset[Capability]:
    """Of the words of CAPABILITY, upper case, after login."""
    return _ALWAYS | {_OFFERED[word] for word in offered & _OFFERED.keys()}
