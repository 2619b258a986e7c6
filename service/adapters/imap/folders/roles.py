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

_VIEWS = {"\\all": 2, "\\flagged": 1, "\\important": 1}


def rank_of(folder: ListedFolder) -> int:
    """0 for a folder that keeps messages; more if it shows those of other folders (RFC 6154, 2; RFC 8457), most for
    the one that shows all."""
    return max((_VIEWS.get(attribute, 0) for attribute in folder.attributes), default=0)


def role_of(folder: ListedFolder) -> str | None:
    """By SPECIAL-USE; INBOX is the inbox in any letter case."""
    if folder.name.upper() == b"INBOX":
        return "inbox"
    return next((role for attribute, role in _SPECIAL_USE.items() if attribute in folder.attributes), None)
