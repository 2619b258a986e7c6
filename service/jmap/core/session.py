"""The Session object (RFC 8620, 2): what the account can, and where."""

from functools import lru_cache
from hashlib import blake2s
from typing import Any, NamedTuple

from service.jmap.core.limits import Limits

CORE = "urn:ietf:params:jmap:core"
MAIL = "urn:ietf:params:jmap:mail"
SUBMISSION = "urn:ietf:params:jmap:submission"
QUOTA = "urn:ietf:params:jmap:quota"
BLOB = "urn:ietf:params:jmap:blob"


class Facts(NamedTuple):
    """All that a session depends on. ``base`` is the address of the service without a slash at its end."""

    base: str
    account: str
    username: str
    limits: Limits
    sorts: tuple[str, ...]
    digests: tuple[str, ...]
    can_send: bool
    can_create: bool
    is_writable: bool


def session(facts: Facts) -> dict[str, Any]:
    """The Session object."""
    body = _session(facts)
    return {**body, "state": _digest(body)}


@lru_cache(maxsize=256)
def session_state(facts: Facts) -> str:
    """The state of the Session object, which every response has."""
    return _digest(_session(facts))


def _digest(body: dict[str, Any]) -> str:
    return blake2s(repr(sorted(body.items())).encode(errors="replace"), digest_size=8).hexdigest()


def _session(facts: Facts) -> dict[str, Any]:
    base, capabilities = facts.base, _account_capabilities(facts)
    return {
        "capabilities": {CORE: facts.limits.described(), **{name: {} for name in capabilities}},
        "accounts": {
            facts.account: {
                "name": facts.username,
                "isPersonal": True,
                "isReadOnly": not facts.is_writable,
                "accountCapabilities": capabilities,
            }
        },
        "primaryAccounts": dict.fromkeys(capabilities, facts.account),
        "username": facts.username,
        "apiUrl": f"{base}/jmap",
        "downloadUrl": f"{base}/jmap/download/{{accountId}}/{{blobId}}/{{name}}?type={{type}}",
        "uploadUrl": f"{base}/jmap/upload/{{accountId}}",
        "eventSourceUrl": f"{base}/jmap/eventsource?types={{types}}&closeafter={{closeafter}}&ping={{ping}}",
    }


def _account_capabilities(facts: Facts) -> dict[str, dict[str, Any]]:
    """The account's capabilities with their properties."""
    mail = {
        "maxMailboxesPerEmail": facts.limits.mailboxes,
        "maxMailboxDepth": None,
        "maxSizeMailboxName": 255,
        "maxSizeAttachmentsPerEmail": facts.limits.max_upload,
        "emailQuerySortOptions": list(facts.sorts),
        "mayCreateTopLevelMailbox": facts.can_create,
    }
    blob = {
        "maxSizeBlobSet": 4 << 20,
        "maxDataSources": 64,
        "supportedTypeNames": ["Mailbox", "Thread", "Email"],
        "supportedDigestAlgorithms": list(facts.digests),
    }
    sending = {SUBMISSION: {"maxDelayedSend": 0, "submissionExtensions": {}}} if facts.can_send else {}
    return {MAIL: mail, **sending, QUOTA: {}, BLOB: blob}
