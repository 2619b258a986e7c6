"""The value of the METADATA entry that Dovecot's push_notification plugin returns with each delivery.

It has members ``name=value`` with tabs between them. Of those the plugin returns that of ``user`` as it stands, so this
is where the sealed subscriptions are. All others, and a ``user`` that is not ours, belong to other programs.

One mailbox may be several accounts, by other spellings of its username or by two servers of the table: each has a
sealed text of its own, with a dot between them.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from service.mail.errors import InvalidRequest, NotSupported
from service.push.sealing import Note, Seals

MAX_OCTETS = 8000
"""Of the value. Dovecot returned 8,000 octets as they stood."""
CAPABILITY = "subscriptions"
"""The capability of an account whose devices can be woken."""
_USER = b"user="
_OURS = b"casella."
_HEAD = _USER + _OURS
_BETWEEN = "."
"""No character of base64url."""
_MOST_ACCOUNTS = 32
"""As many as fit with one subscription each."""


def read(seals: Seals, value: bytes | None, account: str) -> Note | None:
    """The account's subscriptions in the value; None if there are none."""
    return next((note for _, note in _opened(seals, _texts(_members(value))) if note.account == account), None)


def written(seals: Seals, value: bytes | None, note: Note) -> bytes | None:
    """The value with these subscriptions in place of the account's in it; None if nothing is left. Raises NotSupported
    if another program uses ``user``, and InvalidRequest if it would be too long."""
    members = _members(value)
    others = [member for member in members if not member.startswith(_HEAD)]
    opened = [pair for pair in _opened(seals, _texts(members)) if pair[1].account != note.account]
    texts = [text for pair in opened if (text := _beside(seals, note, *pair)) is not None]
    if note.subscriptions:
        texts.append(seals.seal(note))
    if not texts:
        return b"\t".join(others) or None
    if any(member.startswith(_USER) for member in others):
        raise NotSupported(
            CAPABILITY,
            "Another program uses the entry of this mailbox in which subscriptions are kept. It is left as it is."
            " End push notifications in that program first.",
        )
    new = b"\t".join([*others, _HEAD + _BETWEEN.join(texts).encode()])
    if len(new) > MAX_OCTETS:
        raise InvalidRequest(
            "There is no room for another subscription. Delete one that is no longer used.", location="body.endpoint"
        )
    return new


def unsealed(seals: Seals, user: str) -> list[Note]:
    """The subscriptions in what the mail server returns, account by account; empty if it is not ours."""
    return [note for _, note in _opened(seals, _texts([_USER + user[:MAX_OCTETS].encode(errors="replace")]))]


def _texts(members: Iterable[bytes]) -> list[str]:
    """The sealed texts in our member. Users can write what they like there, so no more are looked at than fit."""
    ours = next((member for member in members if member.startswith(_HEAD)), _HEAD)
    return ours[len(_HEAD) : MAX_OCTETS].decode("ascii", "replace").split(_BETWEEN)[:_MOST_ACCOUNTS]


def _opened(seals: Seals, texts: Iterable[str]) -> Iterator[tuple[str, Note]]:
    """Each text with what it holds, except those that no key opens any more."""
    for text in texts:
        note = seals.open(text)
        if note is not None:
            yield text, note


def _beside(seals: Seals, note: Note, text: str, other: Note) -> str | None:
    """What stays of another account's sealed text: not what has expired, and no device that is now in ``note``."""
    now, moved = datetime.now(UTC), {(each.kind, each.endpoint) for each in note.subscriptions}
    stays = [each for each in other.subscriptions if each.expires_at > now and (each.kind, each.endpoint) not in moved]
    if len(stays) == len(other.subscriptions):
        return text
    return seals.seal(Note(other.account, tuple(stays))) if stays else None


def _members(value: bytes | None) -> list[bytes]:
    return [member for member in (value or b"").split(b"\t") if member]
