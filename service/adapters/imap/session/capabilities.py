"""Translates the server's capabilities (RFC 9051, 7.2.2) to those of the mailbox."""

from service.mail.model import Capability

# What plain IMAP4rev1 has, and what this adapter builds on it.
_ALWAYS = frozenset({
    Capability.FOLDERS, Capability.FLAGS, Capability.APPEND, Capability.SEARCH, Capability.SORT, Capability.THREADS,
    Capability.CHANGES, Capability.PUSH, Capability.SETTINGS, Capability.IMPORT,
})  # fmt: skip
_OFFERED = {
    "MOVE": Capability.MOVE,
    "UIDPLUS": Capability.MOVE,  # copy, then remove what was copied
    "IMAP4REV2": Capability.MOVE,
    "ACL": Capability.ACL,
    "QUOTA": Capability.QUOTA,
}


def capabilities_of(offered: frozenset[str]) -> frozenset[Capability]:
    """``offered`` are the words of CAPABILITY after login, upper case."""
    return _ALWAYS | {_OFFERED[word] for word in offered & _OFFERED.keys()}
