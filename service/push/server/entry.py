"""The value of the METADATA entry that Dovecot's push_notification plugin returns with each delivery.

It has members ``name=value`` with tabs between them. Of those the plugin returns that of ``user`` as it stands, so this
is where the sealed subscriptions are. All others, and a ``user`` that is not ours, belong to other programs.
"""

from service.mail.errors import InvalidRequest, NotSupported
from service.push.sealing import Note, Seals

MAX_OCTETS = 8000
"""Of the value. Dovecot returned 8,000 octets as they stood."""
UNAVAILABLE = "subscriptions"
"""The capability in the error if they cannot be kept."""
_USER = b"user="
_OURS = b"casella."


def read(seals: Seals, value: bytes | None) -> Note | None:
    """Our subscriptions in the value; None if there are none."""
    return next((seals.open(text) for text in map(_sealed, _members(value)) if text is not None), None)


def written(seals: Seals, value: bytes | None, note: Note) -> bytes | None:
    """The value with these subscriptions in place of those in it; None if nothing is left. Raises NotSupported if
    another program uses ``user``, and InvalidRequest if it would be too long."""
    others = [member for member in _members(value) if _sealed(member) is None]
    if not note.subscriptions:
        return b"\t".join(others) or None
    if any(member.startswith(_USER) for member in others):
        raise NotSupported(
            UNAVAILABLE,
            "Another program uses the entry of this mailbox in which subscriptions are kept. It is left as it is."
            " End push notifications in that program first.",
        )
    new = b"\t".join([*others, _USER + _OURS + seals.seal(note).encode()])
    if len(new) > MAX_OCTETS:
        raise InvalidRequest(
            "There is no room for another subscription. Delete one that is no longer used.", location="body.endpoint"
        )
    return new


def unsealed(seals: Seals, user: str) -> Note | None:
    """The subscriptions in what the mail server returns; None if it is not ours."""
    return seals.open(user.removeprefix(_OURS.decode())) if user.startswith(_OURS.decode()) else None


def _members(value: bytes | None) -> list[bytes]:
    return [member for member in (value or b"").split(b"\t") if member]


def _sealed(member: bytes) -> str | None:
    """The sealed text in our member; None for a member of another program."""
    head = _USER + _OURS
    return member[len(head) :].decode("ascii", "replace") if member.startswith(head) else None
