"""What a push says, as JSON."""

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from pydantic_core import to_json

from service.push.model import Alert, Change, Event, Notice, SignInAgain, Subscription, Verification

MAX_OCTETS = 3000
"""Of the JSON: with what is around it, it fits into the 4 KiB of every kind of push."""
_MAX_TOKEN = 1500
_MAX_FOLDERS = 20
_MAX_TEXT = 200
DAY = 24 * 3600


def payload(notice: Notice, *, is_encrypted: bool = False) -> dict[str, Any]:
    """What the device gets. Sender and subject are in it only if it is encrypted. What is too long is left out: the app
    requests the changes anyway."""
    match notice:
        case Verification():
            return {"verification": {"id": notice.id, "code": notice.code}}
        case SignInAgain():
            return {"account": notice.account, "at": _text(notice.at), "signInAgain": True}
    said: dict[str, Any] = {"account": notice.account, "at": _text(notice.at)}
    if notice.token and len(notice.token) <= _MAX_TOKEN:
        said["token"] = notice.token
    if notice.folders and len(notice.folders) <= _MAX_FOLDERS:
        said["folders"] = list(notice.folders)
    if is_encrypted:
        said |= _alert(notice.alert)
    for name in ("folders", "token"):
        if len(octets(said)) > MAX_OCTETS:
            said.pop(name, None)
    return said


def octets(said: dict[str, Any]) -> bytes:
    """As JSON."""
    return to_json(said, inf_nan_mode="null")


def _alert(alert: Alert | None) -> dict[str, str]:
    return {"from": _cut(alert.sender), "subject": _cut(alert.subject)} if alert else {}


def _cut(text: str) -> str:
    clean = text.encode(errors="replace").decode()
    return clean if len(clean) <= _MAX_TEXT else f"{clean[: _MAX_TEXT - 1]}…"


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def topic(notice: Notice) -> str | None:
    """Pushes of the same topic replace each other as long as the device is away (RFC 8030, 5.4). One with sender and
    subject replaces none."""
    if isinstance(notice, Verification) or (isinstance(notice, Change) and notice.alert):
        return None
    digest = blake2b(f"{type(notice).__name__}\0{notice.account}".encode(), digest_size=12, person=b"casella topic")
    return digest.hexdigest()


def ttl(subscription: Subscription, notice: Notice, now: datetime) -> int:
    """For how many seconds a push service keeps it: at most as long as the subscription lives, and a day if it says who
    wrote."""
    left = max(0, int((subscription.expires_at - now).total_seconds()))
    is_short = isinstance(notice, Verification) or (isinstance(notice, Change) and notice.alert is not None)
    return min(left, DAY) if is_short else left


def is_urgent(notice: Notice) -> bool:
    """Whether it is worth waking a device that saves its battery."""
    return not isinstance(notice, Change) or Event.CREATED in notice.events
