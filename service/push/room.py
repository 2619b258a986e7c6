"""How many subscriptions an account may have."""

from collections.abc import Iterable

from service.mail.errors import InvalidRequest
from service.push.model import Subscription

MOST = 10


def without(present: Iterable[Subscription], new: Subscription) -> list[Subscription]:
    """Those that stay beside a new one: not one with its id, or of its device and kind. Raises InvalidRequest if there
    are too many."""
    device = new.device, new.kind
    kept = [each for each in present if each.id != new.id and (each.device, each.kind) != device]
    if len(kept) >= MOST:
        raise no_room()
    return kept


def no_room() -> InvalidRequest:
    """The error of one too many."""
    return InvalidRequest(
        f"This account has {MOST} subscriptions, the most possible. Delete one that is no longer used.",
        location="body.device",
    )
