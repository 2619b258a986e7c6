"""The roles that a server gives its folders (RFC 6154)."""

from service.adapters.imap.wire.responses import ListedFolder

_SPECIAL_USE = {
    "\\sent": "sent",
    "\\drafts": "drafts",
    "\\trash": "trash",
    "\\junk": "junk",
    "\\archive": "archive",
    "\\all": "all",
    "\\flagged": "flagged",
}


def role_of(folder: ListedFolder) -> str | None:
    """By SPECIAL-USE; INBOX is the inbox in any letter case."""
    if folder.name.upper() == b"INBOX":
        return "inbox"
    return next((role for attribute, role in _SPECIAL_USE.items() if attribute in folder.attributes), None)
