"""Conditions that some servers are known to decide wrong (``known_faults``), and what can still be left to them."""

from service.adapters.imap.messages.cache import CachedMessage
from service.adapters.imap.search.keys import is_ascii, search_keys
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.known_faults import SEARCH_BODY, SEARCH_SIZE
from service.mail.model import Part
from service.mail.search.filter import Condition, Criterion

_FAULTS = {
    Criterion.BODY: SEARCH_BODY,
    Criterion.TEXT: SEARCH_BODY,
    Criterion.MIN_SIZE: SEARCH_SIZE,
    Criterion.MAX_SIZE: SEARCH_SIZE,
}


def errs(connection: Connection, condition: Condition) -> bool:
    """Whether the server is known to decide the condition wrong."""
    fault = _FAULTS.get(condition.criterion)
    return fault is not None and connection.is_disabled(fault)


def finds_too_few(connection: Connection, condition: Condition, no_unicode: str) -> bool:
    """Whether what the server finds is right, and some may be missing: those that ``may_be_missed``."""
    is_body = condition.criterion in {Criterion.BODY, Criterion.TEXT} and errs(connection, condition)
    return is_body and (is_ascii(search_keys(condition)) or not connection.is_disabled(no_unicode))


def size_superset(condition: Condition) -> Condition | None:
    """A condition that holds for every match by the sizes of a server that counts a line break as one octet: those are
    at least half of the real ones. None for other conditions."""
    match condition.criterion:
        case Criterion.MIN_SIZE:
            return Condition(Criterion.MIN_SIZE, int(str(condition.value)) // 2)
        case Criterion.MAX_SIZE:
            return condition
    return None


def may_be_missed(message: CachedMessage) -> bool:
    """Whether the message may have a text that a server with the fault ``SEARCH_BODY`` does not read."""
    structure = message.details.structure
    return structure is None or any(map(_is_unread, structure.walk()))


def _is_unread(part: Part) -> bool:
    if not part.type.startswith("text/"):
        return False
    if part.charset is None:
        return (part.encoding or "7bit").lower() != "7bit"
    return part.charset.lower() not in {"us-ascii", "utf-8"}
